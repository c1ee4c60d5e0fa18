//! What these tests share beside the support of all tests with workers: a platform that serves
//! given frameworks, tools with a specification, calls of any framework, and chunks as a list.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{
    ChunkOutcome, ExecuteRequest, Invocation, Operation, Platform, Session, Timeout, ToolSpec,
};
use snakepit_bridge::core::{Error, Result, Value};

#[path = "../worker/support.rs"]
#[expect(dead_code, reason = "shared with other programs of tests")]
mod worker;

pub use worker::{
    LONG, Tool, close, eventually, finish, guard, open, outcome, python, root, session,
};

/// One pool `default` of `workers` workers that serve `frameworks`, a document as in the
/// configuration; they find the modules of tests/python.
pub fn platform(workers: usize, frameworks: &Json) -> Arc<Platform> {
    open(&config(workers, frameworks))
}

/// The configuration of `platform`, to be changed before it is opened.
pub fn config(workers: usize, frameworks: &Json) -> Json {
    json!({
        "guard_path": guard(),
        "pools": {"default": {
            "workers": workers,
            "calls_per_worker": 256,
            "python": python(),
            "python_path": [root().join("tests/python")],
            "frameworks": frameworks,
        }},
    })
}

pub fn request(framework: &str, operation: &str, parameters: &Json) -> ExecuteRequest {
    ExecuteRequest {
        framework: framework.to_owned(),
        operation: operation.to_owned(),
        parameters: Some(Value::from_document(parameters)),
        timeout: Timeout::After(LONG),
        ..ExecuteRequest::default()
    }
}

/// Runs an operation of a framework to its end.
pub fn run(session: &Session, framework: &str, operation: &str, parameters: Json) -> Result<Json> {
    finish(session.prepare(request(framework, operation, &parameters))?)?.to_document()
}

/// Starts an operation that streams.
pub fn start_stream(
    session: &Session,
    framework: &str,
    operation: &str,
    parameters: &Json,
) -> Arc<Operation> {
    let request = ExecuteRequest { stream: true, ..request(framework, operation, parameters) };
    let operation = session.prepare(request).unwrap();
    operation.start(None);
    operation
}

/// All chunks of an operation, in order, up to its end.
pub fn chunks(operation: &Operation) -> Vec<Json> {
    let mut all = Vec::new();
    loop {
        match operation.next_chunk(Some(LONG)) {
            ChunkOutcome::Chunk(value) => all.push(value.to_document().unwrap()),
            ChunkOutcome::Ended => return all,
            other => panic!("{other:?}"),
        }
    }
}

/// Registers a tool for all sessions, with a schema of its arguments, whose answer is a function of
/// them.
pub fn answering<F>(platform: &Arc<Platform>, name: &str, input_schema: Json, answer: F)
where
    F: Fn(&Json) -> Result<Json, Error> + Clone + Send + Sync + 'static,
{
    let spec = ToolSpec {
        name: name.to_owned(),
        description: format!("The tool {name} of a test."),
        input_schema: Some(input_schema),
        idempotent: true,
        ..ToolSpec::default()
    };
    let sink = Tool(move |invocation: &Arc<Invocation>| {
        let arguments = invocation.arguments().to_document().unwrap();
        Some(answer(&arguments).map(|answer| Value::from_document(&answer)))
    });
    platform.register_tool(None, spec, Arc::new(sink)).unwrap();
}
