//! A session's variables as a host reads and writes them, several at a time, and as documents.

use crate::core::limits::PAGE_MAX;
use crate::core::{Error, Result, Value};
use crate::state::{Variable, Write};
use crate::telemetry::StateVerb;

use super::session::Session;
use super::variable_document;

impl Session {
    /// Reads several at one moment: those there are, in the order of the names, and the names of
    /// those there are not.
    pub fn get_variables(&self, names: &[String]) -> Result<(Vec<Variable>, Vec<String>)> {
        self.apply(StateVerb::GetMany, |at| at.variables().get_many(at.key(), names))
    }

    /// Writes several values, all or none, and gives the variables as they are then. An error is
    /// the first faulty write's. `owner` gets past its own locks.
    pub fn set_variables(&self, writes: Vec<Write>, owner: Option<&str>) -> Result<Vec<Variable>> {
        self.apply(StateVerb::SetMany, |at| at.variables().set_many(at.key(), writes, owner))
    }

    /// The variables whose names match `pattern` (`*`, `?`; empty for all), in the order of their
    /// names.
    pub fn list_variables(&self, pattern: &str) -> Result<Vec<Variable>> {
        self.listed(pattern, None, usize::MAX)
    }

    /// One page of them: at most `limit` (0: `PAGE_MAX`), from the name behind `after`.
    pub fn list_variables_page(
        &self,
        pattern: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Variable>> {
        if limit > PAGE_MAX {
            let message = format!("limit is {limit}, expected at most {PAGE_MAX}");
            return Err(Error::invalid(message).with("field", "limit"));
        }
        self.listed(pattern, after, if limit == 0 { PAGE_MAX } else { limit })
    }

    /// As `list_variables`, as one document: an array of `{"name", "type", "id", "version",
    /// "value", "constraints", "metadata"}`, and `"lock": {"owner", "expires_in_ms"}` where there
    /// is one.
    pub fn describe_variables(&self, pattern: &str) -> Result<Value> {
        variable_document::variables(&self.list_variables(pattern)?)
    }

    fn listed(&self, pattern: &str, after: Option<&str>, limit: usize) -> Result<Vec<Variable>> {
        self.apply(StateVerb::List, |at| at.variables().list(at.key(), pattern, after, limit))
    }
}
