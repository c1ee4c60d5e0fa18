//! The rule of one variable: its type and constraints, compiled once, held against every value.
//!
//! Checking reads the document as it is, without building a tree, and never changes it. Nothing
//! here knows where variables are kept.

use std::sync::Arc;

use bytes::Bytes;
use jiter::{Jiter, Peek};
use serde_json::{Value as Json, json};

use crate::core::limits::METADATA_BYTES_MAX;
use crate::core::{Error, Result, Status, Value};

use super::constraints::{Limits, object};
use super::fault::{kind_of, mismatch, shown, shown_json, violation};
use super::number::Number;
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
        if matches!(self.limits, Limits::Anything) {
            return Ok(());
        }
        if !value.attachments().is_empty() {
            return Err(mismatch(name, "a value with attachments", self.expected()));
        }
        let mut jiter = Jiter::new(value.json());
        let peek = jiter.peek().map_err(|_| unreadable(name))?;
        match &self.limits {
            Limits::Boolean if matches!(peek, Peek::True | Peek::False) => Ok(()),
            Limits::Text { length_min, length_max, pattern } if peek == Peek::String => {
                let text = jiter.known_str().map_err(|_| unreadable(name))?;
                check_length(name, text, *length_min, *length_max)?;
                check_pattern(name, text, pattern.as_ref())
            }
            Limits::Integer { min, max } if peek.is_num() => {
                let number = read_number(name, &mut jiter, peek)?;
                if let Number::Float(float) = number {
                    return Err(not_integer(name, float));
                }
                check_range(name, number, *min, *max)
            }
            Limits::Float { min, max } if peek.is_num() => {
                check_range(name, read_number(name, &mut jiter, peek)?, *min, *max)
            }
            Limits::Choice { choices } => check_choice(name, value, choices),
            _ => Err(mismatch(name, kind_of_peek(peek), self.expected())),
        }
    }

    fn expected(&self) -> &'static str {
        match self.kind {
            VariableType::String => "a string",
            VariableType::Integer => "an integer",
            VariableType::Float => "a number",
            VariableType::Boolean => "a boolean",
            VariableType::Choice => "one of its choices",
            VariableType::Json => "any document",
        }
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

fn read_number(name: &str, jiter: &mut Jiter<'_>, peek: Peek) -> Result<Number> {
    let number = jiter.known_number(peek).map_err(|_| unreadable(name))?;
    Number::of(&number).ok_or_else(|| unreadable(name))
}

fn check_range(name: &str, given: Number, min: Option<Number>, max: Option<Number>) -> Result<()> {
    if let Some(min) = min.filter(|min| given.compare(*min).is_lt()) {
        let what = format!("was given {given}, less than its min {min}");
        return Err(violation(name, "min", given.to_json(), min.to_json(), &what));
    }
    if let Some(max) = max.filter(|max| given.compare(*max).is_gt()) {
        let what = format!("was given {given}, more than its max {max}");
        return Err(violation(name, "max", given.to_json(), max.to_json(), &what));
    }
    Ok(())
}

/// Lengths are counted in Unicode code points, as Python's `len` does.
fn check_length(name: &str, text: &str, min: Option<u64>, max: Option<u64>) -> Result<()> {
    if min.is_none() && max.is_none() {
        return Ok(());
    }
    let length = text.chars().count() as u64;
    if let Some(min) = min.filter(|min| length < *min) {
        let what = format!("was given {length} characters, fewer than its min_length {min}");
        return Err(violation(name, "min_length", json!(length), json!(min), &what));
    }
    if let Some(max) = max.filter(|max| length > *max) {
        let what = format!("was given {length} characters, more than its max_length {max}");
        return Err(violation(name, "max_length", json!(length), json!(max), &what));
    }
    Ok(())
}

/// The pattern may match anywhere, as in JSON Schema; `^` and `$` tie it to the ends.
fn check_pattern(name: &str, text: &str, pattern: Option<&regex::Regex>) -> Result<()> {
    let Some(pattern) = pattern.filter(|pattern| !pattern.is_match(text)) else { return Ok(()) };
    let (given, pattern) = (shown(text), pattern.as_str());
    let what = format!("was given {given:?}, which its pattern {pattern:?} does not match");
    Err(violation(name, "pattern", json!(given), json!(pattern), &what))
}

/// The same scalar of the same kind: 1 is neither 1.0 nor true.
fn check_choice(name: &str, value: &Value, choices: &[Json]) -> Result<()> {
    let given = value.to_document()?;
    if choices.contains(&given) {
        return Ok(());
    }
    let allowed: Vec<String> = choices.iter().map(ToString::to_string).collect();
    let told = match shown_json(&given) {
        Json::String(text) if !given.is_string() => text,
        told => told.to_string(),
    };
    let what = format!("was given {told}, expected one of {}", shown(&allowed.join(", ")));
    Err(violation(name, "choices", shown_json(&given), json!(choices), &what))
}

fn not_integer(name: &str, float: f64) -> Error {
    let hint = if float.fract() == 0.0 {
        "an integer: the same number without a fraction or exponent"
    } else {
        "an integer"
    };
    mismatch(name, &format!("the float {float:?}"), hint)
}

fn kind_of_peek(peek: Peek) -> &'static str {
    match peek {
        Peek::Null => "null",
        Peek::True | Peek::False => "a boolean",
        Peek::String => kind_of(&Json::String(String::new())),
        Peek::Array => "an array",
        Peek::Object => "an object",
        _ => "a number",
    }
}

/// Values are checked where they are made, so no document gets here that cannot be read.
fn unreadable(name: &str) -> Error {
    Error::new(Status::Internal, format!("value of variable {name:?} is not a checked document"))
}

#[cfg(test)]
mod tests;
