//! Programs, metrics and optimizers that go wrong: each is told with its place, nothing is written,
//! and the next call succeeds in the same worker.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{
    ExecuteRequest, Platform, RegisterVariable, Session, Timeout, ToolSpec,
};
use snakepit_bridge::core::{Error, Status, Value};

use super::super::model::{lm, model};
use super::super::support::{Tool, answering, close, finish, platform, request, run, session};

#[test]
fn what_is_wrong_with_programs_metrics_and_options_is_told_with_its_place() {
    let stage = Stage::open();
    for (section, fails) in SECTIONS {
        fails(&stage);
        let result = stage.run(json!({"program": "qa", "inputs": {"question": "Well?"}})).unwrap();
        assert_eq!(result["outputs"]["answer"], "yes", "after {section}");
        let (stored, version) = stage.session.get_variable("qa").unwrap();
        assert_eq!(stored.to_document().unwrap(), program(), "after {section}");
        assert_eq!(version, 1, "after {section}");
        assert_eq!(stage.pid(), stage.worker, "another worker, after {section}");
    }
    // The lock is free as well.
    let same = Value::from_document(&program());
    assert_eq!(stage.session.set_variable("qa", same, Some(1)).unwrap(), 2);
    close(&stage.platform);
}

type Section = (&'static str, fn(&Stage));

const SECTIONS: [Section; 5] = [
    ("bad programs", bad_programs),
    ("a program that is not there", a_program_that_is_not_there),
    ("bad options of optimizers", bad_options),
    ("metrics that fail", metrics_that_fail),
    ("a metric that never answers", a_metric_that_never_answers),
];

struct Stage {
    platform: Arc<Platform>,
    session: Session,
    worker: Json,
}

impl Stage {
    fn open() -> Stage {
        let frameworks = json!({
            "dspy": {"modules": ["spb_research"]},
            "python": {"modules": ["spb_testmod"]},
        });
        let platform = platform(1, &frameworks);
        model(&platform, "lm", |_, _| Some("yes".to_owned()));
        let session = session(&platform);
        let register = RegisterVariable {
            name: "qa".to_owned(),
            type_name: "program".to_owned(),
            initial: Value::from_document(&program()),
            constraints: None,
            metadata: None,
        };
        session.register_variable(register).unwrap();
        let worker = run(&session, "python", "pid", json!({})).unwrap();
        Stage { platform, session, worker }
    }

    fn pid(&self) -> Json {
        run(&self.session, "python", "pid", json!({})).unwrap()
    }

    fn run(&self, mut parameters: Json) -> Result<Json, Error> {
        parameters["lm"] = lm();
        run(&self.session, "dspy", "run", parameters)
    }

    /// The error of `optimize` and of `evaluate` with this metric.
    fn judged_by(&self, metric: &Json) -> [Error; 2] {
        let refusal = |operation: &str, parameters: Json| {
            run(&self.session, "dspy", operation, parameters).unwrap_err()
        };
        let mut evaluate = json!({"program": "qa", "data": rows(), "lm": lm()});
        evaluate["metric"] = metric.clone();
        let mut optimize = optimize("BootstrapFewShot", json!({}));
        optimize["metric"] = metric.clone();
        [refusal("evaluate", evaluate), refusal("optimize", optimize)]
    }
}

fn bad_programs(stage: &Stage) {
    for (document, status, said) in [
        (json!({"module": "predikt"}), Status::InvalidArgument, "did you mean `predict`"),
        (json!({"module": "predict"}), Status::InvalidArgument, "program.signature"),
        (
            json!({"module": "predict", "signature": "a -> b", "demo": []}),
            Status::InvalidArgument,
            "did you mean `demos`",
        ),
        (
            json!({"module": "ensemble", "programs": {
                "one": program(),
                "two": {"module": "predict", "signature": "question -> answer: quux"},
            }}),
            Status::InvalidArgument,
            "program.programs.two.signature",
        ),
        (
            json!({"module": "python", "options": {"name": "Reserch"}}),
            Status::InvalidArgument,
            "Research",
        ),
        (
            json!({"module": "react", "signature": "question -> answer", "tools": ["nowhere"]}),
            Status::InvalidArgument,
            "nowhere",
        ),
        (
            json!({"module": "program_of_thought", "signature": "question -> answer"}),
            Status::Unsupported,
            "interpreter",
        ),
    ] {
        let inputs = json!({"question": "Well?"});
        let error = stage.run(json!({"program": document, "inputs": inputs})).unwrap_err();
        assert_eq!(error.status(), status, "{document}: {error:?}");
        assert!(error.message().contains(said), "{document}: {error}");
    }
    let inputs = json!({"questions": "Well?"});
    let error = stage.run(json!({"program": "qa", "inputs": inputs})).unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument, "{error:?}");
    assert!(error.message().contains("question"), "{error}");
}

