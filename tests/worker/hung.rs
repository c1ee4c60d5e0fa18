//! Workers that seem to hang: a stopped one is found out, its calls end at once, and its last words
//! say where Python stood; one that only keeps the interpreter lock is left alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;
use snakepit_bridge::api::{Level, LogBatch, LogFilter, LogSink};
use snakepit_bridge::core::Status;

use super::faults::kill;
use super::support::{begin, call, close, config, eventually, open, outcome, session};

/// What workers print to their standard error.
#[derive(Default)]
struct Printed(Mutex<String>);

impl LogSink for Printed {
    fn take(&self, batch: &mut LogBatch) {
        let mut text = self.0.lock();
        for record in batch.records.drain(..).filter(|record| record.target() == "stderr") {
            text.push_str(record.message());
            text.push('\n');
        }
    }
}

#[test]
fn a_stopped_workers_call_ends_hung_at_once_and_its_stack_is_told() {
    let mut config = config(1, 2);
    config["pools"]["default"]["heartbeat"] =
        json!({"interval_ms": 100, "timeout_ms": 1000, "abort_grace_ms": 10_000});
    let platform = open(&config);
    let printed = Arc::new(Printed::default());
    let filter = LogFilter { level: Level::Info, target_prefix: "stderr".to_owned() };
    let _watch = platform.subscribe_logs(filter, printed.clone()).unwrap();
    let session = session(&platform);
    let pid = call(&session, "pid", json!({})).unwrap().as_i64().unwrap();
    let operation = begin(&session, "stand_still", json!({}));
    eventually("the call runs", || printed.0.lock().contains("standing still"));
    kill(pid, libc::SIGSTOP);
    let error = outcome(&operation).unwrap_err();
    assert_eq!(error.status(), Status::WorkerHung, "{error:?}");
    assert!(error.message().ends_with("hangs: no sign of life for 1000 ms"), "{error}");
    assert_eq!(error.details()["cause"], "hung");
    eventually("Python says where it stood", || {
        let text = printed.0.lock();
        text.contains("Fatal Python error: Aborted") && text.contains("in stand_still")
    });
    let next = call(&session, "pid", json!({})).unwrap().as_i64().unwrap();
    assert_ne!(next, pid);
    close(&platform);
}

#[test]
fn a_worker_that_holds_the_interpreter_lock_is_not_hung() {
    let mut config = config(1, 2);
    config["pools"]["default"]["heartbeat"] = json!({"interval_ms": 50, "timeout_ms": 1000});
    let platform = open(&config);
    let session = session(&platform);
    let pid = call(&session, "pid", json!({})).unwrap();
    let began = Instant::now();
    assert_eq!(call(&session, "hold_gil_for", json!({"seconds": 3.0})).unwrap(), "held");
    assert!(began.elapsed() >= Duration::from_secs(3), "nothing was held");
    assert_eq!(call(&session, "pid", json!({})).unwrap(), pid);
    close(&platform);
}
