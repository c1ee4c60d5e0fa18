//! What ends a tool call before its answer: its own time, the caller's, a cancel from above, too
//! many at once, a lost worker; across as many sides as there are.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;
use snakepit_bridge::api::{Invocation, Timeout, ToolRequest, ToolSink, ToolSpec};
use snakepit_bridge::core::{Status, Value};

use super::super::support::{LONG, close, eventually, finish, outcome, run, session};
use super::{Kept, begin, call, document, from_python, host_tool, named, one_pool, tool_request};

/// A tool that answers nothing and notes what it is told.
#[derive(Clone, Default)]
struct Silent {
    calls: Kept<Arc<Invocation>>,
    cancelled: Arc<Mutex<usize>>,
}

impl ToolSink for Silent {
    fn call(&self, invocation: Arc<Invocation>) {
        self.calls.lock().push(invocation);
    }
    fn cancel(&self, _: &Arc<Invocation>) {
        *self.cancelled.lock() += 1;
    }
}

#[test]
fn a_tool_has_its_own_time_on_either_side() {
    let platform = one_pool();
    let session = session(&platform);
    let ledger = tempfile::tempdir().unwrap();
    let silent = Silent::default();
    let spec = ToolSpec { timeout: Some(Duration::from_millis(50)), ..named("silent") };
    platform.register_tool(None, spec, Arc::new(silent.clone())).unwrap();
    for (times, way) in [call, from_python].into_iter().enumerate() {
        let error = way(&session, "silent", json!({})).unwrap_err();
        assert_eq!(error.status(), Status::Deadline, "{error:?}");
        eventually("the host was told", || *silent.cancelled.lock() == times + 1);
        assert_eq!(silent.calls.lock().len(), times + 1);
        let told = ledger.path().join(times.to_string());
        let error = way(&session, "slow", json!({"ledger": told})).unwrap_err();
        assert_eq!(error.status(), Status::Deadline, "{error:?}");
        eventually("the tool was told", || told.exists());
    }
    // Python gives one up by itself.
    let patient = Silent::default();
    platform.register_tool(None, named("patient"), Arc::new(patient.clone())).unwrap();
    let parameters = json!({"name": "patient", "arguments": {}, "timeout": 0.05});
    let error = run(&session, "python", "use", parameters).unwrap_err();
    assert_eq!(error.status(), Status::Deadline, "{error:?}");
    eventually("the host was told", || *patient.cancelled.lock() == 1);
    close(&platform);
}

#[test]
fn too_many_calls_at_once_are_refused_by_name() {
    let platform = one_pool();
    let session = session(&platform);
    let gate = Silent::default();
    let spec = ToolSpec { max_in_flight: Some(2), ..named("gate") };
    platform.register_tool(None, spec, Arc::new(gate.clone())).unwrap();
    let held = begin(&session, tool_request("single", &json!({})));
    eventually("it is in Python's tool", || gate.calls.lock().len() == 1);
    let also = begin(&session, tool_request("gate", &json!({})));
    for way in [call, from_python] {
        for (tool, max) in [("single", 1), ("gate", 2)] {
            let error = way(&session, tool, json!({})).unwrap_err();
            assert_eq!(error.status(), Status::ResourceExhausted, "{error:?}");
            let told = (&error.details()["tool"], &error.details()["max_in_flight"]);
            assert_eq!(told, (&json!(tool), &json!(max)), "{error:?}");
        }
    }
    for invocation in gate.calls.lock().iter() {
        invocation.complete(document(json!("open"))).unwrap();
    }
    for operation in [held, also] {
        assert_eq!(outcome(&operation).unwrap().to_document().unwrap(), json!("open"));
    }
    close(&platform);
}

#[test]
fn cancel_and_deadline_go_down_through_every_side() {
    let platform = one_pool();
    let session = session(&platform);
    let bottom = Silent::default();
    platform.register_tool(None, named("bottom"), Arc::new(bottom.clone())).unwrap();
    let (inner, started) = (session.clone(), Kept::default());
    let nested = started.clone();
    host_tool(&platform, named("bounce"), move |invocation| {
        let level = invocation.arguments().to_document().unwrap()["level"].as_i64().unwrap();
        let parent = Some(invocation.clone());
        let below = tool_request("deep", &json!({"level": level - 1}));
        let operation = inner.call_tool(ToolRequest { parent, ..below }).unwrap();
        nested.lock().push(operation.clone());
        Some(finish(operation))
    });
    let deep = tool_request("deep", &json!({"level": 2}));
    let limit = Duration::from_secs(30);
    let limited = ToolRequest { timeout: Timeout::After(limit), ..deep };
    let operation = begin(&session, limited);
    eventually("it is at the bottom", || bottom.calls.lock().len() == 1);
    let lowest = bottom.calls.lock()[0].clone();
    // Three tools of Python's, one in another; the innermost has no more time than the outermost.
    assert_eq!(lowest.facts().depth, 2);
    assert!(lowest.facts().deadline.remaining().unwrap() <= limit);
    assert_eq!(lowest.arguments().to_document().unwrap(), json!({"level": 0}));
    operation.cancel();
    assert_eq!(outcome(&operation).unwrap_err().status(), Status::Cancelled);
    eventually("the bottom is told", || *bottom.cancelled.lock() == 1);
    for below in started.lock().drain(..) {
        assert!(below.wait(Some(LONG)), "nothing is left running");
    }
    let short = Timeout::After(Duration::from_millis(500));
    let deep = ToolRequest { timeout: short, ..tool_request("deep", &json!({"level": 2})) };
    let error = finish(session.call_tool(deep).unwrap()).unwrap_err();
    assert_eq!(error.status(), Status::Deadline, "{error:?}");
    eventually("everybody was told", || bottom.calls.lock().iter().all(|call| call.is_cancelled()));
    let error = call(&session, "recurse", json!({})).unwrap_err();
    assert_eq!(error.status(), Status::ResourceExhausted, "{error:?}");
    assert!(error.message().contains("nested 17 deep"), "{error:?}");
    assert_eq!(call(&session, "add", json!({"a": 1})).unwrap(), json!(2), "the worker goes on");
    close(&platform);
}

#[test]
fn an_idempotent_tool_survives_the_death_of_its_worker() {
    let platform = one_pool();
    let session = session(&platform);
    let ledger = tempfile::tempdir().unwrap();
    let arguments = json!({"ledger": ledger.path().join("ran")});
    assert_eq!(call(&session, "crash_first", arguments).unwrap(), json!(2));
    close(&platform);
}

#[test]
fn a_tool_of_a_closed_session_is_gone() {
    let platform = one_pool();
    let (session, other) = (session(&platform), session(&platform));
    let own = Silent::default();
    platform.register_tool(Some(&session), named("own"), Arc::new(own.clone())).unwrap();
    let error = call(&other, "own", json!({})).unwrap_err();
    assert_eq!(error.status(), Status::NotFound, "{error:?}");
    let operation = begin(&session, tool_request("own", &json!({})));
    eventually("it was called", || own.calls.lock().len() == 1);
    finish(session.close().unwrap()).unwrap();
    assert_eq!(outcome(&operation).unwrap_err().status(), Status::Cancelled);
    eventually("the host was told", || *own.cancelled.lock() == 1);
    let answered = own.calls.lock()[0].complete(Value::null());
    assert_eq!(answered.unwrap_err().status(), Status::Cancelled);
    close(&platform);
}
