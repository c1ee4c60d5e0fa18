//! `spb_execute`: one framework operation, from the caller's options to an operation handle.

use std::mem::MaybeUninit;

use crate::api::ExecuteRequest;
use crate::core::{Error, Result};

use super::error::spb_error;
use super::guard::{Out, guard};
use super::handle_table;
use super::handles::{spb_invocation, spb_operation, spb_session};
use super::invocation::parent_of;
use super::operation::submit;
use super::options::{Options, check_flags, read};
use super::session::affinity_of;
use super::sink::{Sink, spb_sink};
use super::status::spb_status;
use super::text_view::spb_str;
use super::times::limit_ms;
use super::value::spb_value;

/// Send chunks as they come, before the result.
pub const SPB_EXECUTE_STREAM: u32 = 1;

/// What to execute. Start from SPB_EXECUTE_OPTIONS_INIT; zero means default everywhere but in the
/// two names.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_execute_options {
    pub struct_size: usize,
    /// Such as "python" or "dspy".
    pub framework: spb_str,
    /// Such as "predict"; see spb_platform_schema.
    pub operation: spb_str,
    /// A value that is an object; NULL: {}.
    pub parameters: *const spb_value,
    /// Empty: "default".
    pub pool: spb_str,
    /// From now to the end, waiting for a worker included. 0: as configured, SPB_NO_TIMEOUT: none.
    pub timeout_ms: i64,
    /// SPB_EXECUTE_*.
    pub flags: u32,
    /// Chunks that Python may send ahead of you. 0: as configured.
    pub stream_window: u32,
    /// The tool call that this is made for, or 0. It bounds the deadline and the nesting depth.
    pub parent: spb_invocation,
    /// W3C trace context of the caller; empty: the parent's, or a new one.
    pub traceparent: spb_str,
    /// SPB_AFFINITY_*, for this call. 0: as the session says.
    pub affinity: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, the size first, words and pairs of half words without padding.
unsafe impl Options for spb_execute_options {}

/// Submits one framework operation in a session. Everything wrong with the request is an error of
/// this call; SPB_OK means that exactly one end follows. The calling thread may send the call to
/// its worker: it needs a stack of 256 KiB, and pthread_cancel ends it after this has returned. The
/// same holds where a tool is called, and where a call of a tool is answered.
///
/// Ownership: copies or shares everything in `options`; the caller frees `*out` with
/// spb_operation_free; the sink's data is the library's from now on.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, CLOSED, NOT_FOUND, INVALID_ARGUMENT, TYPE_MISMATCH, CONSTRAINT, UTF8,
/// UNSUPPORTED, RESOURCE_EXHAUSTED, NULL_ARGUMENT, FORKED. The operation's own: PYTHON_EXCEPTION,
/// DEADLINE, CANCELLED, WORKER_LOST, WORKER_HUNG, SESSION_WORKER_UNAVAILABLE, BUSY, UNAVAILABLE,
/// TOOL_FAILED, PROTOCOL.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_execute(
    session: spb_session,
    options: *const spb_execute_options,
    sink: *const spb_sink,
    out: Option<&mut MaybeUninit<spb_operation>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    // SAFETY: the caller vouches for the struct.
    let sink = unsafe { Sink::take(sink) };
    guard(err, || {
        let out = out.required("out")?;
        let object = handle_table::get(session)?;
        // SAFETY: the caller vouches for the struct.
        let options = unsafe { read(options, "options") }?;
        // SAFETY: the caller vouches for the value.
        let request = unsafe { options.resolve() }?;
        let target = sink.open(&object.home)?;
        submit(object.session.prepare(request)?, target, None, out)
    })
}

impl spb_execute_options {
    /// # Safety
    /// `parameters` is NULL or a live value.
    unsafe fn resolve(&self) -> Result<ExecuteRequest> {
        check_flags(self.flags, SPB_EXECUTE_STREAM, "options.flags")?;
        let parent = parent_of(self.parent)?;
        // SAFETY: as the caller vouches.
        let parameters = unsafe { self.parameters.as_ref() };
        Ok(ExecuteRequest {
            framework: required(&self.framework, "options.framework")?,
            operation: required(&self.operation, "options.operation")?,
            parameters: parameters.map(|value| value.get().clone()),
            pool: self.pool.text("options.pool")?.to_owned(),
            affinity: affinity_of(self.affinity, self.reserved)?,
            timeout: limit_ms(self.timeout_ms, "options.timeout_ms")?,
            stream: self.flags & SPB_EXECUTE_STREAM != 0,
            stream_window: (self.stream_window != 0).then_some(self.stream_window),
            parent,
            traceparent: self.traceparent.optional_text("options.traceparent")?.map(str::to_owned),
        })
    }
}

fn required(text: &spb_str, argument: &str) -> Result<String> {
    let text = text.optional_text(argument)?;
    text.map(str::to_owned).ok_or_else(|| Error::invalid(format!("{argument} is empty")))
}
