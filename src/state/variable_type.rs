//! The types a variable can have, by name.

use crate::core::nearest::suggestion;
use crate::core::{Error, Result};

/// What a variable may hold.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum VariableType {
    String,
    /// -2^63 to 2^64-1, written without a fraction.
    Integer,
    /// Any number; one that is written as an integer stays written so.
    Float,
    Boolean,
    /// One of a closed list of scalars.
    Choice,
    /// Any document, attachments included.
    Json,
    /// One run of bytes.
    Bytes,
    /// A program as data: an object that is not empty, attachments included.
    Program,
    /// One vector of floats, or a batch of them, one to a row.
    Embedding,
    /// One dense array.
    Tensor,
}

impl VariableType {
    /// Every type, in the order of the documentation.
    pub const ALL: [VariableType; 10] = [
        VariableType::String,
        VariableType::Integer,
        VariableType::Float,
        VariableType::Boolean,
        VariableType::Choice,
        VariableType::Json,
        VariableType::Bytes,
        VariableType::Program,
        VariableType::Embedding,
        VariableType::Tensor,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            VariableType::String => "string",
            VariableType::Integer => "integer",
            VariableType::Float => "float",
            VariableType::Boolean => "boolean",
            VariableType::Choice => "choice",
            VariableType::Json => "json",
            VariableType::Bytes => "bytes",
            VariableType::Program => "program",
            VariableType::Embedding => "embedding",
            VariableType::Tensor => "tensor",
        }
    }

    /// What a value of this type is, in the words of errors.
    pub(super) const fn expects(self) -> &'static str {
        match self {
            VariableType::String => "a string",
            VariableType::Integer => "an integer",
            VariableType::Float => "a number",
            VariableType::Boolean => "a boolean",
            VariableType::Choice => "one of its choices",
            VariableType::Json => "a document whose numbers are finite",
            VariableType::Bytes => "bytes, as one attachment",
            VariableType::Program => "an object that is not empty",
            VariableType::Embedding => "floats as one tensor of 1 or 2 dimensions",
            VariableType::Tensor => "one tensor",
        }
    }

    /// The type of a name; `InvalidArgument` for any other.
    pub fn parse(name: &str) -> Result<Self> {
        if let Some(known) = VariableType::ALL.into_iter().find(|kind| kind.name() == name) {
            return Ok(known);
        }
        let known = VariableType::ALL.map(VariableType::name).join(", ");
        let shown: String = name.chars().take(SHOWN_CHARS_MAX).collect();
        let hint = suggestion(&shown, VariableType::ALL.map(VariableType::name));
        let message = format!("no variable type {shown:?}, expected one of {known}{hint}");
        Err(Error::invalid(message).with("field", "type").with("given", shown))
    }

    /// The constraints that this type has.
    pub const fn constraint_names(self) -> &'static [&'static str] {
        match self {
            VariableType::String => &["min_length", "max_length", "pattern"],
            VariableType::Integer => &["min", "max"],
            VariableType::Float => &["min", "max", "finite"],
            VariableType::Choice => &["choices"],
            VariableType::Bytes => &["min_length", "max_length"],
            VariableType::Embedding => &["dimensions", "shape", "dtype", "finite", "normalized"],
            VariableType::Tensor => &["shape", "dtype", "finite"],
            VariableType::Boolean | VariableType::Json | VariableType::Program => &[],
        }
    }
}

/// Of a name that is no type.
const SHOWN_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Status;

    #[test]
    fn names_lead_back_and_others_are_told_apart() {
        for kind in VariableType::ALL {
            assert_eq!(VariableType::parse(kind.name()).unwrap(), kind);
        }
        let error = VariableType::parse("sting").unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
        assert!(error.message().ends_with("did you mean \"string\"?"), "{error}");
    }
}
