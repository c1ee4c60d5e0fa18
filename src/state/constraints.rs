//! Constraints as they are written, checked and compiled once, when a variable is registered.

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value as Json};

use crate::core::limits::{
    METADATA_BYTES_MAX, PATTERN_BYTES_MAX, PATTERN_COMPILED_BYTES_MAX, VALUE_BYTES_MAX,
};
use crate::core::nearest::suggestion;
use crate::core::{Error, Result};

use super::fault::{bad_constraint, kind_of, shown};
use super::number::Number;
use super::tensor_limits::TensorLimits;
use super::variable_type::VariableType;

/// What values of one variable must keep.
#[derive(Debug)]
pub(super) enum Limits {
    Text { length: Span, pattern: Option<Regex> },
    Integer { min: Option<Number>, max: Option<Number> },
    Float { min: Option<Number>, max: Option<Number>, finite: bool },
    Boolean,
    Choice { choices: Vec<Json> },
    Json,
    Bytes { length: Span },
    Program,
    Tensor(TensorLimits),
}

/// How long a text or a run of bytes may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub min: Option<u64>,
    pub max: Option<u64>,
}

/// A JSON object of at most `METADATA_BYTES_MAX`; `what` names it in errors.
pub(super) fn object(document: &[u8], what: &str) -> Result<Map<String, Json>> {
    if document.len() > METADATA_BYTES_MAX {
        let given = document.len();
        let message = format!("{what} has {given} bytes, the limit is {METADATA_BYTES_MAX}");
        return Err(Error::invalid(message).with("field", what));
    }
    crate::core::json::check(document, 0).map_err(|error| {
        let message = format!("{what}: {}", error.message());
        Error::new(error.status(), message)
            .with_details(error.details().clone())
            .with("field", what)
    })?;
    match serde_json::from_slice(document) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(other) => {
            let message = format!("{what} is {}, expected an object", kind_of(&other));
            Err(Error::invalid(message).with("field", what))
        }
        Err(error) => Err(Error::invalid(format!("{what}: {error}")).with("field", what)),
    }
}

impl Limits {
    /// Compiles the constraints of a variable. Unknown ones, those of other types and those that
    /// no value could keep are refused.
    pub fn new(kind: VariableType, constraints: &Map<String, Json>) -> Result<Self> {
        for name in constraints.keys() {
            check_name(kind, name)?;
        }
        let get = |name: &str| constraints.get(name);
        match kind {
            VariableType::String => Ok(Limits::Text {
                length: span(get("min_length"), get("max_length"), "characters")?,
                pattern: get("pattern").map(compile).transpose()?,
            }),
            VariableType::Integer => {
                let (min, max) = bounds(get("min"), get("max"), integer_bound)?;
                Ok(Limits::Integer { min, max })
            }
            VariableType::Float => {
                let (min, max) = bounds(get("min"), get("max"), number_bound)?;
                Ok(Limits::Float { min, max, finite: flag("finite", get("finite"), true)? })
            }
            VariableType::Boolean => Ok(Limits::Boolean),
            VariableType::Choice => choices(get("choices")),
            VariableType::Json => Ok(Limits::Json),
            VariableType::Bytes => {
                Ok(Limits::Bytes { length: span(get("min_length"), get("max_length"), "bytes")? })
            }
            VariableType::Program => Ok(Limits::Program),
            VariableType::Embedding => TensorLimits::embedding(constraints).map(Limits::Tensor),
            VariableType::Tensor => TensorLimits::tensor(constraints).map(Limits::Tensor),
        }
    }
}

/// `true`, `false`, or what holds where nothing is said.
pub(super) fn flag(name: &str, given: Option<&Json>, otherwise: bool) -> Result<bool> {
    match given {
        None => Ok(otherwise),
        Some(Json::Bool(flag)) => Ok(*flag),
        Some(other) => {
            Err(bad_constraint(name, &format!("is {}, expected true or false", kind_of(other))))
        }
    }
}

fn check_name(kind: VariableType, name: &str) -> Result<()> {
    let own = kind.constraint_names();
    if own.contains(&name) {
        return Ok(());
    }
    let of_other = VariableType::ALL.iter().any(|kind| kind.constraint_names().contains(&name));
    let type_name = kind.name();
    let has = if own.is_empty() { "none".to_owned() } else { own.join(", ") };
    if of_other {
        let what = format!("does not apply to variables of type {type_name}, which have {has}");
        return Err(bad_constraint(name, &what));
    }
    let name = shown(name);
    let hint = suggestion(&name, own.iter().copied());
    let what = format!("is unknown: variables of type {type_name} have {has}{hint}");
    Err(bad_constraint(&name, &what))
}

