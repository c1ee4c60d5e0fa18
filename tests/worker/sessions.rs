//! Sessions that end under work of a real Python worker: the operation, its tool and its state
//! access end with it, once, and the worker goes on for others.

use std::sync::Arc;
use std::time::Duration;

use super::support::{
    begin, call, close, config, eventually, finish, open, outcome, session, tool,
};
use parking_lot::Mutex;
use serde_json::json;
use snakepit_bridge::api::{Invocation, OperationState, RegisterVariable, SessionOptions};
use snakepit_bridge::core::{Status, Value};

fn counter() -> RegisterVariable {
    RegisterVariable {
        name: "n".to_owned(),
        type_name: "integer".to_owned(),
        initial: Value::from_json("0").unwrap(),
        constraints: None,
        metadata: None,
    }
}

#[test]
fn closing_ends_the_operation_its_tool_and_its_variables_and_the_worker_goes_on() {
    let platform = open(&config(1, 4));
    let closing = session(&platform);
    let other = session(&platform);
    let asked: Arc<Mutex<Vec<Arc<Invocation>>>> = Arc::default();
    let kept = asked.clone();
    tool(&platform, Some(&closing), "wait", move |invocation| {
        kept.lock().push(invocation.clone());
        None
    });
    closing.register_variable(counter()).unwrap();
    other.register_variable(counter()).unwrap();
    let waiting = begin(&closing, "call_tool", json!({"name": "wait", "arguments": {}}));
    let sleeping = begin(&closing, "sleep_until_cancelled", json!({}));
    eventually("both run", || {
        asked.lock().len() == 1 && sleeping.state() == OperationState::Running
    });
    finish(closing.close().unwrap()).unwrap();
    for operation in [&waiting, &sleeping] {
        let error = outcome(operation).unwrap_err();
        assert_eq!(error.status(), Status::Cancelled, "{error}");
        assert!(error.message().contains("the session was closed"), "{error}");
    }
    assert_eq!(closing.get_variable("n").unwrap_err().status(), Status::Closed);
    assert_eq!(closing.info().unwrap_err().status(), Status::Closed);
    eventually("the worker is free", || platform.pool("").unwrap().stats()["running"] == 0);
    call(&other, "variable_increment", json!({"name": "n"})).unwrap();
    assert_eq!(other.get_variable("n").unwrap().1, 2);
    let list = call(&other, "list_tools", json!({})).unwrap();
    assert_eq!(list, json!([]));
    close(&platform);
}

#[test]
fn a_session_lives_while_a_call_runs_and_ends_its_time_after() {
    let platform = open(&config(1, 4));
    let ttl = Some(Duration::from_millis(1500));
    let options = SessionOptions { id: Some("a".to_owned()), ttl, ..SessionOptions::default() };
    let session = platform.open_session(options.clone()).unwrap();
    let running = begin(&session, "sleep_until_cancelled", json!({}));
    // Far longer than its time: a session with a shorter one, which nobody uses, comes and goes.
    for _ in 0..2 {
        let short =
            SessionOptions { ttl: Some(Duration::from_millis(800)), ..SessionOptions::default() };
        let short = platform.open_session(short).unwrap();
        let id = short.id().to_string();
        eventually("the unused one has ended", || platform.session(&id).is_err());
    }
    assert_eq!(platform.session("a").unwrap().info().unwrap()["operations_running"], 1);
    running.cancel();
    assert_eq!(outcome(&running).unwrap_err().status(), Status::Cancelled);
    eventually("it has ended", || platform.session("a").is_err());
    platform.open_session(options).unwrap();
    close(&platform);
}

#[test]
fn a_clone_has_the_variables_and_none_of_the_calls() {
    let platform = open(&config(1, 4));
    let first = session(&platform);
    first.register_variable(counter()).unwrap();
    call(&first, "variable_increment", json!({"name": "n"})).unwrap();
    let running = begin(&first, "sleep_until_cancelled", json!({}));
    let second = first.clone_as(SessionOptions::default()).unwrap();
    assert_eq!(second.info().unwrap()["operations_running"], 0);
    call(&second, "variable_increment", json!({"name": "n"})).unwrap();
    assert_eq!(second.get_variable("n").unwrap().1, 3);
    assert_eq!(first.get_variable("n").unwrap().1, 2);
    finish(first.close().unwrap()).unwrap();
    assert_eq!(outcome(&running).unwrap_err().status(), Status::Cancelled);
    call(&second, "variable_increment", json!({"name": "n"})).unwrap();
    close(&platform);
}

#[test]
fn a_handler_that_goes_on_after_its_session_was_closed_reaches_neither_it_nor_its_namesake() {
    let platform = open(&config(1, 4));
    let options = || SessionOptions { id: Some("a".to_owned()), ..SessionOptions::default() };
    let first = platform.open_session(options()).unwrap();
    first.register_variable(counter()).unwrap();
    let late = begin(&first, "reach_late", json!({"name": "n"}));
    eventually("it runs", || platform.pool("").unwrap().stats()["running"] == 1);
    finish(first.close().unwrap()).unwrap();
    assert_eq!(outcome(&late).unwrap_err().status(), Status::Cancelled);
    let second = platform.open_session(options()).unwrap();
    second.register_variable(counter()).unwrap();
    let reached = call(&second, "late_reaches", json!({})).unwrap();
    assert_eq!(reached.as_array().unwrap().len(), 2, "{reached}");
    assert!(!reached.as_array().unwrap().contains(&json!("reached")), "{reached}");
    assert_eq!(second.info().unwrap()["revision"], 1);
    close(&platform);
}
