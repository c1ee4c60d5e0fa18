//! Calls that go wrong while they run: each ends typed and in time, and the next call succeeds in
//! the same worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{
    ChunkOutcome, ExecuteRequest, Invocation, Platform, Session, Timeout, ToolSink, ToolSpec,
};
use snakepit_bridge::core::{Error, Status, Value};

use super::super::model::{lm, model};
use super::super::support::{
    LONG, answering, chunks, close, eventually, finish, outcome, platform, request, run, session,
    start_stream,
};

#[test]
fn what_goes_wrong_in_a_call_stays_in_it() {
    let stage = Stage::open();
    for (section, fails) in SECTIONS {
        fails(&stage);
        let outputs = run(&stage.session, "dspy", "predict", stage.question()).unwrap();
        assert_eq!(outputs["outputs"]["answer"], "yes", "after {section}");
        assert_eq!(stage.pid(), stage.worker, "another worker, after {section}");
    }
    close(&stage.platform);
}

type Section = (&'static str, fn(&Stage));

const SECTIONS: [Section; 8] = [
    ("a bad signature", a_bad_signature_is_named_with_its_place),
    ("a model that never answers", a_model_that_never_answers_costs_its_own_time),
    ("a tool that never answers", a_tool_that_never_answers_ends_with_the_call),
    ("a model that answers nonsense", an_answer_without_the_fields_is_told),
    ("a model that fails", a_model_that_fails_gives_its_own_status),
    ("an agent's tool that fails", an_agent_sees_a_failing_tool_and_goes_on),
    ("a stream that is left", a_stream_left_half_way_reaches_the_model),
    ("a generator that raises", a_generator_that_raises_half_way_gives_what_it_had),
];

/// One worker, a sound model, and a tool that is silent until it is cancelled.
struct Stage {
    platform: Arc<Platform>,
    session: Session,
    worker: Json,
    silent: Silent,
}

impl Stage {
    fn open() -> Stage {
        let modules = json!(["spb_testmod", "spb_scenarios"]);
        let platform = platform(1, &json!({"dspy": {}, "python": {"modules": modules}}));
        model(&platform, "lm", |_, _| Some("yes".to_owned()));
        let silent = Silent::default();
        let spec = ToolSpec { name: "silent".to_owned(), ..ToolSpec::default() };
        platform.register_tool(None, spec, Arc::new(silent.clone())).unwrap();
        let session = session(&platform);
        let worker = run(&session, "python", "pid", json!({})).unwrap();
        Stage { platform, session, worker, silent }
    }

    fn pid(&self) -> Json {
        run(&self.session, "python", "pid", json!({})).unwrap()
    }

    fn question(&self) -> Json {
        self.question_to(lm())
    }

    fn question_to(&self, lm: Json) -> Json {
        json!({"signature": "question -> answer", "inputs": {"question": "Well?"}, "lm": lm})
    }

    /// The error of an operation of `dspy`.
    fn refusal(&self, operation: &str, parameters: Json) -> Error {
        run(&self.session, "dspy", operation, parameters).unwrap_err()
    }
}

fn a_bad_signature_is_named_with_its_place(stage: &Stage) {
    for (signature, place) in [
        (json!("question -> answer: Secret"), "answer"),
        (json!("question answer"), "->"),
        (
            json!({"fields": [{"name": "a", "kind": "input"}, {"name": "b c", "kind": "output"}]}),
            "b c",
        ),
    ] {
        let mut parameters = stage.question();
        parameters["signature"] = signature;
        let error = stage.refusal("predict", parameters);
        assert_eq!(error.status(), Status::InvalidArgument, "{error:?}");
        assert!(error.message().contains(place), "{error}");
    }
}

fn a_model_that_never_answers_costs_its_own_time(stage: &Stage) {
    let before = stage.silent.cancelled();
    let lm = json!({"kind": "host_tool", "tool": "silent", "timeout_ms": 100, "retries": 0});
    let error = stage.refusal("predict", stage.question_to(lm));
    assert_eq!(error.status(), Status::Deadline, "{error:?}");
    eventually("the model is told", || stage.silent.cancelled() == before + 1);
}

/// The agent asks for it, and the call's own time-out ends them both.
fn a_tool_that_never_answers_ends_with_the_call(stage: &Stage) {
    model(&stage.platform, "agent_lm", |_, field| {
        Some(if field == "next_tool_name" { "silent" } else { "{}" }.to_owned())
    });
    let before = stage.silent.cancelled();
    let mut parameters = stage.question_to(json!({"kind": "host_tool", "tool": "agent_lm"}));
    parameters["tools"] = json!(["silent"]);
    let request = ExecuteRequest {
        timeout: Timeout::After(Duration::from_millis(800)),
        ..request("dspy", "react", &parameters)
    };
    let error = finish(stage.session.prepare(request).unwrap()).unwrap_err();
    assert_eq!(error.status(), Status::Deadline, "{error:?}");
    eventually("the tool is told", || stage.silent.cancelled() == before + 1);
}

fn an_answer_without_the_fields_is_told(stage: &Stage) {
    let mut parameters = stage.question();
    parameters["signature"] = json!("question -> answer: int");
    let error = stage.refusal("predict", parameters);
    assert_eq!(error.status(), Status::ToolFailed, "{error:?}");
    assert_eq!(error.details()["reason"], "unreadable_answer");
    assert!(error.message().contains("answer"), "{error}");
}

fn a_model_that_fails_gives_its_own_status(stage: &Stage) {
    answering(&stage.platform, "poor_lm", json!({"type": "object"}), |_| {
        Err(Error::new(Status::ResourceExhausted, "the month's budget is spent")
            .with("budget", 40)
            .retryable(false))
    });
    let lm = json!({"kind": "host_tool", "tool": "poor_lm"});
    let error = stage.refusal("predict", stage.question_to(lm));
    assert_eq!(error.status(), Status::ResourceExhausted, "{error:?}");
    assert!(error.message().contains("budget is spent"), "{error}");
    assert_eq!(error.details()["budget"], 40);
}

fn an_agent_sees_a_failing_tool_and_goes_on(stage: &Stage) {
    answering(&stage.platform, "faulty", json!({"type": "object"}), |_| {
        Err(Error::new(Status::NotFound, "no such page"))
    });
    model(&stage.platform, "patient_lm", |prompt, field| {
        let failed = prompt.has("no such page");
        Some(match field {
            "next_tool_name" if failed => "finish".to_owned(),
            "next_tool_name" => "faulty".to_owned(),
            "next_tool_args" => "{}".to_owned(),
            "answer" if failed => "There is no such page.".to_owned(),
            _ => "Let me see.".to_owned(),
        })
    });
    let mut parameters = stage.question_to(json!({"kind": "host_tool", "tool": "patient_lm"}));
    parameters["tools"] = json!(["faulty"]);
    let result = run(&stage.session, "dspy", "react", parameters).unwrap();
    assert_eq!(result["outputs"]["answer"], "There is no such page.");
    assert_eq!(result["trajectory"].as_array().unwrap().len(), 2, "{result}");
}

/// The consumer takes one token of a model that has no end, and goes away.
fn a_stream_left_half_way_reaches_the_model(stage: &Stage) {
    let endless = Endless::default();
    let spec = ToolSpec { name: "endless_lm".to_owned(), ..ToolSpec::default() };
    let tool = stage.platform.register_tool(None, spec, Arc::new(endless.clone())).unwrap();
    let parameters = stage.question_to(json!({"kind": "host_tool", "tool": "endless_lm"}));
    let operation = start_stream(&stage.session, "dspy", "predict", &parameters);
    let first = operation.next_chunk(Some(LONG));
    assert!(matches!(first, ChunkOutcome::Chunk(_)), "{first:?}");
    operation.cancel();
    assert_eq!(outcome(&operation).unwrap_err().status(), Status::Cancelled);
    eventually("the model stops", || endless.stopped.load(Ordering::SeqCst));
    finish(tool.unregister().unwrap()).unwrap();
}

fn a_generator_that_raises_half_way_gives_what_it_had(stage: &Stage) {
    for generate in ["generate", "generate_async"] {
        let parameters = json!({"pieces": 3});
        let operation = start_stream(&stage.session, "python", generate, &parameters);
        assert_eq!(chunks(&operation), [json!("piece 0"), json!("piece 1"), json!("piece 2")]);
        let error = outcome(&operation).unwrap_err();
        assert_eq!(error.status(), Status::PythonException, "{error:?}");
        assert!(error.message().contains("out of paper"), "{error}");
        assert_eq!(error.python().unwrap().type_name, "builtins.RuntimeError");
        // Without a stream the same failure is the whole of it.
        let error = run(&stage.session, "python", generate, parameters).unwrap_err();
        assert_eq!(error.status(), Status::PythonException, "{error:?}");
    }
}

/// A tool that answers nobody, and counts who has given up.
#[derive(Clone, Default)]
struct Silent {
    cancelled: Arc<AtomicUsize>,
}

impl Silent {
    fn cancelled(&self) -> usize {
        self.cancelled.load(Ordering::SeqCst)
    }
}

impl ToolSink for Silent {
    fn call(&self, _: Arc<Invocation>) {}

    fn cancel(&self, _: &Arc<Invocation>) {
        self.cancelled.fetch_add(1, Ordering::SeqCst);
    }
}

/// A language model that goes on until it is cancelled.
#[derive(Clone, Default)]
struct Endless {
    stopped: Arc<AtomicBool>,
}

impl ToolSink for Endless {
    fn call(&self, invocation: Arc<Invocation>) {
        let stopped = self.stopped.clone();
        std::thread::spawn(move || {
            let _ = invocation.emit(Value::from_document(&json!("[[ ## answer ## ]]\n")));
            while !stopped.load(Ordering::SeqCst) {
                let _ = invocation.emit(Value::from_document(&json!("on and ")));
                std::thread::yield_now();
            }
        });
    }

    fn cancel(&self, _: &Arc<Invocation>) {
        self.stopped.store(true, Ordering::SeqCst);
    }
}
