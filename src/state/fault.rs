//! What stores and rules refuse, in one set of words, so that every store refuses alike.

use serde_json::{Value as Json, json};

use crate::core::limits::NAMES_COMPARED_MAX;
use crate::core::nearest::suggestion;
use crate::core::tag::Tag;
use crate::core::{Attachment, Error, SessionId, Status, Value};

use super::key::SessionKey;
use super::variable::Lock;

/// No variable of that name; `known` are the names there are, to find what was meant.
pub fn not_found<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let hint = suggestion(name, known.take(NAMES_COMPARED_MAX));
    Error::new(Status::NotFound, format!("no variable {name:?} in this session{hint}"))
        .with("variable", name)
}

/// A variable of that name is registered already.
pub fn already_exists(name: &str) -> Error {
    Error::new(Status::AlreadyExists, format!("variable {name:?} is registered already"))
        .with("variable", name)
}

/// The writer counted on another version.
pub fn version_conflict(name: &str, expected: u64, actual: u64) -> Error {
    let message = format!("variable {name:?} is at version {actual}, expected {expected}");
    Error::new(Status::VersionConflict, message)
        .with("variable", name)
        .with("expected", expected)
        .with("actual", actual)
}

/// Another owner has the variable.
pub fn locked(name: &str, lock: &Lock) -> Error {
    let expires_in_ms = u64::try_from(lock.expires_in.as_millis()).unwrap_or(u64::MAX);
    let owner = shown(&lock.owner);
    let message = format!("variable {name:?} is locked by {owner:?} for {expires_in_ms} ms more");
    Error::new(Status::Busy, message)
        .retryable(true)
        .with("variable", name)
        .with("owner", owner)
        .with("expires_in_ms", expires_in_ms)
}

/// The version to go back to is not among those that are kept.
pub fn version_not_kept(name: &str, version: u64, kept: &[u64], current: u64) -> Error {
    let message = format!(
        "variable {name:?} has no version {version} any more: {} earlier ones are kept, the \
         current one is {current}",
        kept.len()
    );
    Error::new(Status::NotFound, message)
        .with("variable", name)
        .with("version", version)
        .with("versions", kept.to_vec())
}

/// The session has ended, for this host at least.
pub fn session_closed(session: &SessionKey) -> Error {
    Error::new(Status::Closed, format!("session {} is closed", session.id))
        .with("session", session.id.as_str())
}

/// The store was closed, with its platform.
pub fn store_closed() -> Error {
    Error::new(Status::Closed, "the store is closed")
}

/// No session of that name is in the store.
pub fn no_session(id: &SessionId) -> Error {
    Error::new(Status::NotFound, format!("no session {id} is open")).with("session", id.as_str())
}

/// A session of that name is in the store.
pub fn session_exists(id: &SessionId) -> Error {
    Error::new(Status::AlreadyExists, format!("session {id} is open already"))
        .with("session", id.as_str())
}

/// The write would make the session larger than it may be.
pub fn no_room(name: &str, bytes: usize, bytes_max: usize) -> Error {
    let message =
        format!("variable {name:?} would make the session {bytes} bytes, the limit is {bytes_max}");
    Error::new(Status::ResourceExhausted, message)
        .retryable(false)
        .with("variable", name)
        .with("bytes", bytes)
        .with("limit", bytes_max)
}

/// The session holds as many variables as it may.
pub fn full(name: &str, variables_max: usize) -> Error {
    let message =
        format!("variable {name:?} is one too many: a session has at most {variables_max}");
    Error::new(Status::ResourceExhausted, message)
        .retryable(false)
        .with("variable", name)
        .with("limit", variables_max)
}

/// The value is of another kind than the variable.
pub(super) fn mismatch(name: &str, given: &str, expected: &str) -> Error {
    let message = format!("variable {name:?} was given {given}, expected {expected}");
    Error::new(Status::TypeMismatch, message)
        .with("variable", name)
        .with("constraint", "type")
        .with("given", given)
        .with("allowed", expected)
}

/// The verb of an update has no meaning for what the variable holds, or for its own operand.
pub(super) fn unfit(name: &str, verb: &str, given: &str, expected: &str) -> Error {
    let message = format!("update {verb:?} of variable {name:?} met {given}, expected {expected}");
    Error::new(Status::TypeMismatch, message)
        .with("variable", name)
        .with("constraint", verb)
        .with("given", given)
        .with("allowed", expected)
}

/// The value breaks a constraint; `what` says how, behind the variable's name.
pub(super) fn violation(
    name: &str,
    constraint: &str,
    given: Json,
    allowed: Json,
    what: &str,
) -> Error {
    Error::new(Status::Constraint, format!("variable {name:?} {what}"))
        .with("variable", name)
        .with("constraint", constraint)
        .with("given", given)
        .with("allowed", allowed)
}

/// A constraint that cannot be.
pub(super) fn bad_constraint(constraint: &str, what: &str) -> Error {
    Error::invalid(format!("constraint {constraint:?} {what}"))
        .with("field", "constraints")
        .with("constraint", constraint)
}

/// A text in an error: short, and marked where it is cut.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The kind of a JSON value, with its article.
pub(super) fn kind_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(number) if number.is_f64() => "a float",
        Json::Number(_) => "an integer",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

/// The kind of a whole value, with its article: what its tag stands for, or its document.
pub(super) fn kind_of_value(value: &Value) -> String {
    let attachments = value.attachments();
    match Tag::of_document(value.json()) {
        Some(Tag::Float(float)) => return format!("the float {}", float.name()),
        Some(Tag::Attachment(number)) if attachments.len() == 1 => match attachments.get(number) {
            Some(Attachment::Tensor(tensor)) => {
                let (dtype, shape) = (tensor.dtype().name(), tensor.shape());
                return format!("a tensor of {dtype} and shape {shape:?}");
            }
            Some(Attachment::Blob(_)) => return "bytes".to_owned(),
            None => {}
        },
        _ => {}
    }
    let kind = match first_of(value) {
        _ if !attachments.is_empty() => "a value with attachments",
        _ if value.has_non_finite() => "a document with a float that is not finite",
        Some(b'{') if is_empty_object(value) => "an empty object",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    };
    kind.to_owned()
}

fn first_of(value: &Value) -> Option<u8> {
    value.json().trim_ascii_start().first().copied()
}

fn is_empty_object(value: &Value) -> bool {
    matches!(jiter::Jiter::new(value.json()).next_object(), Ok(None))
}

/// A scalar in an error's details.
pub(super) fn shown_json(value: &Json) -> Json {
    match value {
        Json::String(text) => json!(shown(text)),
        Json::Array(_) | Json::Object(_) => json!(kind_of(value)),
        other => other.clone(),
    }
}

/// Of a text in an error.
const SHOWN_CHARS_MAX: usize = 64;
