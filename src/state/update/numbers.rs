//! Updates that calculate: `add`, `max`, `min`, and `toggle`.
//!
//! Integers stay exact or are refused; floats follow IEEE 754 in double precision. Only for a
//! variable of type `float` may a sum of integers become a float.

use std::cmp::Ordering;

use serde_json::json;

use crate::core::{Error, Result, Value};

use super::super::fault::{kind_of_value, unfit, violation};
use super::super::number::Number;
use super::super::variable_type::VariableType;

/// The sum.
pub fn add(name: &str, kind: VariableType, current: &Value, operand: Number) -> Result<Value> {
    let held = number(name, "add", kind, current, operand)?;
    let sum = held.plus(operand);
    if let Some(value) = sum.to_value() {
        return Ok(value);
    }
    let as_float = Number::Float(held.nearest() + operand.nearest());
    match as_float.to_value() {
        Some(value) if kind == VariableType::Float => Ok(value),
        _ => Err(overflow(name, sum)),
    }
}

/// The larger of the two; the current one where they are equal, or where it is NaN.
pub fn keep_larger(
    name: &str,
    kind: VariableType,
    current: &Value,
    operand: Number,
) -> Result<Value> {
    keep(name, "max", kind, (current, operand), Ordering::Less)
}

/// The smaller of the two; the current one where they are equal, or where it is NaN.
pub fn keep_smaller(
    name: &str,
    kind: VariableType,
    current: &Value,
    operand: Number,
) -> Result<Value> {
    keep(name, "min", kind, (current, operand), Ordering::Greater)
}

/// The other truth.
pub fn toggle(name: &str, current: &Value) -> Result<Value> {
    match current.json().trim_ascii() {
        b"true" => Ok(Value::from_document(&json!(false))),
        b"false" => Ok(Value::from_document(&json!(true))),
        _ => Err(unfit(name, "toggle", &kind_of_value(current), "a boolean")),
    }
}

/// The operand replaces what stands in this order to it.
fn keep(
    name: &str,
    verb: &str,
    kind: VariableType,
    (current, operand): (&Value, Number),
    replaced: Ordering,
) -> Result<Value> {
    let held = number(name, verb, kind, current, operand)?;
    if held.is_nan() || held.compare(operand) != replaced {
        return Ok(current.clone());
    }
    operand.to_value().ok_or_else(|| overflow(name, operand))
}

/// The number that the variable holds, if the operand goes with it.
fn number(
    name: &str,
    verb: &str,
    kind: VariableType,
    current: &Value,
    operand: Number,
) -> Result<Number> {
    if kind == VariableType::Integer && matches!(operand, Number::Float(_)) {
        return Err(unfit(name, verb, &format!("the float {operand}"), "an integer"));
    }
    let held = Number::of_document(current.json());
    held.ok_or_else(|| unfit(name, verb, &kind_of_value(current), "a number"))
}

fn overflow(name: &str, sum: Number) -> Error {
    let what = format!("would become {sum}, which does not fit 64 bits");
    violation(name, "range", sum.to_json(), json!([i64::MIN, u64::MAX]), &what)
}