/// `unit` is what is counted.
fn span(min: Option<&Json>, max: Option<&Json>, unit: &str) -> Result<Span> {
    let min = min.map(|bound| length("min_length", bound, unit)).transpose()?;
    let max = max.map(|bound| length("max_length", bound, unit)).transpose()?;
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        let what = format!("is {min}, more than max_length, which is {max}");
        return Err(bad_constraint("min_length", &what));
    }
    if let Some(min) = min.filter(|min| *min > VALUE_BYTES_MAX as u64) {
        let what = format!("is {min}, and no value has more than {VALUE_BYTES_MAX} bytes");
        return Err(bad_constraint("min_length", &what));
    }
    Ok(Span { min, max })
}

fn length(name: &str, bound: &Json, unit: &str) -> Result<u64> {
    bound.as_u64().ok_or_else(|| {
        let given = shown(&bound.to_string());
        bad_constraint(name, &format!("is {given}, expected a count of {unit}"))
    })
}

/// Linear in time whatever the pattern, and bounded in memory.
fn compile(pattern: &Json) -> Result<Regex> {
    let Json::String(pattern) = pattern else {
        let what = format!("is {}, expected a regular expression as a string", kind_of(pattern));
        return Err(bad_constraint("pattern", &what));
    };
    if pattern.len() > PATTERN_BYTES_MAX {
        let what = format!("has {} bytes, the limit is {PATTERN_BYTES_MAX}", pattern.len());
        return Err(bad_constraint("pattern", &what));
    }
    RegexBuilder::new(pattern).size_limit(PATTERN_COMPILED_BYTES_MAX).build().map_err(|error| {
        // The crate draws the place over several lines; the last one says what is wrong.
        let drawn = error.to_string();
        let fault = drawn.lines().last().unwrap_or_default().trim_start_matches("error: ");
        bad_constraint("pattern", &format!("is no regular expression: {fault}"))
    })
}

type Bounds = (Option<Number>, Option<Number>);

fn bounds(
    min: Option<&Json>,
    max: Option<&Json>,
    read: fn(&str, &Json) -> Result<Number>,
) -> Result<Bounds> {
    let min = min.map(|bound| read("min", bound)).transpose()?;
    let max = max.map(|bound| read("max", bound)).transpose()?;
    if let (Some(min), Some(max)) = (min, max)
        && min.compare(max).is_gt()
    {
        return Err(bad_constraint("min", &format!("is {min}, more than max, which is {max}")));
    }
    Ok((min, max))
}

fn number_bound(name: &str, bound: &Json) -> Result<Number> {
    let number = if let Json::Number(number) = bound { Number::of_json(number) } else { None };
    number.ok_or_else(|| bad_constraint(name, &format!("is {}, expected a number", kind_of(bound))))
}

fn integer_bound(name: &str, bound: &Json) -> Result<Number> {
    match number_bound(name, bound)? {
        integer @ Number::Integer(_) => Ok(integer),
        float @ Number::Float(_) => {
            Err(bad_constraint(name, &format!("is {float}, expected an integer")))
        }
    }
}

fn choices(choices: Option<&Json>) -> Result<Limits> {
    let refuse = |what: &str| Err(bad_constraint("choices", what));
    let Some(choices) = choices else {
        return refuse("is missing: variables of type choice have a list of scalars");
    };
    let Json::Array(choices) = choices else {
        return refuse(&format!("is {}, expected an array of scalars", kind_of(choices)));
    };
    if choices.is_empty() {
        return refuse("is empty: no value could be allowed");
    }
    for (index, choice) in choices.iter().enumerate() {
        if matches!(choice, Json::Array(_) | Json::Object(_)) {
            return refuse(&format!("has {} at [{index}], expected scalars", kind_of(choice)));
        }
        if choices.iter().take(index).any(|earlier| earlier == choice) {
            return refuse(&format!("has the same value twice, again at [{index}]"));
        }
    }
    Ok(Limits::Choice { choices: choices.clone() })
}
