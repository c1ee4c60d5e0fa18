//! What a host says of a tool when it registers it, and the rules for that.

use std::time::Duration;

use crate::core::limits::{TOOL_DESCRIPTION_BYTES_MAX, TOOL_NAME_BYTES_MAX};
use crate::core::{Error, Result, Schema};

/// A tool as the host describes it.
#[derive(Clone, Debug, Default)]
pub struct ToolSpec {
    /// A letter or digit, then letters, digits, `_`, `-` and `.`; at most 64 bytes.
    pub name: String,
    /// For the agents and people that choose tools.
    pub description: String,
    /// JSON Schema of the arguments object. None: anything.
    pub input_schema: Option<serde_json::Value>,
    /// JSON Schema of the result. None: anything.
    pub output_schema: Option<serde_json::Value>,
    /// JSON Schema of each chunk that it emits. None: anything.
    pub chunk_schema: Option<serde_json::Value>,
    /// Unanswered calls at once. None: the platform's default.
    pub max_in_flight: Option<usize>,
    /// For each call. None: as long as the caller has.
    pub timeout: Option<Duration>,
    /// It may be called again where nobody knows whether an earlier call was carried out. Only then
    /// an operation that called it may be sent to a second worker.
    pub idempotent: bool,
}

/// A spec that passed, with its schemas compiled.
#[derive(Debug)]
pub struct CheckedSpec {
    pub name: String,
    pub description: String,
    pub input: Option<Schema>,
    pub output: Option<Schema>,
    pub chunk: Option<Schema>,
    pub max_in_flight: usize,
    pub timeout: Option<Duration>,
    pub idempotent: bool,
}

impl ToolSpec {
    /// Checks everything; errors name the field.
    pub fn checked(self, default_in_flight_max: usize) -> Result<CheckedSpec> {
        check_name(&self.name)?;
        if self.description.len() > TOOL_DESCRIPTION_BYTES_MAX {
            let given = self.description.len();
            let message =
                format!("description has {given} bytes, the limit is {TOOL_DESCRIPTION_BYTES_MAX}");
            return Err(Error::invalid(message).with("field", "description"));
        }
        let compile = |schema: Option<serde_json::Value>, which: &str| {
            let what = format!("{which} of tool {:?}", self.name);
            schema.map(|schema| Schema::compile(schema, &what)).transpose()
        };
        Ok(CheckedSpec {
            input: compile(self.input_schema, "input_schema")?,
            output: compile(self.output_schema, "output_schema")?,
            chunk: compile(self.chunk_schema, "chunk_schema")?,
            max_in_flight: self.max_in_flight.unwrap_or(default_in_flight_max),
            timeout: self.timeout,
            idempotent: self.idempotent,
            name: self.name,
            description: self.description,
        })
    }
}

fn check_name(name: &str) -> Result<()> {
    let mut characters = name.chars();
    let starts_well = characters.next().is_some_and(|first| first.is_ascii_alphanumeric());
    let goes_on_well =
        characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if starts_well && goes_on_well && name.len() <= TOOL_NAME_BYTES_MAX {
        return Ok(());
    }
    let message = format!(
        "tool name {name:?} is not a letter or digit followed by letters, digits, '_', '-' or '.', \
         at most {TOOL_NAME_BYTES_MAX} bytes"
    );
    Err(Error::invalid(message).with("field", "name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for (name, good) in [
            ("lookup", true),
            ("a.b-c_9", true),
            ("9lives", true),
            ("", false),
            ("_x", false),
            ("two words", false),
            ("é", false),
            (&"x".repeat(65), false),
        ] {
            let spec = ToolSpec { name: name.to_owned(), ..ToolSpec::default() };
            assert_eq!(spec.checked(1).is_ok(), good, "{name}");
        }
    }
}
