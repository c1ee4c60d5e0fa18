//! Submitting operations and tool calls. Must not know who hears of their ends.

use super::event::{parent, sink};
use super::failure::Outcome;
use super::handles::{Invocation, Operation, Queue, Session};
use super::platform::submitted;
use super::sys::{self, spb_execute_options, spb_tool_call_options};
use super::text::{optional, view};
use super::value::{Value, pointer};

/// See spb_execute_options; texts are empty and numbers 0 for defaults.
pub struct ExecuteOptions<'a> {
    pub framework: &'a str,
    pub operation: &'a str,
    pub parameters: Option<&'a Value>,
    pub pool: Option<&'a str>,
    pub timeout_ms: i64,
    pub is_stream: bool,
    pub window: u32,
    pub parent: Option<&'a Invocation>,
    pub traceparent: Option<&'a str>,
    pub affinity: u32,
}

/// See spb_tool_call_options.
pub struct ToolCallOptions<'a> {
    pub name: &'a str,
    pub arguments: Option<&'a Value>,
    pub pool: Option<&'a str>,
    pub timeout_ms: i64,
    pub is_stream: bool,
    pub window: u32,
    pub parent: Option<&'a Invocation>,
    pub traceparent: Option<&'a str>,
}

impl Session {
    pub fn execute(&self, options: &ExecuteOptions, queue: &Queue, tag: u64) -> Outcome<Operation> {
        let mut raw = spb_execute_options::init();
        raw.framework = view(options.framework);
        raw.operation = view(options.operation);
        raw.parameters = pointer(options.parameters);
        raw.pool = optional(options.pool);
        raw.timeout_ms = options.timeout_ms;
        raw.flags = if options.is_stream { sys::SPB_EXECUTE_STREAM } else { 0 };
        raw.stream_window = options.window;
        raw.parent = parent(options.parent);
        raw.traceparent = optional(options.traceparent);
        raw.affinity = options.affinity;
        let sink = sink(queue, tag);
        // SAFETY: everything that the structs point to lives until the call has returned.
        submitted(|out, err| unsafe {
            sys::spb_execute(self.0, &raw const raw, &raw const sink, out, err)
        })
    }

    pub fn call_tool(
        &self,
        options: &ToolCallOptions,
        queue: &Queue,
        tag: u64,
    ) -> Outcome<Operation> {
        let mut raw = spb_tool_call_options::init();
        raw.name = view(options.name);
        raw.arguments = pointer(options.arguments);
        raw.pool = optional(options.pool);
        raw.timeout_ms = options.timeout_ms;
        raw.flags = if options.is_stream { sys::SPB_TOOL_CALL_STREAM } else { 0 };
        raw.stream_window = options.window;
        raw.parent = parent(options.parent);
        raw.traceparent = optional(options.traceparent);
        let sink = sink(queue, tag);
        // SAFETY: as above.
        submitted(|out, err| unsafe {
            sys::spb_tool_call(self.0, &raw const raw, &raw const sink, out, err)
        })
    }
}
