//! DSPy in a real worker, with this host as its language model and tool: typed outputs, an agent,
//! token streams, failures, deadline and cancel. The model follows rules over the prompt.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::support::{LONG, Tool, close, eventually, finish, guard, outcome, python, session};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{
    ChunkOutcome, ExecuteRequest, Invocation, Platform, Session, Timeout, ToolSpec,
};
use snakepit_bridge::core::{Error, Result, Status, Value};

#[test]
fn predict_fills_in_typed_fields() {
    let platform = platform();
    let session = session(&platform);
    let seen = model(&platform, |_| None);
    let parameters = json!({
        "signature": "question -> answer, score: float, sure: bool, tags: list[str]",
        "inputs": {"question": "What is the capital of Peru?"},
        "lm": {"kind": "host_tool", "tool": "lm", "model": "small", "temperature": 0.5},
    });
    let result = run(&session, "predict", parameters).unwrap();
    let outputs = json!({"answer": "Lima", "score": 0.5, "sure": true, "tags": ["a", "b"]});
    assert_eq!(result["outputs"], outputs);
    assert_eq!(
        result["usage"],
        json!({"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12})
    );
    let seen = seen.lock();
    let request = seen.first().unwrap();
    assert_eq!((&request["model"], &request["temperature"]), (&json!("small"), &json!(0.5)));
    close(&platform);
}

#[test]
fn an_agent_uses_a_host_tool_and_streams_what_it_thinks() {
    let platform = platform();
    let session = session(&platform);
    model(&platform, |_| None);
    lookup(&platform);
    let request = ExecuteRequest { stream: true, ..request("react", agent()) };
    let operation = session.prepare(request).unwrap();
    operation.start(None);
    let mut order: Vec<String> = Vec::new();
    let mut answer = String::new();
    loop {
        let chunk = match operation.next_chunk(Some(LONG)) {
            ChunkOutcome::Chunk(value) => value.to_document().unwrap(),
            ChunkOutcome::Ended => break,
            other => panic!("{other:?}"),
        };
        let what = chunk["field"].as_str().or(chunk["message"].as_str()).unwrap().to_owned();
        if what == "answer" {
            answer.push_str(chunk["text"].as_str().unwrap());
        }
        if order.last() != Some(&what) {
            order.push(what);
        }
    }
    let expected = [
        "next_thought",
        "calling lookup",
        "lookup answered",
        "next_thought",
        "reasoning",
        "answer",
    ];
    assert_eq!(order, expected);
    let result = outcome(&operation).unwrap().to_document().unwrap();
    assert_eq!((result["outputs"]["answer"].as_str(), answer.as_str()), (Some("Lima"), "Lima"));
    assert_eq!(result["trajectory"][0]["observation"], json!({"capital": "Lima"}));
    assert_eq!(result["lm_calls"], 3);
    close(&platform);
}

#[test]
fn a_failing_tool_is_an_observation_and_a_failing_model_ends_the_call() {
    let platform = platform();
    let session = session(&platform);
    let failing = Arc::new(Mutex::new(None::<Error>));
    let failure = failing.clone();
    model(&platform, move |_| failure.lock().clone());
    super::support::tool(&platform, None, "lookup", |_| {
        Some(Err(Error::new(Status::ToolFailed, "the atlas is closed")))
    });
    let result = run(&session, "react", agent()).unwrap();
    let observation = "Execution error in lookup: the atlas is closed";
    assert_eq!(result["trajectory"][0]["observation"], observation);

    *failing.lock() = Some(Error::new(Status::ToolFailed, "no credit left").with("shop", "closed"));
    let error = run(&session, "react", agent()).unwrap_err();
    assert_eq!((error.status(), error.message()), (Status::ToolFailed, "no credit left"));
    assert_eq!(error.details()["shop"], "closed");
    close(&platform);
}

#[test]
fn a_retryable_failure_is_asked_again_and_a_malformed_answer_is_named() {
    let platform = platform();
    let session = session(&platform);
    let left = Arc::new(Mutex::new(2));
    let failures = left.clone();
    let seen = model(&platform, move |_| {
        let mut left = failures.lock();
        let busy = Error::new(Status::ResourceExhausted, "slow down").with("retry_after_s", 0.01);
        (*left > 0).then(|| {
            *left -= 1;
            busy
        })
    });
    assert_eq!(run(&session, "predict", question()).unwrap()["outputs"]["answer"], "Lima");
    assert_eq!(seen.lock().len(), 3);

    super::support::tool(&platform, Some(&session), "lm", |_| {
        Some(Ok(Value::from_document(&json!(7))))
    });
    let error = run(&session, "predict", question()).unwrap_err();
    assert_eq!(error.status(), Status::ToolFailed);
    assert!(error.message().contains("answered int, expected a string or an object"), "{error}");
    close(&platform);
}

#[test]
fn deadline_and_cancel_end_a_call_whose_model_never_answers() {
    let platform = platform();
    let session = session(&platform);
    let held = Arc::new(Mutex::new(Vec::new()));
    let keep = held.clone();
    let spec = ToolSpec { name: "lm".to_owned(), ..ToolSpec::default() };
    let silent = Tool(move |invocation: &Arc<Invocation>| {
        keep.lock().push(invocation.clone());
        None
    });
    platform.register_tool(None, spec, Arc::new(silent)).unwrap();

    let short = Timeout::After(Duration::from_millis(200));
    let late = ExecuteRequest { timeout: short, ..request("predict", question()) };
    let begin = Instant::now();
    let error = finish(session.prepare(late).unwrap()).unwrap_err();
    assert_eq!(error.status(), Status::Deadline);
    assert!(begin.elapsed() < LONG);
    eventually("the model is told", || held.lock().iter().all(|asked| asked.is_cancelled()));

    lookup(&platform);
    // Much longer than this test waits: what ends the tool call is the cancel, not the deadline.
    let patient = Timeout::After(10 * LONG);
    let agent = ExecuteRequest { timeout: patient, ..request("react", agent()) };
    let operation = session.prepare(agent).unwrap();
    operation.start(None);
    eventually("the model is asked", || held.lock().len() == 2);
    operation.cancel();
    assert_eq!(outcome(&operation).unwrap_err().status(), Status::Cancelled);
    eventually("the model is told", || held.lock().iter().all(|asked| asked.is_cancelled()));
    assert_eq!(held.lock().len(), 2, "an agent does not go on after a cancel");
    close(&platform);
}

#[test]
fn bad_parameters_are_refused_before_or_in_the_worker_and_it_goes_on() {
    let platform = platform();
    let session = session(&platform);
    let seen = model(&platform, |_| None);
    for (key, value) in [
        ("signature", json!("question -> answer: subprocess")),
        ("signature", json!("question")),
        ("inputs", json!({"quest": 1})),
        ("adapter", json!("yaml")),
        ("demos", json!([{"nonsense": 1}])),
        ("lm", json!({"kind": "telepathy"})),
        ("unknown", json!(1)),
    ] {
        let mut parameters = question();
        parameters[key] = value;
        let error = run(&session, "predict", parameters).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument, "{key}: {error}");
        assert_eq!(seen.lock().len(), 0);
    }
    assert_eq!(run(&session, "predict", question()).unwrap()["outputs"]["answer"], "Lima");
    close(&platform);
}

#[test]
fn many_calls_wait_for_the_model_at_once_in_one_worker() {
    const CALLS: usize = 64;
    let platform = platform();
    let session = session(&platform);
    let waiting = Arc::new(Mutex::new(Vec::new()));
    let keep = waiting.clone();
    let spec = ToolSpec { name: "lm".to_owned(), ..ToolSpec::default() };
    let holding = Tool(move |invocation: &Arc<Invocation>| {
        keep.lock().push(invocation.clone());
        None
    });
    platform.register_tool(None, spec, Arc::new(holding)).unwrap();
    let operations: Vec<_> = (0..CALLS)
        .map(|_| {
            let operation = session.prepare(request("predict", question())).unwrap();
            operation.start(None);
            operation
        })
        .collect();
    eventually("all of them ask", || waiting.lock().len() == CALLS);
    for invocation in waiting.lock().drain(..) {
        let text = answer(&invocation.arguments().to_document().unwrap());
        invocation.complete(Value::from_document(&json!(text))).unwrap();
    }
    for operation in operations {
        let result = outcome(&operation).unwrap().to_document().unwrap();
        assert_eq!(result["outputs"]["answer"], "Lima");
    }
    close(&platform);
}

/// One worker that serves DSPy only.
fn platform() -> Arc<Platform> {
    super::support::open(&json!({
        "guard_path": guard(),
        "pools": {"default": {
            "workers": 1,
            "calls_per_worker": 64,
            "python": python(),
            "frameworks": {"dspy": {}},
        }},
    }))
}

fn question() -> Json {
    json!({
        "signature": "question -> answer",
        "inputs": {"question": "What is the capital of Peru?"},
        "lm": {"kind": "host_tool", "tool": "lm"},
    })
}

fn agent() -> Json {
    let mut parameters = question();
    parameters["tools"] = json!(["lookup"]);
    parameters
}

fn request(operation: &str, parameters: Json) -> ExecuteRequest {
    ExecuteRequest {
        framework: "dspy".to_owned(),
        ..super::support::request(operation, &parameters)
    }
}

fn run(session: &Session, operation: &str, parameters: Json) -> Result<Json> {
    finish(session.prepare(request(operation, parameters))?)?.to_document()
}

fn lookup(platform: &Arc<Platform>) {
    super::support::tool(platform, None, "lookup", |invocation| {
        assert_eq!(invocation.arguments().to_document().unwrap(), json!({"country": "Peru"}));
        Some(Ok(Value::from_document(&json!({"capital": "Lima"}))))
    });
}

/// Registers the language model; `fails` may refuse a request. Returns the requests as they come.
fn model<F>(platform: &Arc<Platform>, fails: F) -> Arc<Mutex<Vec<Json>>>
where
    F: Fn(&Json) -> Option<Error> + Clone + Send + Sync + 'static,
{
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    super::support::tool(platform, None, "lm", move |invocation| {
        let request = invocation.arguments().to_document().unwrap();
        log.lock().push(request.clone());
        if let Some(error) = fails(&request) {
            return Some(Err(error));
        }
        let text = answer(&request);
        if request["stream"] == true {
            for piece in text.split_inclusive(' ') {
                invocation.emit(Value::from_document(&json!({"content": piece}))).unwrap();
            }
        }
        let usage = json!({"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12});
        Some(Ok(Value::from_document(&json!({"content": text, "usage": usage}))))
    });
    seen
}

/// Fills in the output fields that the prompt lists, in DSPy's chat format.
fn answer(request: &Json) -> String {
    let messages = request["messages"].as_array().unwrap();
    let system = messages.first().unwrap()["content"].as_str().unwrap();
    let user = messages.last().unwrap()["content"].as_str().unwrap();
    let (_, listed) = system.split_once("Your output fields are:\n").unwrap();
    let mut text = String::new();
    for line in listed.lines().take_while(|line| line.starts_with(|c: char| c.is_ascii_digit())) {
        let name = line.split('`').nth(1).unwrap();
        text.push_str(&format!("[[ ## {name} ## ]]\n{}\n\n", value(name, user)));
    }
    text.push_str("[[ ## completed ## ]]\n");
    text
}

fn value(name: &str, user: &str) -> &'static str {
    let looked_up = user.contains("[[ ## observation_0 ## ]]");
    match (name, looked_up) {
        ("next_thought", false) => "I should look up Peru.",
        ("next_thought", true) => "I have what I need.",
        ("next_tool_name", false) => "lookup",
        ("next_tool_name", true) => "finish",
        ("next_tool_args", false) => r#"{"country": "Peru"}"#,
        ("next_tool_args", true) => "{}",
        ("score", _) => "0.5",
        ("sure", _) => "True",
        ("tags", _) => r#"["a", "b"]"#,
        ("reasoning", _) => "It was looked up.",
        _ if user.contains("Peru") => "Lima",
        _ => "unknown",
    }
}
