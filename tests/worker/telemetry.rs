//! What a host reads of a platform while real workers run: spans with their place in the trace, and
//! no secret, whoever prints it.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{ExecuteRequest, Level, LogBatch, LogFilter, LogSink};

use super::support::{call, close, config, eventually, finish, open, request, session};

#[derive(Default)]
struct Kept(Mutex<Vec<Json>>);

impl LogSink for Kept {
    fn take(&self, batch: &mut LogBatch) {
        self.0.lock().extend(batch.records.drain(..).map(|record| record.to_json()));
    }
}

impl Kept {
    fn has(&self, wanted: impl Fn(&Json) -> bool) -> bool {
        self.0.lock().iter().any(wanted)
    }
}

fn everything() -> LogFilter {
    LogFilter { level: Level::Debug, target_prefix: String::new() }
}

#[test]
fn no_canary_of_a_workers_environment_is_in_a_record_or_a_metric() {
    const CANARY: &str = "canary-7391-of-the-key";
    let mut config = config(1, 4);
    config["pools"]["default"]["env"] = json!({"SOME_API_KEY": CANARY});
    let platform = open(&config);
    let kept = Arc::new(Kept::default());
    let _watch = platform.subscribe_logs(everything(), kept.clone()).unwrap();
    let session = session(&platform);
    let name = json!({"name": "SOME_API_KEY"});
    assert_eq!(call(&session, "environment", name).unwrap(), CANARY, "the worker itself has it");
    call(&session, "speak", json!({"text": format!("the key is {CANARY}.")})).unwrap();
    eventually("it is told", || {
        kept.has(|record| record["target"] == "stdout" && record["message"] == "the key is ***.")
    });
    close(&platform);
    assert!(!kept.has(|record| record.to_string().contains(CANARY)));
    assert!(!platform.metrics_text().contains(CANARY));
}

#[test]
fn an_operation_is_a_span_of_the_hosts_trace() {
    let platform = open(&config(1, 4));
    let kept = Arc::new(Kept::default());
    let _watch = platform.subscribe_logs(everything(), kept.clone()).unwrap();
    let session = session(&platform);
    let traced = ExecuteRequest {
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        ..request("echo", &json!({"value": 1}))
    };
    finish(session.prepare(traced).unwrap()).unwrap();
    eventually("the span is told", || {
        kept.has(|record| {
            record["target"] == "span"
                && record["message"] == "python.echo"
                && record["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
                && record["fields"]["parent_span_id"] == "b7ad6b7169203331"
                && record["fields"]["status"] == "OK"
                && record["session"] == session.id().as_str()
        })
    });
    close(&platform);
}
