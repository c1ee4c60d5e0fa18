//! `spb_invocation`: one call of a host tool, answered once from any thread.

use std::mem::MaybeUninit;
use std::sync::Arc;

use crate::api::Invocation;
use crate::core::{Error, Result, Status};

use super::error::spb_error;
use super::guard::{guard, guard_or, guard_out};
use super::handle_table::{self, Handle};
use super::handles::spb_invocation;
use super::options::{Options, check_flags, check_reserved, read};
use super::status::spb_status;
use super::text_view::spb_str;
use super::uncancelled::send;
use super::value::{required, spb_value};

/// The same call may succeed later.
pub const SPB_FAILURE_RETRYABLE: u32 = 1;

/// Why a tool failed. Start from SPB_FAILURE_OPTIONS_INIT.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_failure_options {
    pub struct_size: usize,
    /// SPB_E_*; 0: TOOL_FAILED.
    pub status: spb_status,
    /// SPB_FAILURE_*.
    pub flags: u32,
    /// What Python raises.
    pub message: spb_str,
    /// A JSON object for programs; empty: none.
    pub details_json: spb_str,
    pub reserved: u64,
}

// SAFETY: `repr(C)`, the size first, words and one pair of half words without padding.
unsafe impl Options for spb_failure_options {}

/// What an invocation handle stands for.
pub struct InvocationObject {
    invocation: Arc<Invocation>,
}

impl InvocationObject {
    pub fn new(invocation: Arc<Invocation>) -> Self {
        InvocationObject { invocation }
    }

    pub fn invocation(&self) -> &Arc<Invocation> {
        &self.invocation
    }
}

/// The tool call that options name as the parent of what they start; none for 0.
pub(super) fn parent_of(invocation: spb_invocation) -> Result<Option<Arc<Invocation>>> {
    match invocation.id() {
        0 => Ok(None),
        _ => Ok(Some(handle_table::get(invocation)?.invocation().clone())),
    }
}

/// Describes the call: {"tool", "session", "operation", "traceparent", "deadline_remaining_ms",
/// "stream", "depth"}.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_invocation_info(
    invocation: spb_invocation,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        Ok(spb_value::from_document(&handle_table::get(invocation)?.invocation.info()))
    })
}

/// Hands out the arguments again; the event had them too.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_invocation_args(
    invocation: spb_invocation,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let arguments = handle_table::get(invocation)?.invocation.arguments().clone();
        Ok(spb_value::into_raw(arguments))
    })
}

/// Says whether nobody waits for the answer any more: 1 or 0.
///
/// Ownership: none.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_invocation_is_cancelled(
    invocation: spb_invocation,
    out: Option<&mut MaybeUninit<u8>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || Ok(handle_table::get(invocation)?.invocation.is_cancelled().into()))
}

/// Sends a chunk ahead of the answer, to a caller that asked for chunks ("stream" in
/// spb_invocation_info).
///
/// Ownership: shares `chunk`, which stays the caller's.
/// Threads: nonblocking, callback-safe.
/// Errors: AGAIN when the caller is 256 chunks behind, STATE when it wants none, INVALID_ARGUMENT
/// for one that breaks the tool's chunk schema, CANCELLED, ALREADY_COMPLETED, HANDLE,
/// NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_invocation_emit(
    invocation: spb_invocation,
    chunk: Option<&spb_value>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard(err, || {
        let object = handle_table::get(invocation)?;
        let chunk = required(chunk, "chunk")?;
        send(|| object.invocation.emit(chunk))
    })
}

/// Answers with a result. After this, or after a refusal because it is too late, the handle is
/// gone; a result that breaks the tool's output schema is refused and may be corrected.
///
/// Ownership: shares `result`, which stays the caller's; takes the handle.
/// Threads: nonblocking, callback-safe.
/// Errors: CANCELLED when nobody waits any more, ALREADY_COMPLETED or HANDLE when it was answered
/// before, INVALID_ARGUMENT, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_invocation_complete(
    invocation: spb_invocation,
    result: Option<&spb_value>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard(err, || {
        let object = handle_table::get(invocation)?;
        let result = required(result, "result")?;
        release_if_over(invocation, send(|| object.invocation.complete(result)))
    })
}

/// Answers with a failure, which Python gets as an exception.
///
/// Ownership: copies the options; takes the handle.
/// Threads: nonblocking, callback-safe.
/// Errors: CANCELLED when nobody waits any more, ALREADY_COMPLETED or HANDLE when it was answered
/// before, INVALID_ARGUMENT, UTF8, UNSUPPORTED, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_invocation_fail(
    invocation: spb_invocation,
    options: *const spb_failure_options,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard(err, || {
        let object = handle_table::get(invocation)?;
        // SAFETY: the caller vouches for the struct.
        let failure = unsafe { read(options, "options") }?.resolve()?;
        release_if_over(invocation, send(|| object.invocation.fail(failure)))
    })
}

/// Frees the handle; 0 and stale handles are allowed. Without an answer before, Python's side fails
/// at once.
///
/// Ownership: takes the handle.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_invocation_free(invocation: spb_invocation) {
    guard_or((), || {
        if let Some(object) = handle_table::remove(invocation) {
            object.invocation.abandon();
        }
    });
}

/// The handle goes with the answer, unless the answer may be given again.
fn release_if_over(invocation: spb_invocation, answered: Result<()>) -> Result<()> {
    let is_over = match &answered {
        Ok(()) => true,
        Err(error) => matches!(error.status(), Status::Cancelled | Status::AlreadyCompleted),
    };
    if is_over {
        handle_table::remove(invocation);
    }
    answered
}

impl spb_failure_options {
    fn resolve(&self) -> Result<Error> {
        check_flags(self.flags, SPB_FAILURE_RETRYABLE, "options.flags")?;
        check_reserved(self.reserved, "options.reserved")?;
        let status = match Status::from_code(self.status) {
            Status::Ok => Status::ToolFailed,
            status if status.code() == self.status => status,
            _ => {
                let message = format!("options.status {} is none of SPB_E_*", self.status);
                return Err(Error::invalid(message));
            }
        };
        let message = self.message.optional_text("options.message")?;
        let message = message.unwrap_or("the tool gave no reason");
        let error = Error::new(status, message).retryable(self.flags & SPB_FAILURE_RETRYABLE != 0);
        match self.details_json.optional_text("options.details_json")? {
            None => Ok(error),
            Some(details) => {
                let details = serde_json::from_str(details).map_err(|error| {
                    let message = format!("options.details_json is not a JSON object: {error}");
                    Error::invalid(message)
                })?;
                Ok(error.with_details(details))
            }
        }
    }
}
