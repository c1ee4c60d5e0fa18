//! The checks of texts, numbers and choices against compiled constraints.
//!
//! Each is handed what was read from the document, and knows neither documents nor rules.

use regex::Regex;
use serde_json::{Value as Json, json};

use crate::core::{Error, Result, Value};

use super::constraints::Span;
use super::fault::{mismatch, shown, shown_json, violation};
use super::number::Number;

/// Lengths are counted in Unicode code points, as Python's `len` does.
pub(super) fn check_text(
    name: &str,
    text: &str,
    length: Span,
    pattern: Option<&Regex>,
) -> Result<()> {
    if length.min.is_some() || length.max.is_some() {
        check_length(name, text.chars().count(), length, "characters")?;
    }
    check_pattern(name, text, pattern)
}

/// `unit` is what was counted.
pub(super) fn check_length(name: &str, length: usize, span: Span, unit: &str) -> Result<()> {
    let length = length as u64;
    if let Some(min) = span.min.filter(|min| length < *min) {
        let what = format!("was given {length} {unit}, fewer than its min_length {min}");
        return Err(violation(name, "min_length", json!(length), json!(min), &what));
    }
    if let Some(max) = span.max.filter(|max| length > *max) {
        let what = format!("was given {length} {unit}, more than its max_length {max}");
        return Err(violation(name, "max_length", json!(length), json!(max), &what));
    }
    Ok(())
}

/// A float, its own constraint first.
pub(super) fn check_float(
    name: &str,
    given: Number,
    finite: bool,
    (min, max): (Option<Number>, Option<Number>),
) -> Result<()> {
    if finite && !given.nearest().is_finite() {
        let what = format!("was given {given}, which is not finite");
        return Err(violation(name, "finite", given.to_json(), json!(true), &what));
    }
    let bound = min.map(|min| ("min", min)).or(max.map(|max| ("max", max)));
    if let Some((constraint, bound)) = bound.filter(|_| given.is_nan()) {
        let what = format!("was given nan, which obeys no bound, and its {constraint} is {bound}");
        return Err(violation(name, constraint, given.to_json(), bound.to_json(), &what));
    }
    check_range(name, given, min, max)
}

/// Not for NaN, which has no order.
pub(super) fn check_range(
    name: &str,
    given: Number,
    min: Option<Number>,
    max: Option<Number>,
) -> Result<()> {
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

/// The pattern may match anywhere, as in JSON Schema; `^` and `$` tie it to the ends.
fn check_pattern(name: &str, text: &str, pattern: Option<&Regex>) -> Result<()> {
    let Some(pattern) = pattern.filter(|pattern| !pattern.is_match(text)) else { return Ok(()) };
    let (given, pattern) = (shown(text), pattern.as_str());
    let what = format!("was given {given:?}, which its pattern {pattern:?} does not match");
    Err(violation(name, "pattern", json!(given), json!(pattern), &what))
}

/// The same scalar of the same kind: 1 is neither 1.0 nor true.
pub(super) fn check_choice(name: &str, value: &Value, choices: &[Json]) -> Result<()> {
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

pub(super) fn not_integer(name: &str, float: f64) -> Error {
    let hint = if float.fract() == 0.0 {
        "an integer: the same number without a fraction or exponent"
    } else {
        "an integer"
    };
    mismatch(name, &format!("the float {float:?}"), hint)
}
