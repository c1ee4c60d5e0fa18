//! Calls through a real Python worker: values, errors, sessions, tools, variables. One test per
//! promise; each opens its own platform.

use std::sync::Arc;
use std::time::Duration;

use super::support::{
    LONG, begin, call, close, config, finish, open, outcome, request, session, tool,
};
use serde_json::json;
use snakepit_bridge::api::{ExecuteRequest, Timeout};
use snakepit_bridge::core::{Attachment, DType, Error, Status, Tensor, Value, limits};

#[test]
fn values_come_back_with_their_type_and_through_tools_too() {
    let platform = open(&config(1, 8));
    let session = session(&platform);
    tool(&platform, None, "mirror", |invocation| Some(Ok(invocation.arguments().clone())));
    let value = json!({"value": {
        "big": i64::MAX, "small": i64::MIN, "unsigned": u64::MAX, "nothing": null, "yes": true,
        "nested": [[1, [2.5, []]], {}], "empty": "", "emoji": "🐍é\u{0}", "float": 1.0,
        "$$spb": 1, "$$$spb": {"$$spb": 2},
    }});
    for function in ["echo", "echo_inline", "echo_async"] {
        assert_eq!(call(&session, function, value.clone()).unwrap(), value["value"], "{function}");
    }
    let mirrored = json!({"name": "mirror", "arguments": value["value"]});
    for function in ["call_tool", "call_tool_async"] {
        assert_eq!(call(&session, function, mirrored.clone()).unwrap(), value["value"]);
    }
    let kinds =
        call(&session, "kinds", json!({"value": [1, 1.0, true, null, "", [], {}]})).unwrap();
    assert_eq!(kinds, json!(["int", "float", "bool", "NoneType", "str", [], {}]));
    close(&platform);
}

#[test]
fn what_has_ended_is_told_while_the_next_call_of_its_batch_runs_on_the_dispatch_thread() {
    let platform = open(&config(1, 8));
    let session = session(&platform);
    let folder = tempfile::tempdir().unwrap();
    let mark = |name: &str| folder.path().join(name);
    let await_mark = |name| begin(&session, "await_mark", json!({"path": mark(name)}));
    // While the first one holds the dispatch thread, the others come together.
    let first = await_mark("first");
    let quick: Vec<_> =
        (0..3).map(|number| begin(&session, "echo_inline", json!({"value": number}))).collect();
    let last = await_mark("last");
    std::fs::write(mark("first"), "").unwrap();
    assert_eq!(outcome(&first).unwrap().to_document().unwrap(), true);
    for (number, operation) in quick.iter().enumerate() {
        assert_eq!(outcome(operation).unwrap().to_document().unwrap(), number);
    }
    assert!(!last.is_done(), "it waits for its mark");
    std::fs::write(mark("last"), "").unwrap();
    assert_eq!(outcome(&last).unwrap().to_document().unwrap(), true);
    close(&platform);
}

#[test]
fn bytes_and_arrays_come_back_identical() {
    let platform = open(&config(1, 8));
    let session = session(&platform);
    tool(&platform, None, "mirror", |invocation| Some(Ok(invocation.arguments().clone())));
    let tensor = Tensor::new(DType::Int16, vec![2, 2], vec![1, 0, 2, 0, 3, 0, 255, 255]).unwrap();
    let attachments =
        vec![Attachment::Blob(vec![0, 255, 7].into()), Attachment::Tensor(tensor.clone())];
    let json = r#"{"value":{"b":{"$spb":{"attachment":0}},"t":{"$spb":{"attachment":1}}}}"#;
    let parameters = Value::new(json, attachments.clone()).unwrap();
    let run = |operation: &str, parameters: &Value| {
        let request = ExecuteRequest {
            parameters: Some(parameters.clone()),
            ..request(operation, &json!({}))
        };
        finish(session.prepare(request).unwrap()).unwrap()
    };
    let kinds = run("kinds", &parameters).to_document().unwrap();
    assert_eq!(kinds, json!({"b": "bytes", "t": "ndarray:int16:[2, 2]:[[1, 2], [3, -1]]"}));
    let echoed = run("echo", &parameters);
    assert_eq!(echoed.attachments(), attachments);
    let through_tool = Value::new(
        json.replace("value", "arguments").replace("{\"arg", "{\"name\":\"mirror\",\"arg"),
        attachments.clone(),
    );
    let mirrored = run("call_tool", &through_tool.unwrap());
    assert_eq!(mirrored.attachments(), attachments);
    close(&platform);
}

