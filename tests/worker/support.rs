//! What the tests with real Python workers share: a platform on the checkout's own interpreter,
//! calls that wait, tools that are closures. Nothing here asserts on behalf of a test.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{
    ExecuteRequest, Invocation, Operation, Platform, Session, SessionOptions, TakeOutcome, Timeout,
    ToolSink, ToolSpec,
};
use snakepit_bridge::core::{Error, Result, Value};

/// Far beyond what anything here takes; reaching it is a failure.
pub const LONG: Duration = Duration::from_secs(60);

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The interpreter that `make setup` prepared, or the one that `SPB_PYTHON` names.
pub fn python() -> PathBuf {
    let given = std::env::var_os("SPB_PYTHON").map(PathBuf::from);
    let python = given.unwrap_or_else(|| root().join(".venv/bin/python"));
    assert!(python.exists(), "{} is missing: run `make setup`", python.display());
    python
}

/// The guard that cargo built beside this test.
pub fn guard() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_snakepit-guard"))
}

/// A configuration with one pool whose workers know `spb_testmod`.
pub fn config(workers: usize, calls_per_worker: usize) -> Json {
    json!({
        "guard_path": guard(),
        "pools": {"default": {
            "workers": workers,
            "calls_per_worker": calls_per_worker,
            "python": python(),
            "python_path": [root().join("tests/python")],
            "frameworks": {"python": {"modules": ["spb_testmod"]}},
        }},
    })
}

pub fn open(config: &Json) -> Arc<Platform> {
    let platform = Platform::open(config.to_string().as_bytes()).unwrap();
    finish(platform.pool("").unwrap().await_ready(0, Timeout::After(LONG)).unwrap()).unwrap();
    platform
}

pub fn session(platform: &Arc<Platform>) -> Session {
    platform.open_session(SessionOptions::default()).unwrap()
}

pub fn close(platform: &Arc<Platform>) {
    finish(platform.shutdown(Some(Duration::from_secs(5)))).unwrap();
}

pub fn request(operation: &str, parameters: &Json) -> ExecuteRequest {
    ExecuteRequest {
        framework: "python".to_owned(),
        operation: operation.to_owned(),
        parameters: Some(Value::from_document(parameters)),
        timeout: Timeout::After(LONG),
        ..ExecuteRequest::default()
    }
}

/// Starts an operation and waits for its outcome.
pub fn finish(operation: Arc<Operation>) -> Result<Value> {
    operation.start(None);
    outcome(&operation)
}

pub fn outcome(operation: &Arc<Operation>) -> Result<Value> {
    assert!(operation.wait(Some(LONG)), "the operation has not ended in time");
    match operation.take_outcome() {
        TakeOutcome::Outcome(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

pub fn begin(session: &Session, operation: &str, parameters: Json) -> Arc<Operation> {
    let operation = session.prepare(request(operation, &parameters)).unwrap();
    operation.start(None);
    operation
}

/// Runs a function of `spb_testmod`.
pub fn call(session: &Session, operation: &str, parameters: Json) -> Result<Json> {
    let operation = session.prepare(request(operation, &parameters))?;
    finish(operation)?.to_document()
}

/// Waits for a condition, with a deadline.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < until, "never came true: {what}");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// A tool that is a closure, run on a thread of its own.
pub struct Tool<F>(pub F);

impl<F> ToolSink for Tool<F>
where
    F: Fn(&Arc<Invocation>) -> Option<Result<Value, Error>> + Clone + Send + Sync + 'static,
{
    fn call(&self, invocation: Arc<Invocation>) {
        let tool = self.0.clone();
        std::thread::spawn(move || match tool(&invocation) {
            Some(Ok(value)) => drop(invocation.complete(value)),
            Some(Err(error)) => drop(invocation.fail(error)),
            None => {}
        });
    }

    fn cancel(&self, _: &Arc<Invocation>) {}
}

pub fn tool<F>(platform: &Arc<Platform>, session: Option<&Session>, name: &str, run: F)
where
    F: Fn(&Arc<Invocation>) -> Option<Result<Value, Error>> + Clone + Send + Sync + 'static,
{
    let spec = ToolSpec { name: name.to_owned(), ..ToolSpec::default() };
    platform.register_tool(session, spec, Arc::new(Tool(run))).unwrap();
}

/// Processes on this machine whose environment carries `marker`, zombies not counted.
pub fn marked_processes(marker: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.windows(marker.len()).any(|part| part == marker.as_bytes()) {
            found.push(pid);
        }
    }
    found
}
