//! How long two hundred concurrent DSPy calls take in one worker, where the host is their language
//! model and answers each after 50 ms.
//!
//! Run it with `make bench`. The promise is one second at most.
#![expect(
    dead_code,
    reason = "what other benchmarks use of the shared modules is not all used here"
)]

#[path = "support/figures.rs"]
mod figures;
#[path = "support/ledger.rs"]
mod ledger;
#[path = "support/platform.rs"]
mod platform;
#[path = "support/report.rs"]
mod report;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use ledger::Ledger;
use report::{Goal, Row};
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{
    ExecuteRequest, Invocation, Operation, Platform, Session, SessionOptions, TakeOutcome,
    ToolSink, ToolSpec,
};
use snakepit_bridge::core::Value;

const CALLS: usize = 200;
const ROUNDS: usize = 5;
const THINKING: Duration = Duration::from_millis(50);
const SECONDS_MAX: f64 = 1.0;

fn main() {
    let platform = platform::open(json!({
        "workers": 1,
        "calls_per_worker": CALLS,
        "frameworks": {"dspy": {}},
    }));
    let session = platform.open_session(SessionOptions::default()).expect("a session");
    model(&platform);
    let predict = json!({
        "signature": "question -> answer",
        "inputs": {"question": "What is the capital of Peru?"},
        "lm": {"kind": "host_tool", "tool": "lm"},
    });
    let inputs: Vec<&Json> = (0..CALLS).map(|_| &predict["inputs"]).collect();
    let batch = json!({
        "program": {"module": "predict", "signature": predict["signature"], "lm": predict["lm"]},
        "inputs": inputs,
        "max_concurrency": CALLS,
    });
    let mut ledger = Ledger::default();
    // The first round builds what is then kept, and does not count.
    for round in 0..=ROUNDS {
        let predicted = calls(&session, "predict", &predict, CALLS);
        let in_batch = calls(&session, "batch", &batch, 1);
        if round > 0 {
            ledger.add("dspy_200_calls", predicted);
            ledger.add("dspy_batch_200", in_batch);
        }
    }
    platform::close(&platform);
    let rows = rows(&ledger);
    report::print(&rows);
    report::write("dspy", &rows);
}

fn rows(ledger: &Ledger) -> Vec<Row> {
    let goal = Goal::AtMost(SECONDS_MAX);
    let note = "one worker, the host is the model and answers after 50 ms";
    vec![ledger.row_for(goal, "dspy_200_calls", "s", note), ledger.row("dspy_batch_200", "s", note)]
}

/// A language model that answers each request after `THINKING`, in the order of their coming.
fn model(platform: &Arc<Platform>) {
    struct Model(Sender<(Instant, Arc<Invocation>)>);
    impl ToolSink for Model {
        fn call(&self, invocation: Arc<Invocation>) {
            self.0.send((Instant::now() + THINKING, invocation)).expect("the model thinks");
        }
        fn cancel(&self, _: &Arc<Invocation>) {}
    }
    let (sender, receiver) = channel();
    std::thread::spawn(move || think(&receiver));
    let spec =
        ToolSpec { name: "lm".to_owned(), max_in_flight: Some(CALLS), ..ToolSpec::default() };
    platform.register_tool(None, spec, Arc::new(Model(sender))).expect("registered");
}

fn think(requests: &Receiver<(Instant, Arc<Invocation>)>) {
    let answer = json!("[[ ## answer ## ]]\nLima\n\n[[ ## completed ## ]]");
    loop {
        match requests.recv_timeout(Duration::from_secs(60)) {
            Ok((when, invocation)) => {
                std::thread::sleep(when.saturating_duration_since(Instant::now()));
                invocation.complete(Value::from_document(&answer)).expect("answered");
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Seconds for `count` calls that are started one right after the other.
fn calls(session: &Session, operation: &str, parameters: &Json, count: usize) -> f64 {
    let parameters = Value::from_document(parameters);
    let start = Instant::now();
    let operations: Vec<Arc<Operation>> = (0..count)
        .map(|_| {
            let request = ExecuteRequest {
                framework: "dspy".to_owned(),
                operation: operation.to_owned(),
                parameters: Some(parameters.clone()),
                ..ExecuteRequest::default()
            };
            let operation = session.prepare(request).expect("prepared");
            operation.start(None);
            operation
        })
        .collect();
    for operation in &operations {
        operation.wait(None);
    }
    let took = start.elapsed().as_secs_f64();
    for operation in operations {
        let TakeOutcome::Outcome(Ok(_)) = operation.take_outcome() else {
            panic!("a call failed");
        };
    }
    took
}
