//! What a large tensor costs between the host and numpy in a worker, beside a plain copy of as many
//! bytes into memory that is warm, measured in the same run.
//!
//! Run it with `make bench`. It prints a table of medians; the ratios to the copy are what counts.
//! "Cached" is a value that lies in shared memory already, such as a variable that many calls read.

#[path = "support/platform.rs"]
mod platform;

use std::time::Instant;

use serde_json::json;
use snakepit_bridge::api::{ExecuteRequest, Session, SessionOptions};
use snakepit_bridge::core::{Attachment, DType, Tensor, Value};
use snakepit_bridge::shared_memory;

const MIB: usize = 1024 * 1024;
const ROUNDS: usize = 30;
const WARM_UP: usize = 5;

fn main() {
    let platform = platform::open(json!({
        "workers": 1,
        "frameworks": {"python": {"modules": ["spb_tensormod"]}},
    }));
    let session = platform.open_session(SessionOptions::default()).expect("a session");
    println!("{:<10}{:<34}{:>12}{:>12}{:>12}", "", "", "median µs", "least µs", "× memcpy");
    for mib in [1, 64] {
        measure(&session, mib);
    }
    platform::close(&platform);
}

fn measure(session: &Session, mib: usize) {
    let source: Vec<u8> = (0..251).cycle().take(mib * MIB).collect();
    let mut target = vec![0_u8; source.len()];
    let memcpy = figures(|| target.copy_from_slice(&source));
    let kept = value(&source);
    let empty = figures(|| drop(run(session, "nothing", None)));
    let rows = [
        ("memcpy, warm", memcpy),
        ("a call without a tensor", empty),
        ("host → numpy, copied", figures(|| drop(run(session, "touch", Some(value(&source)))))),
        ("host → numpy, cached", figures(|| drop(run(session, "touch", Some(kept.clone()))))),
        ("numpy → host, copied", figures(|| drop(run(session, "make", Some(size(mib)))))),
        ("there and back", figures(|| drop(run(session, "echo", Some(kept.clone()))))),
    ];
    for (name, (median, least)) in rows {
        let ratio = median / memcpy.0;
        println!("{:<10}{name:<34}{median:>12.0}{least:>12.0}{ratio:>12.2}", format!("{mib} MiB"));
    }
}

/// Median and least, in µs.
fn figures(mut once: impl FnMut()) -> (f64, f64) {
    (0..WARM_UP).for_each(|_| once());
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            once();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[0])
}

/// As `spb_value_from_parts` makes it: one copy.
fn value(source: &[u8]) -> Value {
    let shape = vec![i64::try_from(source.len() / 4).expect("a side")];
    let data = shared_memory::bytes_of(source);
    let tensor = Tensor::new(DType::Float32, shape, data).expect("a tensor");
    let document = r#"{"value":{"$spb":{"attachment":0}}}"#;
    Value::new(document, vec![Attachment::Tensor(tensor)]).expect("a value")
}

fn size(mib: usize) -> Value {
    Value::from_document(&json!({ "mib": mib }))
}

fn run(session: &Session, operation: &str, parameters: Option<Value>) -> Value {
    let request = ExecuteRequest {
        framework: "python".to_owned(),
        operation: operation.to_owned(),
        parameters,
        ..ExecuteRequest::default()
    };
    let operation = session.prepare(request).expect("prepared");
    operation.start(None);
    operation.wait(None);
    match operation.take_outcome() {
        snakepit_bridge::api::TakeOutcome::Outcome(outcome) => outcome.expect("a result"),
        other => panic!("{other:?}"),
    }
}
