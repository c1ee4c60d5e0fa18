//! The tool bridge with real workers: tools of this host and of Python, called from either side.
//!
//! `values` is what passes through, `streams` what comes in pieces, `limits` what ends a call,
//! `hooks` what stands around it.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{
    Invocation, Operation, Platform, Session, Timeout, ToolRequest, ToolSpec,
};
use snakepit_bridge::core::{Result, Status, Value};

use super::support::{LONG, Tool, close, config, finish, open, run, session};

mod hooks;
mod limits;
mod streams;
mod values;

/// One worker that serves the functions and tools of `spb_toolmod`.
fn one_pool() -> Arc<Platform> {
    open(&of_one_pool())
}

/// The same, and one worker more in the pool `other`, which has the tools alone.
fn pools() -> Arc<Platform> {
    let mut config = of_one_pool();
    let mut other = config["pools"]["default"].clone();
    other["frameworks"] = json!({"tools": {"modules": ["spb_toolmod"]}});
    other["env"] = json!({"SPB_TEST_POOL": "other"});
    config["pools"]["other"] = other;
    let platform = open(&config);
    let other = platform.pool("other").unwrap();
    finish(other.await_ready(0, Timeout::After(LONG)).unwrap()).unwrap();
    platform
}

fn of_one_pool() -> Json {
    let frameworks =
        json!({"python": {"modules": ["spb_toolmod"]}, "tools": {"modules": ["spb_toolmod"]}});
    let mut config = config(1, &frameworks);
    config["pools"]["default"]["env"] = json!({"SPB_TEST_POOL": "default"});
    config
}

fn tool_request(name: &str, arguments: &Json) -> ToolRequest {
    ToolRequest {
        name: name.to_owned(),
        arguments: Some(Value::from_document(arguments)),
        timeout: Timeout::After(LONG),
        ..ToolRequest::default()
    }
}

/// Calls a tool of either side by name.
fn call(session: &Session, name: &str, arguments: Json) -> Result<Json> {
    finish(session.call_tool(tool_request(name, &arguments))?)?.to_document()
}

/// The same from Python.
fn from_python(session: &Session, name: &str, arguments: Json) -> Result<Json> {
    run(session, "python", "use", json!({"name": name, "arguments": arguments}))
}

fn begin(session: &Session, request: ToolRequest) -> Arc<Operation> {
    let operation = session.call_tool(request).unwrap();
    operation.start(None);
    operation
}

fn host_tool<F>(platform: &Arc<Platform>, spec: ToolSpec, run: F)
where
    F: Fn(&Arc<Invocation>) -> Option<Result<Value>> + Clone + Send + Sync + 'static,
{
    platform.register_tool(None, spec, Arc::new(Tool(run))).unwrap();
}

fn named(name: &str) -> ToolSpec {
    ToolSpec { name: name.to_owned(), ..ToolSpec::default() }
}

fn document(value: Json) -> Value {
    Value::from_document(&value)
}

/// What the test's own threads keep for it.
type Kept<T> = Arc<Mutex<Vec<T>>>;

