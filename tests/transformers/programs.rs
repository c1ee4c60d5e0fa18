//! DSPy programs on a model of the worker itself, and the optimizer of DSPy that trains it.

use serde_json::json;
use snakepit_bridge::api::RegisterVariable;
use snakepit_bridge::core::{Status, Value};

use super::Test;
use super::model::{lm, model};
use super::support::run;
use super::world::World;

pub const TESTS: &[Test] = &[
    ("programs::a_trained_model_answers_as_its_teacher_in_the_host", taught),
    ("programs::a_model_that_is_not_there_or_cannot_chat_is_told", refused),
];

fn taught(world: &World) {
    let session = world.session();
    // Untrained, the model answers nothing that anybody could read; the teacher knows.
    model(world.platform(), "lm", |prompt, _| prompt.has("Peru").then(|| "Lima".to_owned()));
    let program = json!({"module": "predict", "signature": "question -> answer"});
    let register = RegisterVariable {
        name: "capitals".to_owned(),
        type_name: "program".to_owned(),
        initial: Value::from_document(&program),
        constraints: None,
        metadata: None,
    };
    session.register_variable(register).unwrap();
    let own = json!({"kind": "transformers", "model": "long", "max_tokens": 60});
    let question = "What is the capital of Peru?";
    let row = json!({"question": question, "answer": "Lima"});
    let training = json!({"max_steps": 60, "learning_rate": 5e-3, "max_length": 2048});
    let parameters = json!({
        "program": "capitals",
        "optimizer": "BootstrapFinetune",
        "options": {"train_kwargs": {"name": "capitals", "training": training}},
        "lm": own,
        "teacher": {"module": "predict", "signature": "question -> answer"},
        "teacher_lm": lm(),
        "finetune": {"kind": "transformers"},
        "data": {"train": [row, row]},
    });
    let result = run(&session, "dspy", "optimize", parameters).unwrap();
    assert_eq!(result["written"], true, "{result}");
    let stored = session.get_variable("capitals").unwrap().0.to_document().unwrap();
    assert_eq!(stored["lm"]["kind"], "transformers");
    assert!(stored["lm"]["model"].as_str().unwrap().ends_with("/artifacts/capitals"), "{stored}");

    let parameters = json!({"signature": "question -> answer", "inputs": {"question": question},
        "lm": {"kind": "transformers", "model": "capitals", "max_tokens": 60}});
    let result = run(&session, "dspy", "predict", parameters).unwrap();
    assert_eq!(result["outputs"]["answer"], "Lima");
    assert!(result["usage"]["completion_tokens"].as_u64().unwrap() > 3, "{result}");
}

fn refused(world: &World) {
    let session = world.session();
    let ask = |model: String| {
        let parameters = json!({"signature": "question -> answer", "inputs": {"question": "x"},
            "lm": {"kind": "transformers", "model": model}});
        run(&session, "dspy", "predict", parameters).unwrap_err()
    };
    assert_eq!(ask("nobody".to_owned()).status(), Status::NotFound);
    let error = ask("minilm".to_owned());
    assert_eq!(error.status(), Status::InvalidArgument, "{error}");
    assert!(error.to_string().contains("configured for feature-extraction"), "{error}");
}
