//! `spb_error`: a failure as C reads it.
//!
//! All texts are made when the error is handed out, so that a view costs nothing and cannot fail.

use crate::core::{Error, Status};

use super::guard::guard_memory;
use super::status::spb_status;
use super::text_view::{NulText, spb_str};

/// A failure with its circumstances. Owned by whoever received it; immutable, so any thread may
/// read it.
pub struct spb_error {
    error: Error,
    message: NulText,
    python_type: NulText,
    python_traceback: NulText,
    details_json: NulText,
}

impl spb_error {
    pub fn new(error: Error) -> Self {
        let python = error.python();
        let text = |text: Option<&String>| {
            text.map_or_else(NulText::default, |text| NulText::new(text.as_bytes()))
        };
        spb_error {
            message: NulText::new(error.message().as_bytes()),
            python_type: text(python.map(|python| &python.type_name)),
            python_traceback: text(python.map(|python| &python.traceback)),
            details_json: NulText::new(details(&error).to_string().as_bytes()),
            error,
        }
    }

    pub fn into_raw(error: Error) -> *mut spb_error {
        Box::into_raw(Box::new(spb_error::new(error)))
    }

    pub fn message(&self) -> &str {
        self.error.message()
    }

    pub fn status(&self) -> Status {
        self.error.status()
    }
}

/// The details, with the exceptions behind the exception added.
fn details(error: &Error) -> serde_json::Value {
    let mut details = error.details().clone();
    if let Some(python) = error.python()
        && !python.causes.is_empty()
    {
        let causes = python.causes.iter().map(
            |(type_name, message)| serde_json::json!({ "type": type_name, "message": message }),
        );
        details.insert("python_causes".to_owned(), causes.collect());
    }
    serde_json::Value::Object(details)
}

/// The status of an error; SPB_OK for NULL.
///
/// Ownership: borrows `error`.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_error_status(error: Option<&spb_error>) -> spb_status {
    guard_memory(Status::Internal.code(), || error.map_or(Status::Ok, spb_error::status).code())
}

/// What went wrong, as a lower-case fragment that names the thing; empty for NULL.
///
/// Ownership: a view that lives as long as `error`.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_error_message(error: Option<&spb_error>) -> spb_str {
    view(error, |error| &error.message)
}

/// The qualified type of the Python exception behind the error, such as "builtins.ValueError";
/// empty if none.
///
/// Ownership: a view that lives as long as `error`.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_error_python_type(error: Option<&spb_error>) -> spb_str {
    view(error, |error| &error.python_type)
}

/// The formatted Python traceback, ending with the exception line; empty if none.
///
/// Ownership: a view that lives as long as `error`.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_error_python_traceback(error: Option<&spb_error>) -> spb_str {
    view(error, |error| &error.python_traceback)
}

/// The circumstances for programs, a JSON object; "{}" if there are none, empty for NULL.
///
/// Ownership: a view that lives as long as `error`.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_error_details_json(error: Option<&spb_error>) -> spb_str {
    view(error, |error| &error.details_json)
}

/// Whether the same call may succeed later without a change: 1 or 0.
///
/// Ownership: borrows `error`.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_error_retryable(error: Option<&spb_error>) -> u8 {
    guard_memory(0, || error.is_some_and(|error| error.error.is_retryable()).into())
}

/// Frees an error; NULL is allowed.
///
/// Ownership: takes `error`; its views end.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_error_free(error: Option<Box<spb_error>>) {
    guard_memory((), || drop(error));
}

fn view(error: Option<&spb_error>, text: impl Fn(&spb_error) -> &NulText) -> spb_str {
    guard_memory(spb_str::EMPTY, || error.map_or(spb_str::EMPTY, |error| text(error).view()))
}