#[test]
fn tools_of_both_sides_are_listed_and_called_by_name_from_both() {
    let platform = pools();
    let session = session(&platform);
    let spec = ToolSpec {
        description: "The capital of a country.".to_owned(),
        input_schema: Some(json!({"type": "object", "required": ["country"]})),
        output_schema: Some(json!({"type": "string"})),
        idempotent: true,
        max_in_flight: Some(3),
        ..named("capital")
    };
    host_tool(&platform, spec, |_| Some(Ok(document(json!("Lima")))));
    let list = platform.tools(Some(&session));
    let find = |name: &str, pool: Option<&str>| {
        let mut all = list.as_array().unwrap().iter();
        all.find(|tool| tool["name"] == name && tool["pool"] == json!(pool)).unwrap().clone()
    };
    let capital = find("capital", None);
    assert_eq!((&capital["side"], &capital["scope"]), (&json!("host"), &json!("platform")));
    assert_eq!(capital["input_schema"]["required"], json!(["country"]));
    assert_eq!((&capital["idempotent"], &capital["max_in_flight"]), (&json!(true), &json!(3)));
    for pool in ["default", "other"] {
        let add = find("add", Some(pool));
        assert_eq!(add["side"], "python");
        assert_eq!(add["description"], "Adds two numbers.");
        assert_eq!(add["input_schema"]["required"], json!(["a"]));
        assert_eq!(add["output_schema"]["type"], "integer");
        assert_eq!((&add["idempotent"], &add["timeout_ms"]), (&json!(true), &json!(30_000)));
        assert_eq!((&add["streaming"], &add["max_in_flight"]), (&json!(false), &json!(100)));
        let count = find("count", Some(pool));
        assert_eq!((&count["streaming"], &count["idempotent"]), (&json!(true), &json!(false)));
        assert_eq!(count["chunk_schema"]["type"], "integer");
    }
    assert_eq!(find("shout", Some("other"))["description"], "Shouts, from the event loop.");
    let seen = run(&session, "python", "listed", json!({"name": "capital"})).unwrap();
    assert_eq!((&seen["side"], &seen["description"]), (&json!("host"), &capital["description"]));
    assert_eq!((&seen["idempotent"], &seen["max_in_flight"]), (&json!(true), &json!(3)));

    for way in [call, from_python] {
        assert_eq!(way(&session, "capital", json!({"country": "Peru"})).unwrap(), json!("Lima"));
        assert_eq!(way(&session, "add", json!({"a": 2})).unwrap(), json!(3));
        assert_eq!(way(&session, "shout", json!({"text": "grüße"})).unwrap(), json!("GRÜSSE"));
        assert_eq!(way(&session, "where", json!({})).unwrap(), json!("default"));
        let error = way(&session, "capitol", json!({})).unwrap_err();
        assert_eq!(error.status(), Status::NotFound, "{error:?}");
        assert!(error.message().contains("did you mean \"capital\"?"), "{error:?}");
    }
    let there = ToolRequest { pool: "other".to_owned(), ..tool_request("where", &json!({})) };
    assert_eq!(finish(session.call_tool(there).unwrap()).unwrap().to_document().unwrap(), "other");
    let nowhere = ToolRequest { pool: "ohter".to_owned(), ..tool_request("where", &json!({})) };
    assert_eq!(session.call_tool(nowhere).map(drop).unwrap_err().status(), Status::NotFound);
    let host_only = ToolRequest { pool: "other".to_owned(), ..tool_request("capital", &json!({})) };
    assert_eq!(session.call_tool(host_only).map(drop).unwrap_err().status(), Status::NotFound);
    // Metrics and the framework's own operations know them, too.
    assert_eq!(run(&session, "tools", "add", json!({"a": 1, "b": 1})).unwrap(), json!(2));
    close(&platform);
}

#[test]
fn a_tool_that_comes_and_goes_in_the_middle_of_a_call_is_seen_by_it() {
    let platform = one_pool();
    let session = session(&platform);
    let late: Kept<snakepit_bridge::api::ToolRef> = Kept::default();
    let (weak, kept) = (Arc::downgrade(&platform), late.clone());
    host_tool(&platform, named("come"), move |_| {
        let sink = Tool(|_: &Arc<Invocation>| Some(Ok(document(json!("here")))));
        let tool = weak.upgrade().unwrap().register_tool(None, named("late"), Arc::new(sink));
        kept.lock().push(tool.unwrap());
        Some(Ok(Value::null()))
    });
    host_tool(&platform, named("go"), move |_| {
        let tool = late.lock().pop().unwrap();
        Some(finish(tool.unregister().unwrap()))
    });
    let names = json!(["late", "come", "late", "go", "late"]);
    let seen = run(&session, "python", "use_in_turn", json!({"names": names})).unwrap();
    let (before, with) = (json!(["come", "go"]), json!(["come", "go", "late"]));
    let expected =
        json!(["NotFound", before, null, with, "here", with, null, before, "NotFound", before]);
    assert_eq!(seen, expected);
    close(&platform);
}
