//! What an operation that is a tool is held to beside its parameters: a time, a number of calls at
//! once. An announcement carries it under `tool`.
//!
//! Who calls a tool is not known here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::core::{Error, Result, Status};

/// The rules of one tool, and how many calls of it there are.
pub struct ToolRules {
    name: String,
    /// For each call, from the moment it is made.
    pub timeout: Option<Duration>,
    pub max_in_flight: Option<usize>,
    running: Arc<AtomicUsize>,
}

/// The same as it is announced.
#[derive(serde::Deserialize)]
pub(super) struct AnnouncedTool {
    #[serde(default)]
    timeout_ms: Option<u64>,
    #[serde(default)]
    max_in_flight: Option<usize>,
}

/// One of the calls that a tool may have at once; dropping it gives the place back.
pub struct ToolPlace {
    running: Arc<AtomicUsize>,
}

impl ToolRules {
    pub(super) fn new(name: &str, announced: &AnnouncedTool) -> Self {
        ToolRules {
            name: name.to_owned(),
            timeout: announced.timeout_ms.map(Duration::from_millis),
            max_in_flight: announced.max_in_flight,
            running: Arc::default(),
        }
    }

    /// As it was announced.
    pub fn timeout_ms(&self) -> Option<u64> {
        self.timeout.and_then(|time| u64::try_from(time.as_millis()).ok())
    }

    /// A place for one more call, or `ResourceExhausted`.
    pub fn enter(&self) -> Result<ToolPlace> {
        let before = self.running.fetch_add(1, Ordering::AcqRel);
        let place = ToolPlace { running: self.running.clone() };
        match self.max_in_flight {
            Some(max) if before >= max => {
                let message = format!("tool {:?} has {max} calls that have not ended", self.name);
                let error = Error::new(Status::ResourceExhausted, message);
                Err(error.with("tool", self.name.as_str()).with("max_in_flight", max))
            }
            _ => Ok(place),
        }
    }
}

impl Drop for ToolPlace {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let announced = serde_json::from_str(r#"{"max_in_flight": 1}"#).unwrap();
        let rules = ToolRules::new("price", &announced);
        let first = rules.enter().unwrap();
        let error = rules.enter().map(drop).unwrap_err();
        assert_eq!(error.status(), Status::ResourceExhausted);
        assert_eq!(error.details()["max_in_flight"], 1);
        drop(first);
        rules.enter().map(drop).unwrap();
    }
}