fn a_program_that_is_not_there(stage: &Stage) {
    for program in [json!("qb"), json!({"variable": "qa", "version": 9})] {
        let error =
            stage.run(json!({"program": program, "inputs": {"question": "?"}})).unwrap_err();
        assert_eq!(error.status(), Status::NotFound, "{program}: {error:?}");
    }
}

fn bad_options(stage: &Stage) {
    for (optimizer, options, said) in [
        ("BootstrapFewShot", json!({"max_rouns": 1}), "did you mean `max_rounds`"),
        ("BootstrapFewShot", json!({"max_rounds": "one"}), "max_rounds"),
        ("MIPROv2", json!({"auto": "extreme"}), "auto"),
        ("BootstrapFewShoot", json!({}), "did you mean `BootstrapFewShot`"),
    ] {
        let parameters = optimize(optimizer, options);
        let error = run(&stage.session, "dspy", "optimize", parameters).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument, "{optimizer}: {error:?}");
        assert!(error.message().contains(said), "{optimizer}: {error}");
    }
    let mut missing = optimize("COPRO", json!({}));
    missing.as_object_mut().unwrap().remove("metric");
    let error = run(&stage.session, "dspy", "optimize", missing).unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument, "{error:?}");
    assert!(error.message().contains("metric"), "{error}");
    let mut poor = optimize("COPRO", json!({"breadth": 2, "depth": 1}));
    poor["max_lm_calls"] = json!(3);
    let error = run(&stage.session, "dspy", "optimize", poor).unwrap_err();
    assert_eq!(error.status(), Status::ResourceExhausted, "{error:?}");
    assert!(error.message().contains("max_lm_calls"), "{error}");
}

fn metrics_that_fail(stage: &Stage) {
    answering(&stage.platform, "grumpy", json!({"type": "object"}), |_| {
        Err(Error::new(Status::Unavailable, "the judge is at lunch").retryable(false))
    });
    answering(&stage.platform, "vague", json!({"type": "object"}), |_| Ok(json!("rather good")));
    for (metric, status, said) in [
        (json!({"kind": "python", "name": "broken_scales"}), Status::PythonException, "scales"),
        (json!({"kind": "host_tool", "tool": "grumpy"}), Status::Unavailable, "at lunch"),
        (json!({"kind": "host_tool", "tool": "vague"}), Status::ToolFailed, "vague"),
        (
            json!({"kind": "python", "name": "broken_scale"}),
            Status::InvalidArgument,
            "broken_scales",
        ),
        (json!({"kind": "exact_mach"}), Status::InvalidArgument, "exact_match"),
        (json!({"kind": "exact_match", "field": "anser"}), Status::InvalidArgument, "anser"),
    ] {
        for error in stage.judged_by(&metric) {
            assert_eq!(error.status(), status, "{metric}: {error:?}");
            assert!(error.message().contains(said), "{metric}: {error}");
        }
    }
}

/// A time-out of the metric's own, and one of the call.
fn a_metric_that_never_answers(stage: &Stage) {
    let spec = ToolSpec { name: "dreamer".to_owned(), ..ToolSpec::default() };
    let sink = Tool(|_: &Arc<_>| None);
    stage.platform.register_tool(None, spec, Arc::new(sink)).unwrap();
    let metric = json!({"kind": "host_tool", "tool": "dreamer", "timeout_ms": 200});
    for error in stage.judged_by(&metric) {
        assert_eq!(error.status(), Status::Deadline, "{error:?}");
    }
    let mut parameters = optimize("BootstrapFewShot", json!({}));
    parameters["metric"] = json!({"kind": "host_tool", "tool": "dreamer"});
    let request = ExecuteRequest {
        timeout: Timeout::After(Duration::from_millis(700)),
        ..request("dspy", "optimize", &parameters)
    };
    let error = finish(stage.session.prepare(request).unwrap()).unwrap_err();
    assert_eq!(error.status(), Status::Deadline, "{error:?}");
}

fn optimize(optimizer: &str, options: Json) -> Json {
    json!({
        "program": "qa",
        "optimizer": optimizer,
        "options": options,
        "lm": lm(),
        "data": {"train": rows()},
        "metric": {"kind": "exact_match", "field": "answer"},
    })
}

fn program() -> Json {
    json!({"module": "predict", "signature": "question -> answer"})
}

fn rows() -> Json {
    (0..4).map(|number| json!({"question": format!("Number {number}?"), "answer": "no"})).collect()
}
