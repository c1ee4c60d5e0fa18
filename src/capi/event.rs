//! `spb_event`: what a queue hands out and a callback is called with.
//!
//! An event owns what it carries until it is cleared. How it comes about is `item`'s business.

use std::ffi::c_void;
use std::mem::MaybeUninit;

use super::error::spb_error;
use super::guard::guard_memory;
use super::handles::{spb_invocation, spb_operation};
use super::status::spb_status;
use super::value::spb_value;

/// A chunk of a stream: `operation`, `sequence` counting from 0, `value`.
pub const SPB_EVENT_OP_CHUNK: u32 = 1;
/// The end of an operation, exactly once: `operation`, `status`, `value` or `error`, `sequence` =
/// chunks before it.
pub const SPB_EVENT_OP_DONE: u32 = 2;
/// Python calls a tool: `invocation` to answer, `value` = arguments.
pub const SPB_EVENT_TOOL_CALL: u32 = 3;
/// Nobody waits for that answer any more: `invocation`. It still has to be freed, or answered in
/// vain.
pub const SPB_EVENT_TOOL_CANCEL: u32 = 4;
/// A log record: `value`.
pub const SPB_EVENT_LOG: u32 = 5;
/// Log records were dropped, because they were not taken in time: `sequence` = how many.
pub const SPB_EVENT_OVERFLOW: u32 = 6;
/// The last event of a queue: its platform has closed.
pub const SPB_EVENT_SHUTDOWN: u32 = 7;
/// A variable that is watched: `sequence` = its version, `value` = {"kind", "name", "id",
/// "version", "revision"}, with "value" where it has one and "owner" where it was locked. The kind
/// is "initial" (without a revision), "registered", "written", "deleted", "locked" or "unlocked".
pub const SPB_EVENT_VARIABLE: u32 = 8;
/// Changes were not kept, because too many waited, or because a store lost sight of them:
/// `sequence` = how many, 0 if nobody knows; `value` = {"count", "from_revision", "to_revision"}.
/// Read what has to be current.
pub const SPB_EVENT_WATCH_MISSED: u32 = 9;
/// The last event of a watch of variables: `status` and `error` say why. CANCELLED: it was stopped.
pub const SPB_EVENT_WATCH_END: u32 = 10;
/// Another queue has events, or has ended: `tag` is what spb_queue_notify was given.
pub const SPB_EVENT_QUEUE_READABLE: u32 = 11;

/// One event. What it carries belongs to it until spb_event_clear; to keep `value` or `error`, take
/// the pointer and set the field to NULL.
#[repr(C)]
pub struct spb_event {
    /// SPB_EVENT_*. Ignore kinds that you do not know.
    pub kind: u32,
    /// How the operation or the watch ended; SPB_OK in events that are no end.
    pub status: spb_status,
    /// The tag of the sink that the event came through.
    pub tag: u64,
    /// The operation it is of, or 0. A copy: the handle that the submitting call returned is the
    /// one to free.
    pub operation: spb_operation,
    /// The tool call it is of, or 0. In SPB_EVENT_TOOL_CALL it is yours to answer or to free.
    pub invocation: spb_invocation,
    pub sequence: u64,
    pub value: *mut spb_value,
    pub error: *mut spb_error,
    pub reserved: u64,
}

/// Receives the events of one sink, one after the other, on a thread of the library. It may call
/// every function except those that wait. It must not throw or longjmp out. The event is cleared
/// when it has returned.
pub type spb_event_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, event: *mut spb_event)>;

/// Called exactly once when the library needs `user_data` no more: after the last callback has
/// returned, on a thread of the library; or, if the call that was given the sink fails, before that
/// call returns.
pub type spb_destroy_callback = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Frees what an event carries and sets it to zero. A cleared event may be cleared again; NULL is
/// allowed.
///
/// Ownership: takes `event->value` and `event->error`; the struct is the caller's.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_event_clear(event: Option<&mut MaybeUninit<spb_event>>) {
    let Some(event) = event else { return };
    // SAFETY: C passes an event that a function of this header wrote, or zeros: valid in every bit.
    let cleared = std::mem::replace(unsafe { event.assume_init_mut() }, spb_event::EMPTY);
    guard_memory((), || cleared.release());
}

impl spb_event {
    pub const EMPTY: spb_event = spb_event {
        kind: 0,
        status: 0,
        tag: 0,
        operation: spb_operation::NULL,
        invocation: spb_invocation::NULL,
        sequence: 0,
        value: std::ptr::null_mut(),
        error: std::ptr::null_mut(),
        reserved: 0,
    };

    /// Frees value and error.
    pub fn release(self) {
        if !self.value.is_null() {
            // SAFETY: an event owns its value, which `spb_value::into_raw` made.
            drop(unsafe { Box::from_raw(self.value) });
        }
        if !self.error.is_null() {
            // SAFETY: an event owns its error, which `spb_error::into_raw` made.
            drop(unsafe { Box::from_raw(self.error) });
        }
    }
}
