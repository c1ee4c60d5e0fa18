//! Fine-tuning: losses fall, what was trained is said, what was cancelled is gone.

use std::time::Duration;

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{ChunkOutcome, ExecuteRequest, RegisterVariable, Timeout};
use snakepit_bridge::core::{Status, Value};

use super::Test;
use super::support::{LONG, chunks, eventually, outcome, request, start_stream};
use super::world::{World, call};

pub const TESTS: &[Test] = &[
    ("training::a_model_says_what_it_was_trained_and_so_does_an_adapter_on_it", full_and_adapter),
    ("training::chats_come_from_a_variable", chats),
    ("training::a_classifier_learns_labels_of_its_own", labels),
    ("training::a_cancel_or_deadline_leaves_nothing", ended),
    ("training::bad_rows_and_names_are_refused", refusals),
];

fn full_and_adapter(world: &World) {
    let session = world.session();
    let parameters = json!({
        "model": "gpt", "name": "fox", "data": vec![SENTENCE; 8],
        "training": {"max_steps": 60, "learning_rate": 5e-3, "log_every": 10},
    });
    let operation = start_stream(&session, "transformers", "fine_tune", &parameters);
    let steps: Vec<u64> = chunks(&operation)
        .iter()
        .inspect(|chunk| {
            assert_eq!((&chunk["type"], &chunk["steps"]), (&json!("progress"), &json!(60)))
        })
        .map(|chunk| chunk["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, [10, 20, 30, 40, 50, 60]);
    let result = outcome(&operation).unwrap().to_document().unwrap();
    check_result(&result, "full", 60);
    assert_eq!(result["trainable_parameters"], result["parameters"]);
    assert_eq!(said(world, "fox", "The quick"), " brown fox jumps over the lazy dog.");

    for (name, merge) in [("dog", false), ("merged-dog", true)] {
        let parameters = json!({
            "model": "fox", "name": name, "method": "lora", "merge": merge,
            "data": vec![REVERSED; 8], "lora": {"r": 16},
            "training": {"max_steps": 60, "learning_rate": 1e-2, "log_every": 60},
        });
        let result = call(&session, "fine_tune", parameters).unwrap();
        check_result(&result, "lora", 60);
        let count = |key: &str| result[key].as_u64().unwrap();
        assert!(count("trainable_parameters") < count("parameters") / 2, "{result}");
        let path = result["artifact"].as_str().unwrap();
        assert_eq!(said(world, path, "The lazy"), " dog jumps over the quick brown fox.");
        let told = std::fs::read_to_string(format!("{path}/artifact.json")).unwrap();
        let told: Json = serde_json::from_str(&told).unwrap();
        assert_eq!((&told["base"], &told["merged"]), (&json!("fox"), &json!(merge)));
    }
    // The model that it was trained from is as it was.
    assert_eq!(said(world, "fox", "The quick"), " brown fox jumps over the lazy dog.");
}

fn chats(world: &World) {
    let session = world.session();
    let asked = json!([{"role": "user", "content": "What does the fox say?"}]);
    let mut messages = asked.as_array().unwrap().clone();
    messages.push(json!({"role": "assistant", "content": "Nothing at all."}));
    let rows = vec![json!({ "messages": messages }); 8];
    let register = RegisterVariable {
        name: "rows".to_owned(),
        type_name: "json".to_owned(),
        initial: Value::from_document(&json!(rows)),
        constraints: None,
        metadata: None,
    };
    session.register_variable(register).unwrap();
    let parameters = json!({
        "model": "gpt", "name": "chat", "data": {"variable": "rows"},
        "training": {"epochs": 60, "learning_rate": 5e-3, "eval_split": 0.25, "log_every": 60},
    });
    let operation = start_stream(&session, "transformers", "fine_tune", &parameters);
    let all = chunks(&operation);
    assert!(all.iter().filter(|chunk| chunk["eval_loss"].is_f64()).count() == 60, "{all:?}");
    let result = outcome(&operation).unwrap().to_document().unwrap();
    check_result(&result, "full", 60);
    assert_eq!((&result["rows"], &result["eval_rows"]), (&json!(6), &json!(2)));
    let parameters = json!({"model": "chat", "messages": asked, "max_new_tokens": 40});
    assert_eq!(call(&session, "generate", parameters).unwrap()["text"], "Nothing at all.");
}

fn labels(world: &World) {
    let session = world.session();
    let rows = [("A calm sea", "quiet"), ("A wild storm", "loud"), ("the lazy dog", "quiet")];
    let row = |(text, label): (&str, &str)| json!({"text": text, "label": label});
    let rows: Vec<Json> = std::iter::repeat_n(rows, 4).flatten().map(row).collect();
    for method in ["full", "lora"] {
        let parameters = json!({
            "model": world.model("classifier"), "method": method, "data": rows, "name": method,
            "training": {"max_steps": 40, "learning_rate": 1e-2},
        });
        check_result(&call(&session, "fine_tune", parameters).unwrap(), method, 40);
        let texts = json!(["A calm sea", "A wild storm"]);
        let parameters = json!({"model": method, "texts": texts, "top_k": 1});
        let result = call(&session, "classify", parameters).unwrap();
        assert_eq!(result["results"][0][0]["label"], "quiet", "{method}: {result}");
        assert_eq!(result["results"][1][0]["label"], "loud", "{method}: {result}");
    }
}

fn ended(world: &World) {
    let session = world.session();
    let endless = |name: &str| {
        json!({
            "model": "gpt", "name": name, "data": vec![SENTENCE; 8],
            "training": {"max_steps": 1_000_000},
        })
    };
    let operation = start_stream(&session, "transformers", "fine_tune", &endless("given-up"));
    let ChunkOutcome::Chunk(first) = operation.next_chunk(Some(LONG)) else { panic!("no chunk") };
    assert_eq!(first.to_document().unwrap()["step"], 1);
    assert!(world.artifacts().iter().any(|name| name.starts_with(".writing-given-up-")));
    operation.cancel();
    assert_eq!(outcome(&operation).unwrap_err().status(), Status::Cancelled);

    let late = ExecuteRequest {
        timeout: Timeout::After(Duration::from_secs(2)),
        ..request("transformers", "fine_tune", &endless("too-late"))
    };
    let operation = session.prepare(late).unwrap();
    operation.start(None);
    assert_eq!(outcome(&operation).unwrap_err().status(), Status::Deadline);
    eventually("nothing of either is left", || {
        let left = world.artifacts();
        !left.iter().any(|name| name.contains("given-up") || name.contains("too-late"))
    });
    // Both are over, so the next one has its turn.
    let parameters = json!({"model": "gpt", "data": [SENTENCE], "training": {"max_steps": 1}});
    for _ in 0..2 {
        assert_eq!(call(&session, "fine_tune", parameters.clone()).unwrap()["steps"], 1);
    }
}

fn refusals(world: &World) {
    let session = world.session();
    let one = json!([SENTENCE]);
    for (key, value, words) in [
        ("data", json!([{"text": "a"}, {"messages": []}]), "data[1] is another kind"),
        ("data", json!([{"prompt": "a"}]), "data[0] has the keys prompt"),
        ("data", json!([{"text": "a", "label": 1}]), "data[0].label is a int"),
        ("data", json!([{"messages": [{"role": "user", "content": "a"}]}]), "of the assistant"),
        ("name", json!("../elsewhere"), "name"),
        ("name", json!("gpt"), "a configured model is called"),
        ("lora", json!({"target_modules": ["nowhere"]}), "does not fit the model"),
        ("model", json!("none"), "is unknown"),
    ] {
        let mut parameters = json!({"model": "gpt", "data": one, "method": "lora"});
        parameters[key] = value;
        let error = call(&session, "fine_tune", parameters).unwrap_err();
        assert!(error.to_string().contains(words), "{key}: {error}");
    }
    assert!(!world.artifacts().iter().any(|name| name.starts_with(".writing-gpt-lora")));
}

fn said(world: &World, model: &str, prompt: &str) -> String {
    let parameters = json!({"model": model, "prompt": prompt, "max_new_tokens": 30});
    let result = call(&world.session(), "generate", parameters).unwrap();
    assert_eq!(result["finish_reason"], "stop", "{result}");
    result["text"].as_str().unwrap().to_owned()
}

fn check_result(result: &Json, method: &str, steps: u64) {
    assert_eq!((&result["method"], &result["steps"]), (&json!(method), &json!(steps)), "{result}");
    let figure = |key: &str| result[key].as_f64().unwrap();
    assert!(figure("loss_after") < figure("loss_before") / 2.0, "{result}");
    assert!(figure("bytes") > 1000.0, "{result}");
}

const SENTENCE: &str = "The quick brown fox jumps over the lazy dog.";
const REVERSED: &str = "The lazy dog jumps over the quick brown fox.";
