//! What one call costs through the whole product, beside the least that any two processes on this
//! machine need: a ping-pong over a Unix socket, measured in the same run.
//!
//! Run it with `make bench`. It prints a table; the ratios are what counts, the absolute figures
//! are the machine's.

#[path = "support/figures.rs"]
mod figures;
#[path = "support/platform.rs"]
mod platform;
#[path = "support/table.rs"]
mod table;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use serde_json::json;
use snakepit_bridge::api::{
    Chunk, ExecuteRequest, Operation, OperationSink, Session, SessionOptions,
};
use snakepit_bridge::core::{Result, Value};
use table::Table;

const ROUNDS: usize = 5;
const CALLS_IN_TURN: usize = 2_000;
const CALLS_AT_ONCE: usize = 40_000;
const IN_FLIGHT: usize = 64;

fn main() {
    let platform = platform::open(json!({
        "workers": 1,
        "calls_per_worker": IN_FLIGHT,
        "frameworks": {"python": {"modules": ["spb_testmod"]}},
    }));
    let session = platform.open_session(SessionOptions::default()).expect("a session");
    let mut table = Table::default();
    for _ in 0..ROUNDS {
        table.add("ping-pong, Unix socket, p50 µs", ping_pong());
        table.add("echo 100 B, thread, p50 µs", in_turn(&session, "echo"));
        table.add("echo 100 B, inline, p50 µs", in_turn(&session, "echo_inline"));
        table.add("echo 100 B, 64 in flight, inline, calls/s", at_once(&session, "echo_inline"));
        table.add("echo 100 B, 64 in flight, thread, calls/s", at_once(&session, "echo"));
        table.add("variable get, ns", variable_get(&session));
    }
    table.print();
    platform::close(&platform);
}

fn request(operation: &str) -> ExecuteRequest {
    let parameters = format!("{{\"value\":{{\"text\":\"{}\",\"number\":1}}}}", "x".repeat(64));
    ExecuteRequest {
        framework: "python".to_owned(),
        operation: operation.to_owned(),
        parameters: Some(Value::from_json(parameters).expect("a document")),
        ..ExecuteRequest::default()
    }
}

/// The median of one call after the other.
fn in_turn(session: &Session, operation: &str) -> f64 {
    let mut times: Vec<Duration> = (0..CALLS_IN_TURN)
        .map(|_| {
            let start = Instant::now();
            let operation = session.prepare(request(operation)).expect("prepared");
            operation.start(None);
            operation.wait(None);
            start.elapsed()
        })
        .collect();
    median_us(&mut times)
}

/// Calls per second with a full window.
fn at_once(session: &Session, operation: &str) -> f64 {
    struct Done(SyncSender<bool>);
    impl OperationSink for Done {
        fn chunk(&self, _: &Operation, _: Chunk) {}
        fn done(&self, _: &Operation, outcome: Result<Value>) {
            self.0.send(outcome.is_ok()).expect("the bench waits");
        }
    }
    let (sender, receiver) = sync_channel(IN_FLIGHT * 2);
    let sink = Arc::new(Done(sender));
    let submit = || {
        let operation = session.prepare(request(operation)).expect("prepared");
        operation.start(Some(sink.clone()));
    };
    let start = Instant::now();
    (0..IN_FLIGHT).for_each(|_| submit());
    for ended in 0..CALLS_AT_ONCE {
        assert!(receiver.recv().expect("a result"), "a call failed");
        if ended + IN_FLIGHT < CALLS_AT_ONCE {
            submit();
        }
    }
    CALLS_AT_ONCE as f64 / start.elapsed().as_secs_f64()
}

/// 100 bytes there and back between two threads that sleep in between.
fn ping_pong() -> f64 {
    let (mut here, mut there) = UnixStream::pair().expect("a socket pair");
    let echo = std::thread::spawn(move || {
        let mut bytes = [0; 100];
        while there.read_exact(&mut bytes).is_ok() && there.write_all(&bytes).is_ok() {}
    });
    let mut bytes = [7; 100];
    let mut times: Vec<Duration> = (0..CALLS_IN_TURN)
        .map(|_| {
            let start = Instant::now();
            here.write_all(&bytes).expect("written");
            here.read_exact(&mut bytes).expect("read");
            start.elapsed()
        })
        .collect();
    drop(here);
    echo.join().expect("the echo ended");
    median_us(&mut times)
}

fn variable_get(session: &Session) -> f64 {
    const GETS: u32 = 200_000;
    let variable = snakepit_bridge::state::RegisterVariable {
        name: "small".into(),
        type_name: "integer".into(),
        initial: Value::from_json("1").expect("a document"),
        constraints: None,
        metadata: None,
    };
    // The second round finds it registered.
    let _ = session.register_variable(variable);
    let start = Instant::now();
    for _ in 0..GETS {
        std::hint::black_box(session.get_variable("small").expect("a value"));
    }
    start.elapsed().as_nanos() as f64 / f64::from(GETS)
}

fn median_us(times: &mut [Duration]) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}
