//! `spb_tool`: host functions that Python may call.

use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::api::{Timeout, ToolRef, ToolSpec};
use crate::core::{Error, Result};

use super::callback_sink::CallbackSink;
use super::error::spb_error;
use super::guard::{Out, guard, guard_or, guard_out};
use super::handle_table::{self, Handle};
use super::handles::{spb_operation, spb_platform, spb_session, spb_tool};
use super::home::Home;
use super::operation::submit;
use super::options::{Options, check_flags, read};
use super::platform::home;
use super::session::SessionObject;
use super::sink::{Sink, spb_sink};
use super::status::spb_status;
use super::target::ToolTarget;
use super::text_view::spb_str;
use super::times::limit_ms;
use super::value::spb_value;

/// It may be called again where nobody knows whether an earlier call was carried out. An idempotent
/// operation that lost its worker is sent to another one only if all host tools that it called say
/// so.
pub const SPB_TOOL_IDEMPOTENT: u32 = 1;

/// A tool as Python sees it. Start from SPB_TOOL_OPTIONS_INIT; zero means default everywhere but in
/// the name.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_tool_options {
    pub struct_size: usize,
    /// Letters, digits, '_', '-' and '.', at most 64 bytes.
    pub name: spb_str,
    /// For the agents and people that choose tools.
    pub description: spb_str,
    /// JSON Schema of the arguments, which are checked against it; empty: anything.
    pub input_schema_json: spb_str,
    /// JSON Schema of the result, which is checked against it; empty: anything.
    pub output_schema_json: spb_str,
    /// Calls that you have not answered yet; more fail with RESOURCE_EXHAUSTED. 0: as configured.
    pub max_in_flight: u32,
    /// SPB_TOOL_*.
    pub flags: u32,
    /// For each call. 0 and SPB_NO_TIMEOUT: as long as the caller has.
    pub timeout_ms: i64,
    /// JSON Schema of each chunk, which is checked against it; empty: anything.
    pub chunk_schema_json: spb_str,
}

// SAFETY: `repr(C)`, the size first, words and one pair of half words without padding.
unsafe impl Options for spb_tool_options {}

/// What a tool handle stands for.
pub struct ToolObject {
    tool: ToolRef,
    home: Arc<Home>,
    /// Taken by the first unregister.
    callback: Mutex<Option<Arc<CallbackSink>>>,
}

/// Registers a tool, for the calls of one session or, with a `session` of 0, for those of all. Its
/// calls come to the sink as SPB_EVENT_TOOL_CALL, from now on.
///
/// Ownership: copies the options; the caller frees `*out` with spb_tool_free; the sink's data is
/// the library's from now on.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, ALREADY_EXISTS, INVALID_ARGUMENT, UTF8, UNSUPPORTED, RESOURCE_EXHAUSTED, CLOSED,
/// NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_tool_register(
    platform: spb_platform,
    session: spb_session,
    options: *const spb_tool_options,
    sink: *const spb_sink,
    out: Option<&mut MaybeUninit<spb_tool>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    // SAFETY: the caller vouches for the struct.
    let sink = unsafe { Sink::take(sink) };
    guard(err, || {
        let out = out.required("out")?;
        let home = home(platform)?;
        let session = session_of(session, &home)?;
        // SAFETY: the caller vouches for the struct.
        let spec = unsafe { read(options, "options") }?.resolve()?;
        let target = sink.open_required(&home)?;
        // Weak would do, but a callback that outlives its registration by its handle is easier to
        // explain.
        let callback = Mutex::new(target.callback().cloned());
        let keeper = target.keeper();
        let session = session.as_ref().map(|object| &object.session);
        let tool = home.platform().register_tool(session, spec, Arc::new(ToolTarget(target)))?;
        out.put(handle_table::insert(Arc::new(ToolObject { tool, home, callback }))?);
        keeper.keep();
        Ok(())
    })
}

/// Starts taking a tool away: no new calls come, those under way are cancelled. When the operation
/// has ended, no callback of the tool runs or will run.
///
/// Ownership: the caller frees `*out`; the sink's data is the library's from now on.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, CLOSED, INVALID_ARGUMENT, NULL_ARGUMENT, RESOURCE_EXHAUSTED, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_tool_unregister(
    tool: spb_tool,
    sink: *const spb_sink,
    out: Option<&mut MaybeUninit<spb_operation>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    // SAFETY: the caller vouches for the struct.
    let sink = unsafe { Sink::take(sink) };
    guard(err, || {
        let out = out.required("out")?;
        let object = handle_table::get(tool)?;
        let target = sink.open(&object.home)?;
        let operation = object.tool.unregister()?;
        let callback = object.callback.lock().take();
        submit(operation, target, callback, out)
    })
}

/// Lists the tools that calls of a session can use, or those of all calls for a `session` of 0: an
/// array of {"name", "description", "side", "pool", "scope", "input_schema", "output_schema",
/// "chunk_schema", "streaming", "idempotent", "max_in_flight", "timeout_ms"}. `side` is "host", or
/// "python" for a tool that the workers of `pool` announced.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, INVALID_ARGUMENT, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_tool_list(
    platform: spb_platform,
    session: spb_session,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let home = home(platform)?;
        let session = session_of(session, &home)?;
        let session = session.as_ref().map(|object| &object.session);
        Ok(spb_value::from_document(&home.platform().tools(session)))
    })
}

/// Frees the handle; 0 and stale handles are allowed. The tool stays registered.
///
/// Ownership: takes the handle.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_tool_free(tool: spb_tool) {
    guard_or((), || drop(handle_table::remove(tool)));
}

impl spb_tool_options {
    fn resolve(&self) -> Result<ToolSpec> {
        check_flags(self.flags, SPB_TOOL_IDEMPOTENT, "options.flags")?;
        let max_in_flight = usize::try_from(self.max_in_flight).ok().filter(|max| *max > 0);
        Ok(ToolSpec {
            name: self.name.text("options.name")?.to_owned(),
            description: self.description.text("options.description")?.to_owned(),
            input_schema: schema(&self.input_schema_json, "options.input_schema_json")?,
            output_schema: schema(&self.output_schema_json, "options.output_schema_json")?,
            chunk_schema: schema(&self.chunk_schema_json, "options.chunk_schema_json")?,
            max_in_flight,
            timeout: timeout(self.timeout_ms)?,
            idempotent: self.flags & SPB_TOOL_IDEMPOTENT != 0,
        })
    }
}

fn schema(json: &spb_str, argument: &str) -> Result<Option<serde_json::Value>> {
    let Some(text) = json.optional_text(argument)? else { return Ok(None) };
    let schema = serde_json::from_str(text);
    schema.map(Some).map_err(|error| Error::invalid(format!("{argument} is not JSON: {error}")))
}

fn timeout(timeout_ms: i64) -> Result<Option<Duration>> {
    Ok(match limit_ms(timeout_ms, "options.timeout_ms")? {
        Timeout::Default | Timeout::Never => None,
        Timeout::After(time) => Some(time),
    })
}

/// The session behind a handle, which has to be of this platform; none for 0.
fn session_of(session: spb_session, home: &Arc<Home>) -> Result<Option<Arc<SessionObject>>> {
    if session.id() == 0 {
        return Ok(None);
    }
    let object = handle_table::get(session)?;
    if Arc::ptr_eq(&object.home, home) {
        return Ok(Some(object));
    }
    Err(Error::invalid("session belongs to another platform"))
}
