//! Operations and tool calls with one answer.

use rustler::{Env, LocalPid, ResourceArc, Term};

use crate::codec::{answer, done, with_optional_value};
use crate::ffi::{ExecuteOptions, Outcome, SPB_E_HANDLE, ToolCallOptions, Value, cancel, state};
use crate::options::{Options, consume};
use crate::resources::{InvocationResource, SessionResource};
use crate::submission::submit;

use super::sessions::AFFINITIES;

#[rustler::nif]
fn execute<'a>(
    env: Env<'a>,
    session: ResourceArc<SessionResource>,
    options: Term<'a>,
    parameters: Term<'a>,
    pid: LocalPid,
    reference: Term<'a>,
) -> Term<'a> {
    consume(env, 1);
    with_optional_value(env, parameters, |parameters| {
        let submitted = Options::new(options).and_then(|options| {
            let parent = parent_of(&options)?;
            let request = execute_options(&options, parameters, &parent)?;
            submit(env, &session.platform, (pid, reference), |queue, tag| {
                session.handle.execute(&request, queue, tag)
            })
        });
        answer(env, submitted)
    })
}

#[rustler::nif]
fn tool_call<'a>(
    env: Env<'a>,
    session: ResourceArc<SessionResource>,
    options: Term<'a>,
    arguments: Term<'a>,
    pid: LocalPid,
    reference: Term<'a>,
) -> Term<'a> {
    consume(env, 1);
    with_optional_value(env, arguments, |arguments| {
        let submitted = Options::new(options).and_then(|options| {
            let parent = parent_of(&options)?;
            let request = tool_call_options(&options, arguments, &parent)?;
            submit(env, &session.platform, (pid, reference), |queue, tag| {
                session.handle.call_tool(&request, queue, tag)
            })
        });
        answer(env, submitted)
    })
}

#[rustler::nif]
fn operation_cancel(env: Env, operation: u64) -> Term {
    done(env, unless_ended(cancel(operation), ()))
}

#[rustler::nif]
fn operation_state(env: Env, operation: u64) -> Term {
    answer(
        env,
        unless_ended(state(operation), DONE).map(|state| match state {
            DONE => atoms::done(),
            RUNNING => atoms::running(),
            _ => atoms::queued(),
        }),
    )
}

/// An operation's number means nothing from its end on.
fn unless_ended<T>(outcome: Outcome<T>, ended: T) -> Outcome<T> {
    match outcome {
        Err(failure) if failure.status() == SPB_E_HANDLE => Ok(ended),
        outcome => outcome,
    }
}

type Parent = Option<ResourceArc<InvocationResource>>;

pub fn parent_of(options: &Options) -> Outcome<Parent> {
    options.resource("parent")
}

pub fn execute_options<'t, 'a: 't>(
    options: &Options<'a>,
    parameters: Option<&'t Value>,
    parent: &'t Parent,
) -> Outcome<ExecuteOptions<'t>> {
    Ok(ExecuteOptions {
        framework: options.required("framework")?,
        operation: options.required("operation")?,
        parameters,
        pool: options.text("pool")?,
        timeout_ms: options.time_ms("timeout")?,
        is_stream: false,
        window: 0,
        parent: parent.as_ref().map(|parent| &parent.handle),
        traceparent: options.text("traceparent")?,
        affinity: options.choice("affinity", &AFFINITIES)?,
    })
}

pub fn tool_call_options<'t, 'a: 't>(
    options: &Options<'a>,
    arguments: Option<&'t Value>,
    parent: &'t Parent,
) -> Outcome<ToolCallOptions<'t>> {
    Ok(ToolCallOptions {
        name: options.required("name")?,
        arguments,
        pool: options.text("pool")?,
        timeout_ms: options.time_ms("timeout")?,
        is_stream: false,
        window: 0,
        parent: parent.as_ref().map(|parent| &parent.handle),
        traceparent: options.text("traceparent")?,
    })
}

mod atoms {
    rustler::atoms! { queued, running, done }
}

/// SPB_OPERATION_RUNNING and SPB_OPERATION_DONE.
const RUNNING: u32 = 2;
const DONE: u32 = 3;
