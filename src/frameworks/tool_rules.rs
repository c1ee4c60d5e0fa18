//! What an operation that is a tool promises beside its parameters: results and chunks that keep a
//! schema, a time, a number of calls at once. An announcement carries it under `tool`.
//!
//! Who calls a tool, and what follows when a promise is broken, is not known here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value as Json;

use crate::core::{Error, Result, Schema, Status, Value};

/// The promises of one tool, compiled.
pub struct ToolRules {
    name: String,
    result: Option<Schema>,
    chunk: Option<Schema>,
    /// For each call, from the moment it is made.
    pub timeout: Option<Duration>,
    pub max_in_flight: Option<usize>,
    running: Arc<AtomicUsize>,
}

/// The same as it is announced.
#[derive(serde::Deserialize)]
pub(super) struct AnnouncedTool {
    #[serde(default)]
    chunk: Option<Json>,
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
    pub(super) fn compile(
        name: &str,
        announced: AnnouncedTool,
        result: Option<Json>,
    ) -> Result<Self> {
        let compile = |schema: Option<Json>, which: &str| {
            let what = format!("{which} schema of tool {name:?}");
            schema
                .filter(|schema| !schema.is_null())
                .map(|schema| Schema::compile(schema, &what))
                .transpose()
        };
        Ok(ToolRules {
            name: name.to_owned(),
            result: compile(result, "result")?,
            chunk: compile(announced.chunk, "chunk")?,
            timeout: announced.timeout_ms.map(Duration::from_millis),
            max_in_flight: announced.max_in_flight,
            running: Arc::default(),
        })
    }

    /// `ToolFailed` for a result that breaks the tool's own schema.
    pub fn check_result(&self, value: &Value) -> Result<()> {
        self.check(self.result.as_ref(), "result", value)
    }

    /// The same for a chunk.
    pub fn check_chunk(&self, value: &Value) -> Result<()> {
        self.check(self.chunk.as_ref(), "chunk", value)
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

    fn check(&self, schema: Option<&Schema>, which: &str, value: &Value) -> Result<()> {
        let Some(schema) = schema else { return Ok(()) };
        let checked = schema.check(value, &format!("{which} of tool {:?}", self.name));
        checked.map_err(|broken| {
            let details = broken.details().clone();
            let error = Error::new(Status::ToolFailed, broken.message()).with_details(details);
            error.with("tool", self.name.as_str()).retryable(false)
        })
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
    use serde_json::json;

    fn rules(tool: Json, result: Json) -> ToolRules {
        ToolRules::compile("price", serde_json::from_value(tool).unwrap(), Some(result)).unwrap()
    }

    #[test]
    fn a_broken_promise_names_tool_and_place() {
        let price = json!({"type": "object", "properties": {"price": {"type": "number"}}});
        let rules = rules(json!({"chunk": price}), json!({"type": "array", "items": price}));
        let good = Value::from_document(&json!([{"price": 1}]));
        rules.check_result(&good).unwrap();
        let bad = Value::from_document(&json!([{"price": 1}, {"price": "much"}]));
        let error = rules.check_result(&bad).unwrap_err();
        assert_eq!(error.status(), Status::ToolFailed);
        assert_eq!(error.details()["path"], "$[1].price");
        assert_eq!(error.details()["tool"], "price");
        let chunk = Value::from_document(&json!({"price": null}));
        assert_eq!(rules.check_chunk(&chunk).unwrap_err().details()["path"], "$.price");
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let rules = rules(json!({"max_in_flight": 1}), Json::Null);
        let first = rules.enter().unwrap();
        let error = rules.enter().map(drop).unwrap_err();
        assert_eq!(error.status(), Status::ResourceExhausted);
        assert_eq!(error.details()["max_in_flight"], 1);
        drop(first);
        rules.enter().map(drop).unwrap();
    }
}
