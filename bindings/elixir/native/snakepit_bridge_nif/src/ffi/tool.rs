//! Registering tools. Must not know who answers their calls.

use super::event::sink;
use super::failure::{Outcome, call};
use super::handles::{Operation, Platform, Queue, Session, Tool};
use super::platform::submitted;
use super::sys::{self, spb_session, spb_tool, spb_tool_options};
use super::text::{optional, view};
use super::value::{Value, made};

/// See spb_tool_options.
pub struct ToolOptions<'a> {
    pub name: &'a str,
    pub description: Option<&'a str>,
    pub input_schema_json: Option<&'a str>,
    pub output_schema_json: Option<&'a str>,
    pub chunk_schema_json: Option<&'a str>,
    pub max_in_flight: u32,
    pub timeout_ms: i64,
    pub is_idempotent: bool,
}

impl Tool {
    pub fn register(
        platform: &Platform,
        session: Option<&Session>,
        options: &ToolOptions,
        queue: &Queue,
        tag: u64,
    ) -> Outcome<Tool> {
        let mut raw = spb_tool_options::init();
        raw.name = view(options.name);
        raw.description = optional(options.description);
        raw.input_schema_json = optional(options.input_schema_json);
        raw.output_schema_json = optional(options.output_schema_json);
        raw.chunk_schema_json = optional(options.chunk_schema_json);
        raw.max_in_flight = options.max_in_flight;
        raw.flags = if options.is_idempotent { sys::SPB_TOOL_IDEMPOTENT } else { 0 };
        raw.timeout_ms = options.timeout_ms;
        let sink = sink(queue, tag);
        let mut out = spb_tool { id: 0 };
        // SAFETY: everything that the structs point to lives until the call has returned.
        call(|err| unsafe {
            sys::spb_tool_register(
                platform.0,
                session_of(session),
                &raw const raw,
                &raw const sink,
                &raw mut out,
                err,
            )
        })?;
        Ok(Tool(out))
    }

    pub fn unregister(&self, queue: &Queue, tag: u64) -> Outcome<Operation> {
        let sink = sink(queue, tag);
        // SAFETY: the sink is read during the call, the outputs are ours.
        submitted(|out, err| unsafe { sys::spb_tool_unregister(self.0, &raw const sink, out, err) })
    }

    pub fn list(platform: &Platform, session: Option<&Session>) -> Outcome<Value> {
        // SAFETY: the outputs are ours.
        made(|out, err| unsafe { sys::spb_tool_list(platform.0, session_of(session), out, err) })
    }
}

/// The number that stands for all sessions, or the session's.
fn session_of(session: Option<&Session>) -> spb_session {
    session.map_or(spb_session { id: 0 }, |session| session.0)
}
