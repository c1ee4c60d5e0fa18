//! Streams in both directions through a real Python worker: order, the end, back-pressure.

use std::sync::Arc;
use std::time::Duration;

use super::support::{
    LONG, call, close, config, eventually, open, outcome, request, session, tool,
};
use parking_lot::Mutex;
use serde_json::json;
use snakepit_bridge::api::{Chunk, ChunkOutcome, ExecuteRequest, Operation, OperationSink};
use snakepit_bridge::core::{Result, Status, Value};

#[test]
fn chunks_come_in_order_and_the_result_after_them() {
    let platform = open(&config(1, 8));
    let session = session(&platform);
    let stream = ExecuteRequest { stream: true, ..request("count", &json!({"to": 1000})) };
    let operation = session.prepare(stream).unwrap();
    operation.start(None);
    let mut seen = Vec::new();
    loop {
        match operation.next_chunk(Some(LONG)) {
            ChunkOutcome::Chunk(value) => seen.push(value.to_document().unwrap().as_u64().unwrap()),
            ChunkOutcome::Ended => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, (0..1000).collect::<Vec<_>>());
    assert_eq!(outcome(&operation).unwrap().to_document().unwrap(), json!({"counted": 1000}));
    close(&platform);
}

/// A consumer that holds on to its chunks, and with them to their credits.
#[derive(Default)]
struct Slow {
    chunks: Mutex<Vec<Chunk>>,
    done: Mutex<Option<Result<Value>>>,
}

impl OperationSink for Slow {
    fn chunks(&self, _: &Operation, chunks: Vec<Chunk>) {
        self.chunks.lock().extend(chunks);
    }
    fn done(&self, _: &Operation, outcome: Result<Value>) {
        *self.done.lock() = Some(outcome);
    }
}

#[test]
fn a_slow_consumer_holds_the_producer_back_and_others_go_on() {
    let platform = open(&config(1, 8));
    let session = session(&platform);
    let stream = ExecuteRequest {
        stream: true,
        stream_window: Some(8),
        ..request("count", &json!({"to": 100}))
    };
    let operation = session.prepare(stream).unwrap();
    let slow = Arc::new(Slow::default());
    operation.start(Some(slow.clone()));
    eventually("the window is full", || slow.chunks.lock().len() == 8);
    for number in 0..20 {
        assert_eq!(call(&session, "echo", json!({"value": number})).unwrap(), json!(number));
    }
    assert_eq!(slow.chunks.lock().len(), 8, "no chunk came without credit");
    let mut taken = 0;
    eventually("everything has come", || {
        taken += std::mem::take(&mut *slow.chunks.lock()).len();
        slow.done.lock().is_some()
    });
    taken += slow.chunks.lock().len();
    assert_eq!(taken, 100);
    assert!(slow.done.lock().as_ref().unwrap().is_ok());
    close(&platform);
}

#[test]
fn a_cancelled_stream_ends_its_generator() {
    let platform = open(&config(1, 1));
    let session = session(&platform);
    let stream = ExecuteRequest { stream: true, ..request("count", &json!({"to": 1_000_000_000})) };
    let operation = session.prepare(stream).unwrap();
    operation.start(None);
    assert!(matches!(operation.next_chunk(Some(LONG)), ChunkOutcome::Chunk(_)));
    operation.cancel();
    assert_eq!(outcome(&operation).unwrap_err().status(), Status::Cancelled);
    assert_eq!(call(&session, "echo", json!({"value": 1})).unwrap(), json!(1));
    close(&platform);
}

#[test]
fn a_host_tool_streams_into_python() {
    let platform = open(&config(1, 8));
    let session = session(&platform);
    tool(&platform, None, "letters", |invocation| {
        for letter in ["a", "b", "c"] {
            invocation.emit(Value::from_document(&json!(letter))).unwrap();
        }
        Some(Ok(Value::from_document(&json!("abc"))))
    });
    let streamed =
        call(&session, "stream_tool", json!({"name": "letters", "arguments": {}})).unwrap();
    assert_eq!(streamed, json!({"chunks": ["a", "b", "c"], "result": "abc"}));
    tool(&platform, None, "many", |invocation| {
        let mut sent = 0_u64;
        while sent < 2000 {
            match invocation.emit(Value::from_document(&json!(sent))) {
                Ok(()) => sent += 1,
                Err(error) if error.status() == Status::Again => {
                    std::thread::park_timeout(Duration::from_millis(1));
                }
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(Value::null()))
    });
    let streamed = call(&session, "stream_tool", json!({"name": "many", "arguments": {}})).unwrap();
    assert_eq!(streamed["chunks"], json!((0..2000).collect::<Vec<_>>()));
    close(&platform);
}
