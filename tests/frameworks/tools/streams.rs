//! Streams of tools in both directions: order, the end half-way on either side, back-pressure.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{ChunkOutcome, Invocation, Platform, Session, ToolRequest};
use snakepit_bridge::core::{Error, Result, Status, Value};

use super::super::support::{LONG, chunks, close, eventually, outcome, run, session};
use super::{Kept, begin, document, host_tool, named, one_pool, tool_request};

fn stream(name: &str, arguments: &Json) -> ToolRequest {
    ToolRequest { stream: true, ..tool_request(name, arguments) }
}

fn take(session: &Session, name: &str, arguments: Json, at_most: i64) -> Result<Json> {
    let parameters = json!({"name": name, "arguments": arguments, "at_most": at_most});
    run(session, "python", "take", parameters)
}

/// Emits a number, waiting while the caller is behind; `false` once nobody wants it any more.
fn emit(invocation: &Arc<Invocation>, number: u64, behind: impl FnOnce()) -> bool {
    let mut behind = Some(behind);
    loop {
        match invocation.emit(document(json!(number))) {
            Ok(()) => return true,
            Err(error) if error.status() == Status::Again => {
                behind.take().map_or_else(std::thread::yield_now, |behind| behind());
            }
            Err(error) => {
                assert_eq!(error.status(), Status::Cancelled);
                return false;
            }
        }
    }
}

#[test]
fn the_host_takes_what_pythons_tools_yield() {
    let platform = one_pool();
    let session = session(&platform);
    let ledger = tempfile::tempdir().unwrap();
    let ledger = ledger.path().join("ledger");
    let operation = begin(&session, stream("count", &json!({"to": 100_000})));
    let mut next = 0;
    while let ChunkOutcome::Chunk(chunk) = operation.next_chunk(Some(LONG)) {
        assert_eq!(chunk.to_document().unwrap(), json!(next));
        next += 1;
    }
    assert_eq!((next, outcome(&operation).unwrap().to_document().unwrap()), (next, json!(next)));
    assert_eq!(next, 100_000);

    // Half-way: the tool fails, breaks its word, or is left.
    let operation = begin(&session, stream("count", &json!({"to": 9, "fail_at": 3})));
    assert_eq!(chunks(&operation), [0, 1, 2].map(Json::from));
    let error = outcome(&operation).unwrap_err();
    assert_eq!(error.status(), Status::PythonException);
    assert!(error.message().contains("no 3 today"), "{error:?}");
    let operation = begin(&session, stream("count", &json!({"to": 9, "wrong_at": 2})));
    assert_eq!(chunks(&operation), [0, 1].map(Json::from));
    let error = outcome(&operation).unwrap_err();
    assert_eq!((error.status(), &error.details()["path"]), (Status::TypeMismatch, &json!("$")));
    let endless = json!({"to": 1_000_000_000, "ledger": ledger});
    let operation = begin(&session, stream("count", &endless));
    assert!(matches!(operation.next_chunk(Some(LONG)), ChunkOutcome::Chunk(_)));
    operation.cancel();
    eventually("the generator was closed", || ledger.exists());

    // It never gets further ahead than its window: it tells the host before each chunk.
    let told = Arc::new(AtomicU64::new(0));
    let marks = told.clone();
    host_tool(&platform, named("mark"), move |_| {
        marks.fetch_add(1, Ordering::SeqCst);
        Some(Ok(Value::null()))
    });
    let narrow = ToolRequest { stream_window: Some(4), ..stream("tick", &json!({"to": 50})) };
    let operation = begin(&session, narrow);
    for taken in 1..=50 {
        assert!(matches!(operation.next_chunk(Some(LONG)), ChunkOutcome::Chunk(_)));
        assert!(told.load(Ordering::SeqCst) <= taken + 4 + 1);
    }
    assert_eq!(outcome(&operation).unwrap().to_document().unwrap(), json!(null));
    close(&platform);
}

