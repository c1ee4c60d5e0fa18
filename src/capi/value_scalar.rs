//! Values that are one text, number or truth, for callers that have no JSON at hand.

use std::mem::MaybeUninit;

use crate::core::tag::{NonFinite, TAG_KEY, Tag};
use crate::core::{Error, Result, Status, Value};

use super::error::spb_error;
use super::guard::{Out, guard, guard_out, null_argument};
use super::status::spb_status;
use super::text::spb_text;
use super::text_view::spb_str;
use super::value::spb_value;

/// Makes a value that is the JSON string of `text`.
///
/// Ownership: copies `text`; the caller owns `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: UTF8, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_from_text(
    text: spb_str,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    make(out, err, || Ok(text.text("text")?.into()))
}

/// Makes a value that is the integer `number`, exactly.
///
/// Ownership: the caller owns `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_from_i64(
    number: i64,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    make(out, err, || Ok(number.into()))
}

/// Makes a value that is the number `number`, with every digit that it needs to come back the same.
/// NaN and the infinities, for which JSON has no number, become {"$spb": {"float": "nan"}}, "inf"
/// or "-inf"; whether a variable takes them is for its constraint "finite" to say.
///
/// Ownership: the caller owns `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_from_f64(
    number: f64,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    make(out, err, || match NonFinite::of(number) {
        Some(named) => Ok(Tag::Float(named).to_document()),
        None => Ok(number.into()),
    })
}

/// Makes a value that is true (1) or false (0).
///
/// Ownership: the caller owns `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: INVALID_ARGUMENT for other numbers, NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_from_bool(
    truth: u8,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    make(out, err, || match truth {
        0 | 1 => Ok((truth == 1).into()),
        _ => Err(Error::invalid(format!("truth is {truth}, expected 0 or 1"))),
    })
}

/// Reads a value that is a JSON string.
///
/// Ownership: borrows `value`; the caller owns `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: TYPE_MISMATCH, NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_as_text(
    value: Option<&spb_value>,
    out: Option<&mut MaybeUninit<*mut spb_text>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let convert = |document: &serde_json::Value| document.as_str().map(spb_text::into_raw);
    read(value, out, err, "a string", convert)
}

/// Reads a value that is an integer within int64_t. A number with a fraction part or an exponent is
/// none.
///
/// Ownership: borrows `value`.
/// Threads: nonblocking, callback-safe.
/// Errors: TYPE_MISMATCH, NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_as_i64(
    value: Option<&spb_value>,
    out: Option<&mut MaybeUninit<i64>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    read(value, out, err, "an integer within int64_t", serde_json::Value::as_i64)
}

/// Reads a value that is a number; an integer becomes the nearest double, and the tag of a float
/// that is not finite becomes that float.
///
/// Ownership: borrows `value`.
/// Threads: nonblocking, callback-safe.
/// Errors: TYPE_MISMATCH, NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_as_f64(
    value: Option<&spb_value>,
    out: Option<&mut MaybeUninit<f64>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let convert = |document: &serde_json::Value| document.as_f64().or_else(|| tagged(document));
    read(value, out, err, "a number", convert)
}

/// Reads a value that is true (1) or false (0).
///
/// Ownership: borrows `value`.
/// Threads: nonblocking, callback-safe.
/// Errors: TYPE_MISMATCH, NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_as_bool(
    value: Option<&spb_value>,
    out: Option<&mut MaybeUninit<u8>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    read(value, out, err, "true or false", |document| document.as_bool().map(u8::from))
}

fn make(
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
    document: impl FnOnce() -> Result<serde_json::Value>,
) -> spb_status {
    guard_out(out, err, || {
        // Checked like any other: a text may be over the limit.
        let value = Value::from_json(document()?.to_string())?;
        Ok(spb_value::into_raw(value))
    })
}

fn read<T>(
    value: Option<&spb_value>,
    out: Option<&mut MaybeUninit<T>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
    expected: &str,
    convert: impl FnOnce(&serde_json::Value) -> Option<T>,
) -> spb_status {
    let out = Out::zeroed(out);
    guard(err, || {
        let value = value.ok_or_else(|| null_argument("value"))?;
        let out = out.required("out")?;
        let document = value.get().to_document()?;
        let converted = convert(&document).ok_or_else(|| {
            let message = format!("value is {}, expected {expected}", kind_of(&document));
            Error::new(Status::TypeMismatch, message)
        })?;
        out.put(converted);
        Ok(())
    })
}

/// The float that a tag stands for.
fn tagged(document: &serde_json::Value) -> Option<f64> {
    let inside = document.as_object()?.get(TAG_KEY)?;
    match Tag::of_inside(inside.to_string().as_bytes())? {
        Tag::Float(float) => Some(float.to_f64()),
        Tag::Attachment(_) => None,
    }
}

fn kind_of(document: &serde_json::Value) -> &'static str {
    match document {
        _ if tagged(document).is_some() => "a number that is not finite",
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "true or false",
        serde_json::Value::Number(_) => "another number",
        serde_json::Value::String(_) => "a string",
        serde_json::Value::Array(_) => "an array",
        serde_json::Value::Object(_) => "an object",
    }
}
