//! A session's variables as a host reads and writes them.
//!
//! With the memory store every call answers in place. A store that does I/O blocks the calling
//! thread for as long as it takes, which is why callers on callback threads are refused there (see
//! the C ABI).

use serde_json::{Value as Json, json};

use crate::core::{Error, Result, Status, Value};
use crate::state::{Access, Pending, RegisterVariable, Variable};
use crate::telemetry::StateVerb;

use super::session::Session;

impl Session {
    /// Adds a variable; its version is 1.
    pub fn register_variable(&self, variable: RegisterVariable) -> Result<u64> {
        let view = self.apply(StateVerb::Register, |session| {
            session.platform.services.variables.register(session.key(), variable)
        })?;
        Ok(view.version)
    }

    /// The value and its version.
    pub fn get_variable(&self, name: &str) -> Result<(Value, u64)> {
        let view = self.apply(StateVerb::Get, |session| {
            session.platform.services.variables.get(session.key(), name)
        })?;
        Ok((view.value, view.version))
    }

    /// Writes a value and gives the new version. With `expected_version`, only if that is the
    /// current one.
    pub fn set_variable(
        &self,
        name: &str,
        value: Value,
        expected_version: Option<u64>,
    ) -> Result<u64> {
        let access = Access { expected_version, owner: None };
        let view = self.apply(StateVerb::Set, |session| {
            session.platform.services.variables.set(session.key(), name, value, access)
        })?;
        Ok(view.version)
    }

    /// Takes a variable away.
    pub fn delete_variable(&self, name: &str, expected_version: Option<u64>) -> Result<()> {
        let access = Access { expected_version, owner: None };
        self.apply(StateVerb::Delete, |session| {
            session.platform.services.variables.delete(session.key(), name, access)
        })
    }

    /// The variables whose names match `pattern` (`*`, `?`; empty for all), in the order of their
    /// names.
    pub fn list_variables(&self, pattern: &str) -> Result<Vec<Variable>> {
        self.apply(StateVerb::List, |session| {
            session.platform.services.variables.list(session.key(), pattern, None, usize::MAX)
        })
    }

    /// The same as one document: an array of `{"name", "type", "version", "value", "constraints",
    /// "metadata"}`.
    pub fn describe_variables(&self, pattern: &str) -> Result<Json> {
        self.list_variables(pattern)?.iter().map(describe).collect()
    }

    fn apply<T: Send + 'static>(
        &self,
        verb: StateVerb,
        command: impl FnOnce(&Session) -> Pending<Result<T>>,
    ) -> Result<T> {
        self.check_open()?;
        self.platform.metrics.state(verb);
        self.platform.wait(command(self))
    }
}

fn describe(view: &Variable) -> Result<Json> {
    Ok(json!({
        "name": view.name().as_ref(),
        "type": view.type_name(),
        "version": view.version,
        "value": view.value.to_document()?,
        "constraints": parsed(view.constraints())?,
        "metadata": parsed(view.metadata())?,
    }))
}

/// A document that the store keeps as bytes; none is an empty object.
fn parsed(document: &[u8]) -> Result<Json> {
    if document.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(document)
        .map_err(|error| Error::new(Status::Internal, format!("stored document: {error}")))
}
