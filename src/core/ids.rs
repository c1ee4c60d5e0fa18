//! Names of things: sessions, calls, workers.

use std::sync::Arc;

use super::error::{Error, Result};
use super::limits::SESSION_ID_BYTES_MAX;

/// A session's name, given by the host or generated; unique within a platform. Cheap to clone.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// Takes a host's own name: 1 to 128 bytes without control characters.
    pub fn new(text: &str) -> Result<Self> {
        if text.is_empty() || text.len() > SESSION_ID_BYTES_MAX {
            let message = format!(
                "session id has {} bytes, expected 1 to {SESSION_ID_BYTES_MAX}",
                text.len()
            );
            return Err(Error::invalid(message).with("field", "session_id"));
        }
        if text.chars().any(char::is_control) {
            let message = "session id holds a control character";
            return Err(Error::invalid(message).with("field", "session_id"));
        }
        Ok(SessionId(Arc::from(text)))
    }

    /// A fresh random name.
    pub fn generate() -> Result<Self> {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes).map_err(|error| {
            let message = format!("no randomness for a session id: {error}");
            Error::new(super::Status::Internal, message)
        })?;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(SessionId(Arc::from(format!("ses_{hex}"))))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a clone of `other`; one that was made of the same text is not.
    pub fn is_same(&self, other: &SessionId) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One dispatched operation on the wire. Unique within a platform, never reused, never 0.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CallId(pub u64);

/// One life of one slot: a respawned worker has the same slot and a higher generation.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WorkerId {
    pub slot: u32,
    pub generation: u64,
}

impl std::fmt::Display for WorkerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}
