//! How long two hundred concurrent DSPy calls take in one worker, where the host is their language
//! model and answers each after 50 ms.
//!
//! Run it with `make bench`. It prints a table: seconds, and how many times the model's own 50 ms
//! that is. The promise is one second at most.

#[path = "support/platform.rs"]
mod platform;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{
    ExecuteRequest, Invocation, Operation, Platform, Session, SessionOptions, TakeOutcome,
    ToolSink, ToolSpec,
};
use snakepit_bridge::core::Value;

const CALLS: usize = 200;
const ROUNDS: usize = 7;
const THINKING: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(1);

fn main() {
    let platform = platform::open(json!({
        "workers": 1,
        "calls_per_worker": CALLS,
        "frameworks": {"dspy": {}},
    }));
    let session = platform.open_session(SessionOptions::default()).expect("a session");
    model(&platform);
    println!("{:<46}{:>12}{:>12}{:>12}", "", "median", "least", "most");
    let predict = json!({
        "signature": "question -> answer",
        "inputs": {"question": "What is the capital of Peru?"},
        "lm": {"kind": "host_tool", "tool": "lm"},
    });
    row("200 predict calls at once", &mut rounds(|| calls(&session, "predict", &predict, CALLS)));
    let inputs: Vec<&Json> = (0..CALLS).map(|_| &predict["inputs"]).collect();
    let batch = json!({
        "program": {"module": "predict", "signature": predict["signature"], "lm": predict["lm"]},
        "inputs": inputs,
        "max_concurrency": CALLS,
    });
    row("one batch of 200", &mut rounds(|| calls(&session, "batch", &batch, 1)));
    platform::close(&platform);
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

/// The first round, which builds what is then kept, does not count.
fn rounds(mut measure: impl FnMut() -> f64) -> Vec<f64> {
    measure();
    (0..ROUNDS).map(|_| measure()).collect()
}

fn row(name: &str, seconds: &mut [f64]) {
    seconds.sort_by(f64::total_cmp);
    let of = |number: usize| seconds.get(number).copied().unwrap_or_default();
    let (least, median, most) = (of(0), of(seconds.len() / 2), of(seconds.len() - 1));
    println!("{:<46}{median:>12.3}{least:>12.3}{most:>12.3}", format!("{name}, s"));
    let times = |seconds: f64| seconds / THINKING.as_secs_f64();
    let (median_times, least_times, most_times) = (times(median), times(least), times(most));
    println!(
        "{:<46}{median_times:>12.1}{least_times:>12.1}{most_times:>12.1}",
        "  times the model's 50 ms"
    );
    let share = 100.0 * median / LIMIT.as_secs_f64();
    println!("{:<46}{share:>11.0}%", "  of the promised second");
}
