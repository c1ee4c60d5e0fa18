//! Tools that this side offers, and the answers to their calls.

use rustler::{Env, LocalPid, ResourceArc, Term};

use crate::address::Address;
use crate::codec::{ValueResource, answer, done};
use crate::ffi::status_number;
use crate::ffi::{Failure, FailureOptions, Outcome, SPB_E_INVALID_ARGUMENT, Tool, ToolOptions};
use crate::home::Entry;
use crate::options::{Options, consume};
use crate::resources::{
    InvocationResource, OperationResource, PlatformResource, SessionResource, ToolResource,
};

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
            let last_of = Some(tool.tag);
            OperationResource::begin(env, &tool.home, to, (None, last_of), |queue, tag| {
                handle.unregister(queue, tag)
            })
        }
    };
    if submitted.is_ok() {
        tool.watched.end(&tool, Some(env));
    }
    answer(env, submitted)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn tool_list(env: Env, platform: Platform, session: Session) -> Term {
    let session = session.as_ref().map(|session| &session.handle);
    answer(env, term_of(env, Tool::list(&platform.handle, session)))
}

#[rustler::nif]
fn invocation_claim(env: Env, invocation: Invocation, pid: LocalPid) -> Term {
    InvocationResource::claim(&invocation, env, &pid);
    done(env, Ok(()))
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
fn invocation_emit(env: Env, invocation: Invocation, chunk: ResourceArc<ValueResource>) -> Term {
    consume(env, 1);
    done(env, invocation.handle.emit(&chunk.0))
}

#[rustler::nif]
fn invocation_complete(
    env: Env,
    invocation: Invocation,
    result: ResourceArc<ValueResource>,
) -> Term {
    consume(env, 1);
    done(env, InvocationResource::answer(&invocation, env, |call| call.complete(&result.0)))
}

#[rustler::nif]
fn invocation_fail<'a>(env: Env<'a>, invocation: Invocation, options: Term<'a>) -> Term<'a> {
    consume(env, 1);
    let failed = Options::new(options).and_then(|options| {
        let failure = FailureOptions {
            status: status_of(&options)?,
            is_retryable: options.flag("retryable")?,
            message: options.text("message")?.unwrap_or_default(),
            details_json: options.text("details")?,
        };
        InvocationResource::answer(&invocation, env, |call| call.fail(&failure))
    });
    done(env, failed)
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
    let tool = ToolResource::new(tag, home, Address::new(to.0, to.1));
    home.enter(tag, Entry::Tool(tool.clone()))?;
    let is_owned = tool.watched.begin(&tool, env, &owner);
    let session = session.as_ref().map(|session| &session.handle);
    match Tool::register(&platform.handle, session, &wanted, &home.queue, tag) {
        Ok(handle) => {
            tool.is_registered(handle, is_owned);
            Ok(tool)
        }
        Err(failure) => {
            tool.watched.end(&tool, Some(env));
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
