//! Tools that this side offers, and the answers to their calls.

use rustler::{Env, LocalPid, ResourceArc, Term};

use crate::codec::{answer, done, with_value};
use crate::ffi::status_number;
use crate::ffi::{Failure, FailureOptions, Outcome, SPB_E_INVALID_ARGUMENT, Tool, ToolOptions};
use crate::home::{Call, Entry};
use crate::options::{Options, consume};
use crate::resources::{InvocationResource, PlatformResource, SessionResource, ToolResource};
use crate::submission::submit_call;

use super::platforms::term_of;

type Platform = ResourceArc<PlatformResource>;
type Session = Option<ResourceArc<SessionResource>>;
type Invocation = ResourceArc<InvocationResource>;

#[rustler::nif(schedule = "DirtyCpu")]
fn tool_register<'a>(
    env: Env<'a>,
    platform: Platform,
    session: Session,
    options: Term<'a>,
    pid: LocalPid,
    reference: Term<'a>,
) -> Term<'a> {
    let registered = Options::new(options)
        .and_then(|options| register(env, &platform, &session, &options, (pid, reference)));
    answer(env, registered)
}

#[rustler::nif]
fn tool_unregister<'a>(
    env: Env<'a>,
    tool: ResourceArc<ToolResource>,
    pid: LocalPid,
    reference: Term<'a>,
) -> Term<'a> {
    consume(env, 1);
    let to = (pid, reference);
    let submitted = match tool.handle() {
        None => Err(Failure::closed("the tool")),
        Some(handle) => {
            let call = Call { last_of: Some(tool.tag), ..Call::default() };
            submit_call(env, &tool.home, to, call, |queue, tag| handle.unregister(queue, tag))
        }
    };
    if submitted.is_ok() {
        ToolResource::unwatch(&tool, env);
    }
    answer(env, submitted)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn tool_list(env: Env, platform: Platform, session: Session) -> Term {
    let session = session.as_ref().map(|session| &session.handle);
    answer(env, term_of(env, Tool::list(&platform.handle, session)))
}

#[rustler::nif]
fn tool_take(env: Env, tool: ResourceArc<ToolResource>, id: u64) -> Term {
    answer(env, ToolResource::take(&tool, id))
}

#[rustler::nif]
fn tool_refuse<'a>(
    env: Env<'a>,
    tool: ResourceArc<ToolResource>,
    id: u64,
    options: Term<'a>,
) -> Term<'a> {
    consume(env, 1);
    let failure = Options::new(options).and_then(|options| failure_of(&options));
    done(env, failure.and_then(|failure| tool.refuse(id, &failure)))
}

#[rustler::nif]
fn invocation_info(env: Env, invocation: Invocation) -> Term {
    answer(env, term_of(env, invocation.handle.info()))
}

#[rustler::nif(name = "invocation_cancelled?")]
fn invocation_is_cancelled(invocation: Invocation) -> bool {
    invocation.handle.is_cancelled()
}

#[rustler::nif]
fn invocation_emit<'a>(env: Env<'a>, invocation: Invocation, chunk: Term<'a>) -> Term<'a> {
    consume(env, 1);
    with_value(env, chunk, |chunk| done(env, invocation.handle.emit(chunk)))
}

#[rustler::nif]
fn invocation_complete<'a>(env: Env<'a>, invocation: Invocation, result: Term<'a>) -> Term<'a> {
    consume(env, 1);
    with_value(env, result, |result| done(env, invocation.handle.complete(result)))
}

#[rustler::nif]
fn invocation_fail<'a>(env: Env<'a>, invocation: Invocation, options: Term<'a>) -> Term<'a> {
    consume(env, 1);
    let failure = Options::new(options).and_then(|options| failure_of(&options));
    done(env, failure.and_then(|failure| invocation.handle.fail(&failure)))
}

fn failure_of<'a>(options: &Options<'a>) -> Outcome<FailureOptions<'a>> {
    Ok(FailureOptions {
        status: status_of(options)?,
        is_retryable: options.flag("retryable")?,
        message: options.text("message")?.unwrap_or_default(),
        details_json: options.text("details")?,
    })
}

fn register<'a>(
    env: Env<'a>,
    platform: &Platform,
    session: &Session,
    options: &Options<'a>,
    to: (LocalPid, Term<'a>),
) -> Outcome<ResourceArc<ToolResource>> {
    let wanted = ToolOptions {
        name: options.required("name")?,
        description: options.text("description")?,
        input_schema_json: options.text("input_schema")?,
        output_schema_json: options.text("output_schema")?,
        chunk_schema_json: options.text("chunk_schema")?,
        max_in_flight: options.number("max_in_flight")?,
        timeout_ms: options.time_ms("timeout")?,
        is_idempotent: options.flag("idempotent")?,
    };
    let (home, owner) = (&platform.home, options.pid("owner")?.unwrap_or(to.0));
    let tag = home.tag();
    let tool = ToolResource::new(tag, home, owner, to);
    home.enter(tag, Entry::Tool(tool.clone()))?;
    let is_owned = ToolResource::watch(&tool, env);
    let session = session.as_ref().map(|session| &session.handle);
    match Tool::register(&platform.handle, session, &wanted, &home.queue, tag) {
        Ok(handle) => {
            tool.is_registered(handle, is_owned);
            Ok(tool)
        }
        Err(failure) => {
            ToolResource::unwatch(&tool, env);
            drop(home.leave(tag));
            Err(failure)
        }
    }
}

/// The number of a status atom; absent 0, which is TOOL_FAILED.
fn status_of(options: &Options) -> Outcome<i32> {
    let Some(term) = options.get("status") else { return Ok(0) };
    let name = term.atom_to_string().unwrap_or_default();
    status_number(&name).filter(|status| *status != 0).ok_or_else(|| {
        Failure::own(SPB_E_INVALID_ARGUMENT, format!("status {term:?} is no status of a failure"))
    })
}