#[test]
fn what_has_no_exact_form_is_refused_by_name_and_the_pool_goes_on() {
    let platform = open(&config(1, 8));
    let session = session(&platform);
    let python_pid = call(&session, "pid", json!({})).unwrap();
    let from_host = [
        ("{\"value\":[NaN]}".to_owned(), Status::InvalidArgument, "$.value[0]"),
        ("{\"value\":18446744073709551616}".to_owned(), Status::InvalidArgument, "$.value"),
        (format!("{}{}", "[".repeat(65), "]".repeat(65)), Status::InvalidArgument, "$[0]"),
    ];
    for (document, status, path) in from_host {
        let error = Value::from_json(document).unwrap_err();
        assert_eq!(error.status(), status);
        assert!(error.details()["path"].as_str().unwrap().starts_with(path), "{error}");
    }
    assert_eq!(Value::from_json(&b"\"\xff\""[..]).unwrap_err().status(), Status::Utf8);
    let large = format!("{{\"value\":\"{}\"}}", "x".repeat(limits::VALUE_BYTES_MAX));
    assert_eq!(Value::from_json(large).unwrap_err().status(), Status::ResourceExhausted);
    for (what, place) in
        [("nan", "a"), ("big", "n"), ("deep", "["), ("object", "x"), ("unserialisable_key", "")]
    {
        let error = call(&session, "make", json!({"what": what})).unwrap_err();
        let status = error.status();
        assert!(
            matches!(status, Status::InvalidArgument | Status::TypeMismatch),
            "{what}: {error}"
        );
        assert!(error.message().contains(place), "{what}: {error}");
    }
    assert_eq!(call(&session, "pid", json!({})).unwrap(), python_pid);
    close(&platform);
}

#[test]
fn python_sees_the_callers_session_and_only_its_tools() {
    let platform = open(&config(1, 8));
    let (own, other) = (session(&platform), session(&platform));
    assert_eq!(call(&own, "session_id", json!({})).unwrap(), json!(own.id().as_str()));
    tool(&platform, Some(&own), "secret", |_| Some(Ok(Value::from_document(&json!("told")))));
    let ask = json!({"name": "secret", "arguments": {}});
    assert_eq!(call(&own, "call_tool", ask.clone()).unwrap(), json!("told"));
    assert_eq!(call(&own, "list_tools", json!({})).unwrap(), json!(["secret"]));
    assert_eq!(call(&other, "list_tools", json!({})).unwrap(), json!([]));
    let error = call(&other, "call_tool", ask).unwrap_err();
    assert_eq!(error.status(), Status::NotFound, "{error:?}");
    close(&platform);
}

#[test]
fn an_exception_arrives_with_type_message_traceback_and_cause() {
    let platform = open(&config(1, 8));
    let session = session(&platform);
    let error = call(&session, "fail", json!({"message": "no such luck"})).unwrap_err();
    assert_eq!(error.status(), Status::PythonException);
    assert_eq!(error.message(), "no such luck");
    let python = error.python().unwrap();
    assert!(python.type_name.ends_with("ValueError"), "{}", python.type_name);
    assert!(python.traceback.contains("spb_testmod.py"), "{}", python.traceback);
    assert!(python.causes[0].0.ends_with("KeyError"), "{:?}", python.causes);
    let error = call(&session, "raise_system_exit", json!({})).unwrap_err();
    assert!(error.python().unwrap().type_name.ends_with("SystemExit"));
    assert_eq!(call(&session, "echo", json!({"value": 1})).unwrap(), json!(1));
    close(&platform);
}

#[test]
fn what_is_unknown_is_refused_before_dispatch() {
    let platform = open(&config(1, 8));
    let session = session(&platform);
    let refusal = |framework: &str, operation: &str, parameters| {
        let request =
            ExecuteRequest { framework: framework.to_owned(), ..request(operation, &parameters) };
        session.prepare(request).map(drop).unwrap_err()
    };
    let error = refusal("pyhton", "echo", json!({}));
    assert_eq!(
        (error.status(), error.message().ends_with("did you mean \"python\"?")),
        (Status::NotFound, true)
    );
    let error = refusal("python", "ecoh", json!({}));
    assert_eq!(
        (error.status(), error.message().ends_with("did you mean \"echo\"?")),
        (Status::NotFound, true)
    );
    let error = refusal("python", "echo", json!({"valeu": 1}));
    assert_eq!(error.message(), "unknown parameter \"valeu\"; did you mean \"value\"?");
    let error = refusal("python", "echo", json!({}));
    assert_eq!(error.message(), "parameter \"value\" is missing");
    let error = refusal("python", "fail", json!({"message": 7}));
    assert_eq!(error.details()["path"], "$.message");
    close(&platform);
}

