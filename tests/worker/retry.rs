//! What happens to a call whose worker dies, under real Python: another attempt where that is
//! allowed and nowhere else, a bounded harm by calls that kill, and stories that say what happened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{ChunkOutcome, ExecuteRequest, Invocation, Platform, Timeout, ToolSpec};
use snakepit_bridge::core::{Status, Value};

use super::support::{
    LONG, Tool, begin, call, close, config, eventually, finish, open, outcome, request, session,
    tool,
};

/// A file in which the calls note that they ran.
struct Ledger(tempfile::TempDir);

impl Ledger {
    fn new() -> Self {
        Ledger(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("ran")
    }

    fn lines(&self) -> usize {
        read(&self.path()).lines().count()
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn tuned(workers: usize, key: &str, value: Json) -> Json {
    let mut config = config(workers, 4);
    config["pools"]["default"]["restart"] = json!({"backoff_min_ms": 0, "backoff_max_ms": 10});
    config["pools"]["default"][key] = value;
    config
}

#[test]
fn an_idempotent_call_survives_the_death_of_its_worker() {
    let platform = open(&tuned(2, "cwd", json!(null)));
    let (session, ledger) = (session(&platform), Ledger::new());
    let parameters = json!({"ledger": ledger.path(), "times": 2});
    assert_eq!(call(&session, "crash_until", parameters).unwrap(), json!(3));
    assert_eq!(ledger.lines(), 3);
    let stats = platform.pool("").unwrap().stats();
    assert_eq!((&stats["retries"], &stats["circuit"]), (&json!(2), &json!("closed")));
    assert!(platform.metrics_text().contains("spb_operation_retries_total{pool=\"default\"} 2\n"));
    close(&platform);
}

#[test]
fn attempts_are_counted_and_have_an_end() {
    let platform = open(&tuned(2, "retry", json!({"attempts_max": 2})));
    let (session, ledger) = (session(&platform), Ledger::new());
    let parameters = json!({"ledger": ledger.path(), "times": 99, "how": "kill"});
    let error = call(&session, "crash_until", parameters).unwrap_err();
    assert_eq!((error.status(), ledger.lines()), (Status::WorkerLost, 2), "{error:?}");
    assert_eq!(error.details()["attempts"], 2);
    assert!(error.is_retryable(), "it is declared so");
    close(&platform);
}

#[test]
fn an_idempotent_call_survives_a_worker_that_hangs() {
    let heartbeat = json!({"interval_ms": 200, "timeout_ms": 500});
    let platform = open(&tuned(2, "heartbeat", heartbeat));
    let (session, ledger) = (session(&platform), Ledger::new());
    let parameters = json!({"ledger": ledger.path(), "times": 1, "how": "stop"});
    assert_eq!(call(&session, "crash_until", parameters).unwrap(), json!(2));
    let stats = platform.pool("").unwrap().stats();
    assert_eq!((&stats["retries"], &stats["tainted"]), (&json!(1), &json!(0)));
    close(&platform);
}

#[test]
fn a_call_that_is_not_idempotent_runs_once() {
    let platform = open(&tuned(2, "cwd", json!(null)));
    let (session, ledger) = (session(&platform), Ledger::new());
    let error = call(&session, "crash_once_only", json!({"ledger": ledger.path()})).unwrap_err();
    assert_eq!((error.status(), ledger.lines()), (Status::WorkerLost, 1), "{error:?}");
    assert_eq!(error.details()["attempts"], 1);
    assert!(!error.is_retryable());
    close(&platform);
}

#[test]
fn no_chunk_is_delivered_twice() {
    let platform = open(&tuned(2, "cwd", json!(null)));
    let (session, ledger) = (session(&platform), Ledger::new());
    let parameters = json!({"ledger": ledger.path(), "chunks": 3});
    let streamed = ExecuteRequest { stream: true, ..request("crash_in_stream", &parameters) };
    let operation = session.prepare(streamed).unwrap();
    operation.start(None);
    let mut chunks = Vec::new();
    while let ChunkOutcome::Chunk(chunk) = operation.next_chunk(Some(LONG)) {
        chunks.push(chunk.to_document().unwrap());
    }
    assert_eq!(chunks, [json!(0), json!(1), json!(2)]);
    let error = outcome(&operation).unwrap_err();
    assert_eq!((error.status(), ledger.lines()), (Status::WorkerLost, 1), "{error:?}");
    close(&platform);
}

#[test]
fn a_retried_call_calls_its_tools_anew() {
    let platform = open(&tuned(1, "cwd", json!(null)));
    let (session, ledger) = (session(&platform), Ledger::new());
    let wait = Tool(|invocation: &Arc<Invocation>| {
        let first = invocation.arguments().to_document().unwrap()["first"] == json!(true);
        // The first is never answered: its worker dies, which ends it.
        if first { None } else { Some(Ok(Value::from_document(&json!("second")))) }
    });
    let spec = ToolSpec { name: "wait".to_owned(), idempotent: true, ..ToolSpec::default() };
    platform.register_tool(None, spec, Arc::new(wait)).unwrap();
    let parameters = json!({"ledger": ledger.path(), "name": "wait"});
    assert_eq!(call(&session, "ask_then_crash", parameters).unwrap(), json!("second"));
    assert_eq!(ledger.lines(), 2);
    let stats = platform.pool("").unwrap().stats();
    assert_eq!((&stats["running"], &stats["held"]), (&json!(0), &json!(0)));
    close(&platform);
}

#[test]
fn a_call_that_called_a_tool_that_is_not_idempotent_is_not_sent_again() {
    let platform = open(&tuned(1, "cwd", json!(null)));
    let (session, ledger) = (session(&platform), Ledger::new());
    tool(&platform, None, "wait", |_| None);
    let parameters = json!({"ledger": ledger.path(), "name": "wait"});
    let error = call(&session, "ask_then_crash", parameters).unwrap_err();
    assert_eq!((error.status(), ledger.lines()), (Status::WorkerLost, 1), "{error:?}");
    assert_eq!(error.details()["tool_called"], "wait");
    assert!(!error.is_retryable(), "{error:?}");
    close(&platform);
}

#[test]
fn a_cancel_or_the_deadline_ends_the_rest_before_a_retry() {
    let rest = json!({"backoff_min_ms": 600_000, "backoff_max_ms": 600_000});
    let platform = open(&tuned(2, "retry", rest));
    let (session, ledger) = (session(&platform), Ledger::new());
    let parameters = json!({"ledger": ledger.path(), "times": 1});
    let retries = || platform.pool("").unwrap().stats()["retries"].as_u64().unwrap();
    let cancelled = begin(&session, "crash_until", parameters.clone());
    eventually("it rests", || retries() == 1);
    cancelled.cancel();
    assert_eq!(outcome(&cancelled).unwrap_err().status(), Status::Cancelled);
    std::fs::remove_file(ledger.path()).unwrap();
    let timeout = Timeout::After(Duration::from_secs(3));
    let late = ExecuteRequest { timeout, ..request("crash_until", &parameters) };
    let late = finish(session.prepare(late).unwrap()).unwrap_err();
    assert_eq!(late.status(), Status::Deadline, "{late:?}");
    assert_eq!((retries(), ledger.lines()), (2, 1));
    let at_the_end = begin(&session, "crash_until", json!({"ledger": ledger.path(), "times": 2}));
    eventually("it rests", || retries() == 3);
    close(&platform);
    assert_eq!(outcome(&at_the_end).unwrap_err().status(), Status::Cancelled);
}

#[test]
fn a_call_that_kills_is_stopped_after_three_workers_and_the_others_go_on() {
    let platform = open(&tuned(1, "barrier", json!({"taint_ms": 600_000})));
    let (session, ledger) = (session(&platform), Ledger::new());
    let poison = json!({"ledger": ledger.path(), "times": 99});
    let error = call(&session, "crash_until", poison.clone()).unwrap_err();
    assert_eq!((error.status(), ledger.lines()), (Status::WorkerLost, 3), "{error:?}");
    let error = call(&session, "crash_until", poison).unwrap_err();
    assert_eq!((error.status(), ledger.lines()), (Status::Unavailable, 3), "{error:?}");
    assert_eq!(error.details()["barrier"], "crashed its worker 3 times");
    let other = json!({"ledger": ledger.path(), "times": 0});
    assert_eq!(call(&session, "crash_until", other).unwrap(), json!(4));
    let stats = platform.pool("").unwrap().stats();
    assert_eq!((&stats["tainted"], &stats["refused_by"]["barrier"]), (&json!(1), &json!(1)));
    close(&platform);
}

#[test]
fn a_pool_that_loses_every_worker_is_left_alone_until_a_probe_succeeds() {
    let config = tuned(1, "breaker", json!({"failures_max": 2, "open_ms": 1000}));
    let platform = open(&config);
    let (session, ledger) = (session(&platform), Ledger::new());
    for _ in 0..2 {
        let lost = call(&session, "crash_once_only", json!({"ledger": ledger.path()}));
        assert_eq!(lost.unwrap_err().status(), Status::WorkerLost);
    }
    let error = call(&session, "echo", json!({"value": 1})).unwrap_err();
    assert_eq!(error.status(), Status::Unavailable);
    assert_eq!(error.details()["circuit"], "open");
    let wait_ms = error.details()["retry_after_ms"].as_u64().unwrap();
    assert!((1..=1000).contains(&wait_ms), "{error:?}");
    assert_eq!(platform.health()["pools"]["default"]["circuit"], "open");
    eventually("a probe closes it", || call(&session, "echo", json!({"value": 1})).is_ok());
    assert_eq!(platform.pool("").unwrap().stats()["circuit"], "closed");
    close(&platform);
}

#[test]
fn callers_of_a_pool_that_cannot_start_are_told_why() {
    let directory = tempfile::tempdir().unwrap();
    let module =
        "import sys\nprint('x' * 10000, file=sys.stderr)\nraise RuntimeError('no model')\n";
    std::fs::write(directory.path().join("broken_on_import.py"), module).unwrap();
    let mut config = tuned(1, "python_path", json!([directory.path()]));
    let pool = &mut config["pools"]["default"];
    pool["frameworks"] = json!({"python": {"modules": ["broken_on_import"]}});
    pool["restart"]["failures_max"] = json!(1);
    let platform = Platform::open(config.to_string().as_bytes()).unwrap();
    let session = session(&platform);
    eventually("it has failed", || platform.pool("").unwrap().stats()["state"] == "failed");
    for _ in 0..30 {
        let error = call(&session, "echo", json!({"value": 1})).unwrap_err();
        assert_eq!(error.status(), Status::Unavailable, "{error:?}");
        let told = error.details();
        let tail = told["stderr_tail"].as_str().unwrap();
        assert!(tail.contains("no model") && tail.len() > 10_000, "{error:?}");
        assert!(told["journey_ms"]["process started"].is_u64(), "{error:?}");
    }
    let stats = platform.pool("").unwrap().stats();
    assert_eq!(stats["refused_by"]["failed"], 30);
    close(&platform);
}
