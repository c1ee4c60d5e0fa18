//! Updates that add to an array or a text: `append` and `extend`.
//!
//! Done on the documents as they are written: what is there already is copied, not read, so that it
//! stays the same to the last byte and a long list costs no tree.

use bytes::Bytes;

use crate::core::{Attachment, Result, Value};

use super::super::fault::{kind_of_value, unfit};
use super::{document, first};

/// One more element of an array, or more text behind a text.
pub fn append(name: &str, current: &Value, operand: &[u8], added: &[Attachment]) -> Result<Value> {
    match (first(current.json()), first(operand)) {
        (Some(b'['), _) => {
            let operand = document::renumbered(operand, current.attachments().len(), added)?;
            joined(name, current, operand.trim_ascii(), added)
        }
        (Some(b'"'), Some(b'"')) => {
            let parts = [inside(current.json()), inside(operand)];
            made(name, [b"\"".as_slice(), &parts.concat(), b"\""].concat(), current, added)
        }
        (Some(b'"'), _) => {
            let operand = Value::new(Bytes::copy_from_slice(operand), added.to_vec())?;
            Err(unfit(name, "append", &kind_of_value(&operand), "a string"))
        }
        _ => Err(unfit(name, "append", &kind_of_value(current), "an array or a string")),
    }
}

/// More elements of an array. `operand` is an array.
pub fn extend(name: &str, current: &Value, operand: &[u8], added: &[Attachment]) -> Result<Value> {
    if first(current.json()) != Some(b'[') {
        return Err(unfit(name, "extend", &kind_of_value(current), "an array"));
    }
    let operand = document::renumbered(operand, current.attachments().len(), added)?;
    joined(name, current, inside(&operand).trim_ascii(), added)
}

/// The array with more elements, which are written as `elements`.
fn joined(name: &str, current: &Value, elements: &[u8], added: &[Attachment]) -> Result<Value> {
    let held = inside(current.json());
    let is_any_empty = held.trim_ascii().is_empty() || elements.is_empty();
    let comma = if is_any_empty { b"".as_slice() } else { b"," };
    made(name, [b"[".as_slice(), held, comma, elements, b"]"].concat(), current, added)
}

fn made(name: &str, json: Vec<u8>, current: &Value, added: &[Attachment]) -> Result<Value> {
    let attachments = [current.attachments(), added].concat();
    Value::new(json, attachments).map_err(|error| error.with("variable", name))
}

/// What is between the brackets or the quotes.
fn inside(document: &[u8]) -> &[u8] {
    let document = document.trim_ascii();
    document.get(1..document.len().saturating_sub(1)).unwrap_or_default()
}
