//! Operations and tool calls with one answer.

use rustler::{Env, LocalPid, ResourceArc, Term};

use crate::codec::{ValueResource, answer, done};
use crate::ffi::{ExecuteOptions, Outcome, ToolCallOptions};
use crate::options::{Options, consume};
use crate::resources::{InvocationResource, OperationResource, SessionResource};

use super::sessions::AFFINITIES;

type Value = Option<ResourceArc<ValueResource>>;

#[rustler::nif]
fn execute<'a>(
    env: Env<'a>,
    session: ResourceArc<SessionResource>,
    options: Term<'a>,
    parameters: Value,
    pid: LocalPid,
    reference: Term<'a>,
) -> Term<'a> {
    consume(env, 1);
    let submitted = Options::new(options).and_then(|options| {
        let parent = parent_of(&options)?;
        let request = execute_options(&options, &parameters, &parent)?;
        let to = (pid, reference);
        OperationResource::submit(env, &session.platform, to, |queue, tag| {
            session.handle.execute(&request, queue, tag)
        })
    });
    answer(env, submitted)
}

#[rustler::nif]
fn tool_call<'a>(
    env: Env<'a>,
    session: ResourceArc<SessionResource>,
    options: Term<'a>,
    arguments: Value,
    pid: LocalPid,
    reference: Term<'a>,
) -> Term<'a> {
    consume(env, 1);
    let submitted = Options::new(options).and_then(|options| {
        let parent = parent_of(&options)?;
        let request = tool_call_options(&options, &arguments, &parent)?;
        let to = (pid, reference);
        OperationResource::submit(env, &session.platform, to, |queue, tag| {
            session.handle.call_tool(&request, queue, tag)
        })
    });
    answer(env, submitted)
}

#[rustler::nif]
fn operation_cancel(env: Env, operation: ResourceArc<OperationResource>) -> Term {
    done(env, operation.handle().map_or(Ok(()), |handle| handle.cancel()))
}

#[rustler::nif]
fn operation_state(env: Env, operation: ResourceArc<OperationResource>) -> Term {
    let state = operation.handle().map_or(Ok(0), |handle| handle.state());
    answer(
        env,
        state.map(|state| match state {
            DONE => atoms::done(),
            RUNNING => atoms::running(),
            _ => atoms::queued(),
        }),
    )
}

type Parent = Option<ResourceArc<InvocationResource>>;

pub fn parent_of(options: &Options) -> Outcome<Parent> {
    options.resource("parent")
}

pub fn execute_options<'t, 'a: 't>(
    options: &Options<'a>,
    parameters: &'t Value,
    parent: &'t Parent,
) -> Outcome<ExecuteOptions<'t>> {
    Ok(ExecuteOptions {
        framework: options.required("framework")?,
        operation: options.required("operation")?,
        parameters: parameters.as_ref().map(|value| &value.0),
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
    arguments: &'t Value,
    parent: &'t Parent,
) -> Outcome<ToolCallOptions<'t>> {
    Ok(ToolCallOptions {
        name: options.required("name")?,
        arguments: arguments.as_ref().map(|value| &value.0),
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
