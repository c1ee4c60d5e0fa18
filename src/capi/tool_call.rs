//! `spb_tool_call`: a tool called by its name, one of the host's or one of Python's.

use std::mem::MaybeUninit;

use crate::api::ToolRequest;
use crate::core::{Error, Result};

use super::error::spb_error;
use super::guard::{Out, guard};
use super::handle_table::{self, Handle};
use super::handles::{spb_invocation, spb_operation, spb_session};
use super::operation::submit;
use super::options::{Options, check_flags, read};
use super::sink::{Sink, spb_sink};
use super::status::spb_status;
use super::text_view::spb_str;
use super::times::limit_ms;
use super::value::spb_value;

/// Send chunks as they come, before the result.
pub const SPB_TOOL_CALL_STREAM: u32 = 1;

/// Which tool to call. Start from SPB_TOOL_CALL_OPTIONS_INIT; zero means default everywhere but in
/// the name.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_tool_call_options {
    pub struct_size: usize,
    /// See spb_tool_list.
    pub name: spb_str,
    /// A value that is an object; NULL: {}.
    pub arguments: *const spb_value,
    /// The pool whose tool is meant. Empty: the host's own tool of that name; if it has none, that
    /// of "default", then of the other pools in the order of their names.
    pub pool: spb_str,
    /// From now to the end. 0: as configured, SPB_NO_TIMEOUT: none. A tool's own time may be less.
    pub timeout_ms: i64,
    /// SPB_TOOL_CALL_*.
    pub flags: u32,
    /// Chunks that Python may send ahead of you. 0: as configured.
    pub stream_window: u32,
    /// The tool call that this is made for, or 0. It bounds the deadline and the nesting depth.
    pub parent: spb_invocation,
    /// W3C trace context of the caller; empty: the parent's, or a new one.
    pub traceparent: spb_str,
}

// SAFETY: `repr(C)`, the size first, words and one pair of half words without padding.
unsafe impl Options for spb_tool_call_options {}

/// Calls a tool in a session. Everything wrong with the request is an error of this call; SPB_OK
/// means that exactly one end follows, with the tool's result. A host tool's call comes to the sink
/// that it was registered with, like one from Python.
///
/// Ownership: copies or shares everything in `options`; the caller frees `*out` with
/// spb_operation_free; the sink's data is the library's from now on.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, CLOSED, NOT_FOUND, UNAVAILABLE, INVALID_ARGUMENT, UTF8, UNSUPPORTED,
/// RESOURCE_EXHAUSTED, NULL_ARGUMENT, FORKED. The operation's own: TOOL_FAILED and what a host tool
/// failed with, PYTHON_EXCEPTION, INVALID_ARGUMENT, DEADLINE, CANCELLED, WORKER_LOST, WORKER_HUNG,
/// BUSY, UNAVAILABLE, RESOURCE_EXHAUSTED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_tool_call(
    session: spb_session,
    options: *const spb_tool_call_options,
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
        submit(object.session.call_tool(request)?, target, None, out)
    })
}

impl spb_tool_call_options {
    /// # Safety
    /// `arguments` is NULL or a live value.
    unsafe fn resolve(&self) -> Result<ToolRequest> {
        check_flags(self.flags, SPB_TOOL_CALL_STREAM, "options.flags")?;
        let parent = match self.parent.id() {
            0 => None,
            _ => Some(handle_table::get(self.parent)?.invocation().clone()),
        };
        let name = self.name.optional_text("options.name")?;
        let name = name.ok_or_else(|| Error::invalid("options.name is empty"))?;
        // SAFETY: as the caller vouches.
        let arguments = unsafe { self.arguments.as_ref() };
        Ok(ToolRequest {
            name: name.to_owned(),
            arguments: arguments.map(|value| value.get().clone()),
            pool: self.pool.text("options.pool")?.to_owned(),
            timeout: limit_ms(self.timeout_ms, "options.timeout_ms")?,
            stream: self.flags & SPB_TOOL_CALL_STREAM != 0,
            stream_window: (self.stream_window != 0).then_some(self.stream_window),
            parent,
            traceparent: self.traceparent.optional_text("options.traceparent")?.map(str::to_owned),
        })
    }
}