/// A tool `endless` that notes when it was told to stop.
fn endless(platform: &Arc<Platform>) -> Kept<bool> {
    let seen: Kept<bool> = Kept::default();
    let cancelled = seen.clone();
    host_tool(platform, named("endless"), move |invocation| {
        let mut number = 0;
        while emit(invocation, number, || ()) {
            number += 1;
        }
        cancelled.lock().push(invocation.is_cancelled());
        None
    });
    seen
}

#[test]
fn python_takes_what_the_hosts_tools_emit() {
    let platform = one_pool();
    let session = session(&platform);
    let gate = Arc::new((Mutex::new(None::<u64>), Condvar::new()));
    let told = gate.clone();
    host_tool(&platform, named("many"), move |invocation| {
        let to = invocation.arguments().to_document().unwrap()["to"].as_u64().unwrap();
        for number in 0..to {
            let behind = || {
                told.0.lock().get_or_insert(number);
                told.1.notify_all();
            };
            if !emit(invocation, number, behind) {
                return None;
            }
        }
        Some(Ok(document(json!(to))))
    });
    host_tool(&platform, named("until_behind"), move |_| {
        let mut ahead = gate.0.lock();
        while ahead.is_none() {
            assert!(!gate.1.wait_for(&mut ahead, LONG).timed_out(), "never held back");
        }
        Some(Ok(Value::null()))
    });
    // Python takes one chunk and waits until the host cannot send more: that is one window.
    let held = json!({"to": 100_000, "held": "until_behind"});
    let seen = take(&session, "many", held, -1).unwrap();
    assert_eq!(seen, json!([100_000, 4_999_950_000_u64, 100_000]));

    let seen = endless(&platform);
    assert_eq!(take(&session, "endless", json!({}), 5).unwrap(), json!([5, 10, null]));
    eventually("the host was told", || *seen.lock() == [true]);

    host_tool(&platform, named("breaks"), |invocation| {
        assert!(emit(invocation, 1, || ()));
        Some(Err(Error::new(Status::Unavailable, "the source has dried up")))
    });
    let error = take(&session, "breaks", json!({}), -1).unwrap_err();
    assert_eq!(error.status(), Status::Unavailable, "{error:?}");
    assert!(error.message().contains("dried up"), "{error:?}");

    // The host takes its own tool's chunks with the same limits.
    let operation = begin(&session, stream("many", &json!({"to": 2000})));
    assert_eq!(chunks(&operation).len(), 2000);
    assert_eq!(outcome(&operation).unwrap().to_document().unwrap(), json!(2000));
    let operation = begin(&session, stream("endless", &json!({})));
    assert!(matches!(operation.next_chunk(Some(LONG)), ChunkOutcome::Chunk(_)));
    operation.cancel();
    eventually("the host was told", || seen.lock().len() == 2);
    close(&platform);
}

#[test]
fn python_takes_what_another_python_tool_yields() {
    let platform = one_pool();
    let session = session(&platform);
    let ledger = tempfile::tempdir().unwrap();
    let ledger = ledger.path().join("ledger");
    let seen = take(&session, "count", json!({"to": 20_000}), -1).unwrap();
    assert_eq!(seen, json!([20_000, 199_990_000, 20_000]));
    let error = take(&session, "count", json!({"to": 9, "fail_at": 3}), -1).unwrap_err();
    assert!(error.message().contains("no 3 today"), "{error:?}");
    let endless = json!({"to": 1_000_000_000, "ledger": ledger});
    assert_eq!(take(&session, "count", endless, 5).unwrap(), json!([5, 10, null]));
    // The file is there a moment before its line is.
    let told = || std::fs::read_to_string(&ledger).unwrap_or_default();
    eventually("the generator was closed", || told().ends_with('\n'));
    let far: u64 = told().trim().parse().unwrap();
    assert!(far < 1000, "it was held back, not at {far}");
    close(&platform);
}