#[test]
fn variables_are_shared_with_python() {
    let platform = open(&config(2, 8));
    let session = session(&platform);
    let variable = snakepit_bridge::state::RegisterVariable {
        name: "asked".into(),
        type_name: "integer".into(),
        initial: Value::from_document(&json!(41)),
        constraints: Some(r#"{"max":43}"#.into()),
        metadata: None,
    };
    assert_eq!(session.register_variable(variable).unwrap(), 1);
    assert_eq!(call(&session, "variable_increment", json!({"name": "asked"})).unwrap(), json!(42));
    let (value, version) = session.get_variable("asked").unwrap();
    assert_eq!((value.to_document().unwrap(), version), (json!(42), 2));
    call(&session, "variable_increment", json!({"name": "asked"})).unwrap();
    let error = call(&session, "variable_increment", json!({"name": "asked"})).unwrap_err();
    assert_eq!(error.status(), Status::Constraint, "{error:?}");
    let stale = session.set_variable("asked", Value::from_document(&json!(1)), Some(1));
    assert_eq!(stale.unwrap_err().status(), Status::VersionConflict);
    let made = call(
        &session,
        "variable_register",
        json!({"name": "made", "type": "string", "initial": "x"}),
    );
    assert_eq!(made.unwrap(), json!("x"));
    assert_eq!(session.list_variables("").unwrap().len(), 2);
    close(&platform);
}

#[test]
fn a_tools_failure_reaches_python_and_comes_back_typed() {
    let platform = open(&config(1, 8));
    let session = session(&platform);
    tool(&platform, None, "broken", |_| {
        Some(Err(Error::new(Status::ToolFailed, "the shop is closed").with("until", "9:00")))
    });
    tool(&platform, None, "dropped", |invocation| {
        invocation.abandon();
        None
    });
    let ask = |name: &str| {
        call(&session, "call_tool", json!({"name": name, "arguments": {}})).unwrap_err()
    };
    let error = ask("broken");
    assert_eq!((error.status(), error.message()), (Status::ToolFailed, "the shop is closed"));
    assert_eq!(error.details()["until"], "9:00");
    assert!(ask("dropped").message().contains("unanswered"));
    assert_eq!(ask("brokn").status(), Status::NotFound);
    close(&platform);
}

#[test]
fn a_pool_of_one_worker_carries_calls_inside_tools_inside_calls() {
    let platform = open(&config(1, 1));
    let session = session(&platform);
    let inner = session.clone();
    tool(&platform, None, "again", move |invocation| {
        let level = invocation.arguments().to_document().unwrap()["level"].as_u64().unwrap();
        if level == 0 {
            return Some(Ok(Value::from_document(&json!("bottom"))));
        }
        let parameters = json!({"name": "again", "arguments": {"level": level - 1}});
        let request = ExecuteRequest {
            parent: Some(invocation.clone()),
            ..request("call_tool", &parameters)
        };
        Some(inner.prepare(request).and_then(finish))
    });
    let deep = |level: u32| {
        call(&session, "call_tool", json!({"name": "again", "arguments": {"level": level}}))
    };
    assert_eq!(deep(4).unwrap(), json!("bottom"));
    let error = deep(20).unwrap_err();
    assert_eq!(error.status(), Status::ResourceExhausted, "{error:?}");
    assert!(error.message().contains("nested"), "{error}");
    close(&platform);
}

#[test]
fn a_deadline_frees_the_caller_tells_the_handler_and_keeps_the_worker() {
    let platform = open(&config(1, 1));
    let session = session(&platform);
    let python_pid = call(&session, "pid", json!({})).unwrap();
    // What else the machine does meanwhile only adds to the time: the best of a few counts.
    let took = (0..5).map(|_| time_to_deadline(&session)).min().unwrap();
    assert!((100..150).contains(&took.as_millis()), "{took:?}");
    assert_eq!(call(&session, "saw_cancel", json!({})).unwrap(), json!(true));
    assert_eq!(call(&session, "pid", json!({})).unwrap(), python_pid);
    close(&platform);
}

/// The moment of a deadline may come when a cancel has just ended the call: that is no handler that
/// did not stop.
#[test]
fn a_cancel_at_the_deadline_costs_no_worker() {
    const CALLS: usize = 64;
    let platform = open(&config(1, CALLS));
    let session = session(&platform);
    let python_pid = call(&session, "pid", json!({})).unwrap();
    let sleep = || ExecuteRequest {
        timeout: Timeout::After(Duration::from_millis(30)),
        ..request("sleep_until_cancelled", &json!({}))
    };
    for _ in 0..40 {
        let calls: Vec<_> = (0..CALLS).map(|_| session.prepare(sleep()).unwrap()).collect();
        calls.iter().for_each(|operation| operation.start(None));
        assert!(calls[0].wait(Some(LONG)), "the first deadline has not come");
        // The others come in the other order, at the same time: some of them meet their cancel.
        calls.iter().rev().for_each(|operation| operation.cancel());
        for operation in &calls {
            let status = outcome(operation).unwrap_err().status();
            assert!(matches!(status, Status::Deadline | Status::Cancelled), "{status:?}");
        }
    }
    assert_eq!(call(&session, "pid", json!({})).unwrap(), python_pid);
    close(&platform);
}

#[test]
fn what_python_prints_and_logs_arrives_as_records_of_its_call() {
    struct Keep(parking_lot::Mutex<Vec<serde_json::Value>>);
    impl snakepit_bridge::api::LogSink for Keep {
        fn take(&self, batch: &mut snakepit_bridge::api::LogBatch) {
            self.0.lock().extend(batch.records.drain(..).map(|record| record.to_json()));
        }
    }
    let platform = open(&config(1, 8));
    let session = session(&platform);
    let kept = Arc::new(Keep(parking_lot::Mutex::default()));
    let filter = snakepit_bridge::api::LogFilter {
        level: snakepit_bridge::api::Level::Info,
        target_prefix: String::new(),
    };
    let watch = platform.subscribe_logs(filter, kept.clone()).unwrap();
    call(&session, "speak", json!({"text": "hello from print"})).unwrap();
    let has = |target: &str, text: &str| {
        kept.0.lock().iter().any(|record| {
            record["target"] == target
                && record["message"].as_str().is_some_and(|message| message.contains(text))
                && record["session"] == session.id().as_str()
        })
    };
    super::support::eventually("both records", || {
        has("stdout", "hello from print") && has("tests.speak", "logged hello")
    });
    drop(watch);
    close(&platform);
}

#[test]
fn trace_context_goes_into_python_and_out_through_tools() {
    let platform = open(&config(1, 8));
    let session = session(&platform);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let traced = |operation: &str, parameters| ExecuteRequest {
        traceparent: Some(format!("00-{trace}-b7ad6b7169203331-01")),
        ..request(operation, &parameters)
    };
    let seen = finish(session.prepare(traced("trace", json!({}))).unwrap()).unwrap();
    assert!(seen.to_document().unwrap().as_str().unwrap().contains(trace));
    tool(&platform, None, "span", |invocation| {
        Some(Ok(Value::from_document(&json!(invocation.facts().traceparent))))
    });
    let ask = traced("call_tool", json!({"name": "span", "arguments": {}}));
    let out = finish(session.prepare(ask).unwrap()).unwrap().to_document().unwrap();
    let out = out.as_str().unwrap();
    assert!(out.contains(trace) && !out.contains("b7ad6b7169203331"), "{out}");
    let bad = ExecuteRequest { traceparent: Some("00-zz".into()), ..request("trace", &json!({})) };
    let error = session.prepare(bad).map(drop).unwrap_err();
    assert_eq!(error.details()["field"], "traceparent");
    close(&platform);
}

/// How long a call with a deadline of 100 ms keeps its caller.
fn time_to_deadline(session: &snakepit_bridge::api::Session) -> Duration {
    let started = std::time::Instant::now();
    let request = ExecuteRequest {
        timeout: Timeout::After(Duration::from_millis(100)),
        ..request("sleep_until_cancelled", &json!({}))
    };
    let error = finish(session.prepare(request).unwrap()).unwrap_err();
    assert_eq!(error.status(), Status::Deadline);
    started.elapsed()
}
