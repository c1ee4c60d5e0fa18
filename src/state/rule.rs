//! The rule of one variable: its type and constraints, compiled once, held against every value.
//!
//! Checking reads the document as it is, without building a tree, and never changes it. Nothing
//! here knows where variables are kept.

use std::sync::Arc;

use bytes::Bytes;
use jiter::{Jiter, Peek};

use crate::core::limits::METADATA_BYTES_MAX;
use crate::core::tag::Tag;
use crate::core::{Attachment, Error, Result, Status, Value};

use super::constraints::{Limits, object};
use super::fault::{kind_of_value, mismatch};
use super::number::Number;
use super::scalars::{
    check_choice, check_float, check_length, check_range, check_text, not_integer,
};
use super::variable_type::VariableType;

/// What values of one variable must keep. Immutable, shared by every copy of the variable.
#[derive(Debug)]
pub struct Rule {
    kind: VariableType,
    limits: Limits,
    constraints: Bytes,
}

impl Rule {
    /// The rule for a type name and a JSON object of constraints (empty: none). What the object
    /// says must be known, belong to the type, and be possible to keep.
    pub fn new(type_name: &str, constraints: &Bytes) -> Result<Arc<Self>> {
        let kind = VariableType::parse(type_name)?;
        let constraints = object_bytes(constraints);
        let limits = Limits::new(kind, &object(&constraints, "constraints")?)?;
        Ok(Arc::new(Rule { kind, limits, constraints }))
    }

    pub fn variable_type(&self) -> VariableType {
        self.kind
    }

    /// The JSON object that the rule was made from.
    pub fn constraints(&self) -> &Bytes {
        &self.constraints
    }

    /// Accepts `value` for the variable `name`. `TypeMismatch` or `Constraint` with details
    /// `variable`, `constraint`, `given` and `allowed`.
    pub fn check(&self, name: &str, value: &Value) -> Result<()> {
        match &self.limits {
            Limits::Json if !value.has_non_finite() => Ok(()),
            Limits::Bytes { length } => match sole_attachment(value) {
                Some(Attachment::Blob(bytes)) => check_length(name, bytes.len(), *length, "bytes"),
                _ => Err(self.mismatch(name, value)),
            },
            Limits::Tensor(limits) => match sole_attachment(value) {
                Some(Attachment::Tensor(tensor)) => limits.check(name, tensor),
                _ => Err(self.mismatch(name, value)),
            },
            Limits::Program if is_filled_object(value) && !value.has_non_finite() => Ok(()),
            Limits::Json | Limits::Program => Err(self.mismatch(name, value)),
            _ if !value.attachments().is_empty() => Err(self.mismatch(name, value)),
            _ => self.check_scalar(name, value),
        }
    }

    fn check_scalar(&self, name: &str, value: &Value) -> Result<()> {
        let mut jiter = Jiter::new(value.json());
        let peek = jiter.peek().map_err(|_| unreadable(name))?;
        match &self.limits {
            Limits::Boolean if matches!(peek, Peek::True | Peek::False) => Ok(()),
            Limits::Text { length, pattern } if peek == Peek::String => {
                let text = jiter.known_str().map_err(|_| unreadable(name))?;
                check_text(name, text, *length, pattern.as_ref())
            }
            Limits::Integer { min, max } if peek.is_num() => {
                let number = jiter.known_number(peek).map_err(|_| unreadable(name))?;
                match Number::of(&number).ok_or_else(|| unreadable(name))? {
                    Number::Float(float) => Err(not_integer(name, float)),
                    integer @ Number::Integer(_) => check_range(name, integer, *min, *max),
                }
            }
            Limits::Float { min, max, finite } if peek.is_num() || peek == Peek::Object => {
                let number = Number::of_document(value.json());
                let number = number.ok_or_else(|| self.mismatch(name, value))?;
                check_float(name, number, *finite, (*min, *max))
            }
            Limits::Choice { choices } if !value.has_non_finite() => {
                check_choice(name, value, choices)
            }
            _ => Err(self.mismatch(name, value)),
        }
    }

    fn mismatch(&self, name: &str, value: &Value) -> Error {
        mismatch(name, &kind_of_value(value), self.kind.expects())
    }
}

/// `{}` for what was left out; otherwise as given, in memory of its own.
pub(super) fn object_bytes(given: &Bytes) -> Bytes {
    match given.len() {
        0 => Bytes::from_static(b"{}"),
        length if length <= METADATA_BYTES_MAX => Bytes::copy_from_slice(given),
        _ => given.clone(),
    }
}

/// The attachment that is the whole of a value.
fn sole_attachment(value: &Value) -> Option<&Attachment> {
    match (value.attachments(), Tag::of_document(value.json())) {
        ([attachment], Some(Tag::Attachment(0))) => Some(attachment),
        _ => None,
    }
}

fn is_filled_object(value: &Value) -> bool {
    let mut jiter = Jiter::new(value.json());
    let has_key = matches!(jiter.next_object(), Ok(Some(_)));
    has_key && Tag::of_document(value.json()).is_none()
}

/// Values are checked where they are made, so no document gets here that cannot be read.
fn unreadable(name: &str) -> Error {
    Error::new(Status::Internal, format!("value of variable {name:?} is not a checked document"))
}

#[cfg(test)]
mod tests;
