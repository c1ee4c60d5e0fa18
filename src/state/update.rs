//! A change of a variable in one step: what the new value is, given the current one.
//!
//! An update is a document with one key, the verb, as `{"add": 1}`. It is parsed once, and applied
//! by whoever holds the variable at the moment of the write, so that no two updates are lost in
//! each other. Pure: nothing here knows stores or versions.

use bytes::Bytes;
use jiter::Jiter;
use json_patch::PatchOperation;
use serde_json::Value as Json;

use crate::core::limits::PATCH_OPERATIONS_MAX;
use crate::core::nearest::suggestion;
use crate::core::{Attachment, Error, Result, Value};

use super::fault::{kind_of, kind_of_value, shown};
use super::number::Number;
use super::rule::Rule;

mod document;
mod growth;
mod numbers;
mod patching;

/// A change that can be applied to any value. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub struct Update {
    change: Change,
    /// What the operand refers to.
    attachments: Vec<Attachment>,
}

#[derive(Clone, Debug)]
enum Change {
    Add(Number),
    Max(Number),
    Min(Number),
    Toggle,
    /// The operand, as it was written.
    Append(Bytes),
    /// The array, as it was written.
    Extend(Bytes),
    Merge(Json),
    Patch(Vec<PatchOperation>),
}

impl Update {
    /// The update that `document` describes: an object with exactly one key out of `add`, `append`,
    /// `extend`, `max`, `merge`, `min`, `patch` and `toggle`, and what belongs to it. Else
    /// `InvalidArgument` with `details.field` `update`.
    pub fn parse(document: &Value) -> Result<Self> {
        let (verb, operand) = only_entry(document)?;
        let change = match verb.as_str() {
            "add" => Change::Add(number(&verb, &operand)?),
            "max" => Change::Max(ordered(&verb, &operand)?),
            "min" => Change::Min(ordered(&verb, &operand)?),
            "toggle" if operand.trim_ascii() == b"true" => Change::Toggle,
            "toggle" => return Err(bad_operand(&verb, &operand, "true")),
            "append" => Change::Append(operand),
            "extend" if first(&operand) == Some(b'[') => Change::Extend(operand),
            "extend" => return Err(bad_operand(&verb, &operand, "an array")),
            "merge" => Change::Merge(merge_patch(&verb, &operand)?),
            "patch" => Change::Patch(operations(&verb, &operand)?),
            _ => return Err(unknown(&verb)),
        };
        Ok(Update { change, attachments: document.attachments().to_vec() })
    }

    /// The value that comes of `current`, held against the rule of the variable `name`.
    /// `TypeMismatch` where the verb has no meaning for the current value, `Constraint` where the
    /// new value breaks one, an integer would leave 64 bits or a `test` of a patch fails,
    /// `InvalidArgument` where a patch names no place or the new value is not a document,
    /// `ResourceExhausted` where it would be too large. Nothing is changed on the way.
    pub fn apply(&self, name: &str, rule: &Rule, current: &Value) -> Result<Value> {
        let kind = rule.variable_type();
        let added = self.attachments.as_slice();
        let value = match &self.change {
            Change::Add(operand) => numbers::add(name, kind, current, *operand),
            Change::Max(operand) => numbers::keep_larger(name, kind, current, *operand),
            Change::Min(operand) => numbers::keep_smaller(name, kind, current, *operand),
            Change::Toggle => numbers::toggle(name, current),
            Change::Append(operand) => growth::append(name, current, operand, added),
            Change::Extend(operand) => growth::extend(name, current, operand, added),
            Change::Merge(patch) => document::merge(name, current, patch, added),
            Change::Patch(operations) => patching::patch(name, current, operations, added),
        }?;
        rule.check(name, &value)?;
        Ok(value)
    }
}

/// The one key of the document and what stands behind it.
fn only_entry(document: &Value) -> Result<(String, Bytes)> {
    let unreadable = |_| invalid(&format!("is {}, expected an object", kind_of_value(document)));
    let json = document.json();
    let mut jiter = Jiter::new(json);
    let Some(verb) = jiter.next_object().map_err(unreadable)?.map(str::to_owned) else {
        return Err(invalid(&format!("is empty, expected one key out of {}", VERBS.join(", "))));
    };
    let start = jiter.current_index();
    jiter.next_skip().map_err(unreadable)?;
    let operand = json.slice(start..jiter.current_index());
    match jiter.next_key().map_err(unreadable)? {
        None => Ok((verb, operand)),
        Some(second) => {
            let (verb, second) = (shown(&verb), shown(second));
            Err(invalid(&format!("has {verb:?} and {second:?}, expected one key only")))
        }
    }
}

fn number(verb: &str, operand: &[u8]) -> Result<Number> {
    Number::of_document(operand).ok_or_else(|| bad_operand(verb, operand, "a number"))
}

fn ordered(verb: &str, operand: &[u8]) -> Result<Number> {
    let number = number(verb, operand)?;
    if number.is_nan() {
        return Err(invalid(&format!("{verb:?} is nan, which is neither more nor less")));
    }
    Ok(number)
}

fn merge_patch(verb: &str, operand: &[u8]) -> Result<Json> {
    let patch = tree(verb, operand)?;
    let is_tag = crate::core::tag::Tag::of_document(operand).is_some();
    if patch.is_object() && !is_tag {
        Ok(patch)
    } else {
        Err(bad_operand(verb, operand, "an object"))
    }
}

fn operations(verb: &str, operand: &[u8]) -> Result<Vec<PatchOperation>> {
    let Json::Array(operations) = tree(verb, operand)? else {
        return Err(bad_operand(verb, operand, "an array of operations"));
    };
    if operations.len() > PATCH_OPERATIONS_MAX {
        let given = operations.len();
        let what = format!("{verb:?} has {given} operations, the limit is {PATCH_OPERATIONS_MAX}");
        return Err(invalid(&what));
    }
    let read = |(index, operation)| {
        serde_json::from_value(operation).map_err(|error| {
            let fault = shown(&error.to_string());
            invalid(&format!("{verb:?} is no JSON Patch: operation {index}: {fault}"))
        })
    };
    operations.into_iter().enumerate().map(read).collect()
}

fn tree(verb: &str, operand: &[u8]) -> Result<Json> {
    serde_json::from_slice(operand).map_err(|error| invalid(&format!("{verb:?}: {error}")))
}

fn unknown(verb: &str) -> Error {
    let verb = shown(verb);
    let hint = suggestion(&verb, VERBS);
    invalid(&format!("has the unknown verb {verb:?}, expected one of {}{hint}", VERBS.join(", ")))
}

fn bad_operand(verb: &str, operand: &[u8], expected: &str) -> Error {
    let given = tree(verb, operand).map_or("unreadable", |operand| kind_of(&operand));
    invalid(&format!("{verb:?} is {given}, expected {expected}"))
}

fn invalid(what: &str) -> Error {
    Error::invalid(format!("update {what}")).with("field", "update")
}

/// The character that tells what a document is.
fn first(document: &[u8]) -> Option<u8> {
    document.trim_ascii_start().first().copied()
}

/// What an update can do.
const VERBS: [&str; 8] = ["add", "append", "extend", "max", "merge", "min", "patch", "toggle"];

#[cfg(test)]
mod tests;
