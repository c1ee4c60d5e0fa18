//! A change that is reckoned where the value is: read, changed and written in one step.

use serde_json::Value as Json;

use crate::core::{Error, Result, Value};

use super::rule::Rule;

/// What is to be done to a value.
#[derive(Clone, Debug)]
pub struct Update {
    merge: Json,
}

impl Update {
    /// Reads `{"merge": {…}}` (RFC 7396).
    pub fn parse(document: &Value) -> Result<Self> {
        let mut document = document.to_document()?;
        match document.get_mut("merge") {
            Some(merge) => Ok(Update { merge: merge.take() }),
            None => Err(Error::invalid("update has no key \"merge\"").with("field", "update")),
        }
    }

    /// The value after it, held against the rule of the variable `name`.
    pub fn apply(&self, name: &str, rule: &Rule, current: &Value) -> Result<Value> {
        let mut document = current.to_document()?;
        json_patch::merge(&mut document, &self.merge);
        let (_, attachments) = current.clone().into_parts();
        let value = Value::new(document.to_string(), attachments)?;
        rule.check(name, &value)?;
        Ok(value)
    }
}
