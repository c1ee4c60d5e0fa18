//! What a call can be besides a program: a language model asked directly, with a time of its own,
//! and looked up before it is made.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{ExecuteRequest, Invocation, Timeout, ToolSpec};
use snakepit_bridge::core::{Status, Value};

use super::super::support::{
    Tool, chunks, eventually, finish, outcome, request, run, start_stream,
};
use super::world::{Stage, lm};

#[test]
fn a_language_model_is_asked_directly() {
    let stage = Stage::new("direct", |prompt, _| {
        let told = prompt.user.to_uppercase();
        Some(if prompt.has("Be brief.") { told } else { format!("{told}, I suppose") })
    });
    let result = stage.whole("lm", json!({"prompt": "is it raining"}));
    assert_eq!(result["choices"][0]["content"], "IS IT RAINING, I suppose");
    assert_eq!(result["choices"][0]["finish_reason"], "stop");
    assert_eq!(result["usage"]["total_tokens"], 12);
    let messages = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "HELLO"},
        {"role": "user", "content": "and now"},
    ]);
    let parameters =
        json!({"messages": messages, "lm": stage.lm(), "config": {"temperature": 0.5}});
    let operation = start_stream(&stage.session, "dspy", "lm", &parameters);
    let tokens = chunks(&operation);
    let result = outcome(&operation).unwrap().to_document().unwrap();
    // This model reads what a user or an assistant said; the system's message it was sent as well.
    let joined: String = tokens.iter().map(|each| each["text"].as_str().unwrap()).collect();
    assert_eq!(json!(joined), result["choices"][0]["content"]);
    assert_eq!(joined, "AND NOW");
    let sent = stage.seen.lock().last().unwrap().clone();
    assert_eq!(sent["messages"], messages);
    assert_eq!(sent["temperature"], 0.5);
    let result = stage.whole("lm", json!({"prompt": "again", "n": 3}));
    assert_eq!(result["choices"].as_array().unwrap().len(), 3);
    assert_eq!(stage.asked(), 1 + 1 + 3);
}

#[test]
fn each_call_has_a_time_of_its_own() {
    let stage = Stage::new("times", |_, _| Some("now".to_owned()));
    let gate = Arc::new(parking_lot::Mutex::new(Vec::<Arc<Invocation>>::new()));
    let waiting = gate.clone();
    let sink = Tool(move |invocation: &Arc<Invocation>| {
        waiting.lock().push(invocation.clone());
        None
    });
    let spec = ToolSpec { name: "patient_lm".to_owned(), ..ToolSpec::default() };
    stage.platform.register_tool(None, spec, Arc::new(sink)).unwrap();
    let parameters = json!({
        "signature": "question -> answer",
        "inputs": {"question": "When?"},
        "lm": lm("patient_lm"),
    });
    let start = |timeout: Timeout| {
        let request = ExecuteRequest { timeout, ..request("dspy", "predict", &parameters) };
        let operation = stage.session.prepare(request).unwrap();
        operation.start(None);
        operation
    };
    let long = start(Timeout::After(Duration::from_secs(60)));
    let short = start(Timeout::After(Duration::from_millis(300)));
    assert_eq!(outcome(&short).unwrap_err().status(), Status::Deadline);
    eventually("the long one waits for its model", || !gate.lock().is_empty());
    assert!(!long.wait(Some(Duration::ZERO)), "the long one goes on");
    // Whichever of them is the long one's: the other belongs to a call that is over.
    for invocation in gate.lock().drain(..) {
        let _ = invocation.complete(Value::from_document(&json!("[[ ## answer ## ]]\nlater")));
    }
    let result = outcome(&long).unwrap().to_document().unwrap();
    assert_eq!(result["outputs"]["answer"], "later");
    // The same for a plain function, which is stopped in its sleep.
    let take = |timeout: u64| {
        let parameters = json!({"seconds": 20.0});
        let timeout = Timeout::After(Duration::from_millis(timeout));
        finish(
            stage
                .session
                .prepare(ExecuteRequest { timeout, ..request("python", "take", &parameters) })
                .unwrap(),
        )
    };
    assert_eq!(take(200).unwrap_err().status(), Status::Deadline);
    assert_eq!(run(&stage.session, "python", "take", json!({"seconds": 0.01})).unwrap(), "done");
}

#[test]
fn everything_that_is_used_here_can_be_looked_up() {
    let stage = Stage::new("schema", |_, _| None);
    let schema = stage.platform.schema(None).unwrap();
    for (framework, operation, parameter) in USED {
        let entry = &schema[framework]["operations"][operation];
        let at = format!("{framework}.{operation}");
        assert!(entry["doc"].as_str().is_some_and(|doc| doc.len() > 10), "{at}: {entry}");
        assert!(entry["parameters"]["properties"][parameter].is_object(), "{at}.{parameter}");
        assert_eq!(entry["parameters"]["type"], "object", "{at}");
    }
    let one = stage.platform.schema(Some("dspy")).unwrap();
    assert_eq!(one, schema["dspy"]);
    let version: Vec<&str> = one["version"].as_str().unwrap().split('.').collect();
    assert_eq!(version[0], "3", "{version:?}");
    let error = stage.platform.schema(Some("dspi")).unwrap_err();
    assert_eq!(error.status(), Status::NotFound);
    assert!(error.message().contains("dspy"), "{error}");
    // What the schema says is what is held against a call, with the place.
    let wrong: Json =
        json!({"signature": "a -> b", "inputs": {"a": 1}, "lm": lm("x"), "adapter": "yaml"});
    let error = run(&stage.session, "dspy", "predict", wrong).unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument);
    assert!(error.to_string().contains("adapter"), "{error}");
}

/// Framework, operation, and a parameter of it.
const USED: [(&str, &str, &str); 14] = [
    ("dspy", "predict", "signature"),
    ("dspy", "chain_of_thought", "inputs"),
    ("dspy", "react", "tools"),
    ("dspy", "run", "program"),
    ("dspy", "batch", "max_concurrency"),
    ("dspy", "evaluate", "metric"),
    ("dspy", "lm", "messages"),
    ("dspy", "describe_program", "program"),
    ("dspy", "check_program", "program"),
    ("dspy", "embed", "texts"),
    ("dspy", "retrieve", "queries"),
    ("dspy", "knn", "k"),
    ("python", "totals", "rows"),
    ("python", "take", "seconds"),
];
