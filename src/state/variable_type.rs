//! The types a variable can have, by name.

use crate::core::nearest::suggestion;
use crate::core::{Error, Result, Status};

/// What a variable may hold.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum VariableType {
    String,
    /// -2^63 to 2^64-1, written without a fraction.
    Integer,
    /// Any finite number; one that is written as an integer stays written so.
    Float,
    Boolean,
    /// One of a closed list of scalars.
    Choice,
    /// Any document, attachments included.
    Json,
}

impl VariableType {
    /// Every type, in the order of the documentation.
    pub const ALL: [VariableType; 6] = [
        VariableType::String,
        VariableType::Integer,
        VariableType::Float,
        VariableType::Boolean,
        VariableType::Choice,
        VariableType::Json,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            VariableType::String => "string",
            VariableType::Integer => "integer",
            VariableType::Float => "float",
            VariableType::Boolean => "boolean",
            VariableType::Choice => "choice",
            VariableType::Json => "json",
        }
    }

    /// The type of a name. `Unsupported` for one that the design has and this version does not,
    /// `InvalidArgument` for any other.
    pub fn parse(name: &str) -> Result<Self> {
        if let Some(known) = VariableType::ALL.into_iter().find(|kind| kind.name() == name) {
            return Ok(known);
        }
        let known = VariableType::ALL.map(VariableType::name).join(", ");
        if PLANNED.contains(&name) {
            let message =
                format!("variable type {name:?} is not supported by this version: it has {known}");
            return Err(Error::new(Status::Unsupported, message).with("field", "type"));
        }
        let shown: String = name.chars().take(SHOWN_CHARS_MAX).collect();
        let hint = suggestion(&shown, VariableType::ALL.map(VariableType::name));
        let message = format!("no variable type {shown:?}, expected one of {known}{hint}");
        Err(Error::invalid(message).with("field", "type").with("given", shown))
    }

    /// The constraints that this type has.
    pub const fn constraint_names(self) -> &'static [&'static str] {
        match self {
            VariableType::String => &["min_length", "max_length", "pattern"],
            VariableType::Integer | VariableType::Float => &["min", "max"],
            VariableType::Choice => &["choices"],
            VariableType::Boolean | VariableType::Json => &[],
        }
    }
}

/// Types of the design that are to come.
const PLANNED: [&str; 4] = ["bytes", "program", "embedding", "tensor"];
/// Of a name that is no type.
const SHOWN_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_and_others_are_told_apart() {
        for kind in VariableType::ALL {
            assert_eq!(VariableType::parse(kind.name()).unwrap(), kind);
        }
        let error = VariableType::parse("tensor").unwrap_err();
        assert_eq!(error.status(), Status::Unsupported);
        assert!(error.message().ends_with("string, integer, float, boolean, choice, json"));
        let error = VariableType::parse("sting").unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
        assert!(error.message().ends_with("did you mean \"string\"?"), "{error}");
    }
}
