//! Optimization as a user does it: a program that is not good enough, examples, a metric of the
//! host; a better version of the program, and the way back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value as Json, json};
use snakepit_bridge::core::{Status, Value};
use snakepit_bridge::state::Access;

use super::super::model::Prompt;
use super::super::support::{answering, chunks, outcome, start_stream};
use super::world::{Stage, input, store};

#[test]
fn a_program_gets_better_in_a_new_version_and_can_go_back() {
    let stage = Stage::new("optimization", rule);
    let judged = Arc::new(AtomicUsize::new(0));
    let count = judged.clone();
    let object = json!({"type": "object"});
    answering(stage.platform, "optimization_judge", object, move |asked| {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(json!(asked["prediction"]["label"] == asked["example"]["label"]))
    });
    let program = json!({"module": "chain_of_thought", "signature": "message -> label"});
    store(&stage.session, "triage", &program);
    let metric = json!({"kind": "host_tool", "tool": "optimization_judge"});
    let score = |program: Json| {
        let parameters = json!({"program": program, "data": held_out(), "metric": metric});
        stage.whole("evaluate", parameters)["score"].take()
    };
    assert_eq!(score(json!("triage")), 50.0, "it is right by chance where nothing is urgent");
    let parameters = json!({
        "program": "triage",
        "optimizer": "BootstrapFewShot",
        "options": {"max_bootstrapped_demos": 1, "max_labeled_demos": 4},
        "lm": stage.lm(),
        "data": {"train": train(), "validation": held_out()},
        "metric": metric,
    });
    let running = start_stream(&stage.session, "dspy", "optimize", &parameters);
    let progress = chunks(&running);
    let result = outcome(&running).unwrap().to_document().unwrap();
    assert_eq!((&result["before"], &result["after"]), (&json!(50.0), &json!(100.0)), "{result}");
    assert_eq!(result["program"], json!({"variable": "triage", "version": 2}));
    assert_eq!(result["metric_calls"], judged.load(Ordering::SeqCst) - held_out_rows());
    assert!(progress.iter().any(|chunk| chunk["phase"] == "after"), "{progress:?}");
    assert_eq!(score(json!("triage")), 100.0);
    // The optimizer's version is a version like any other.
    let first = json!({"variable": "triage", "version": 1});
    assert_eq!(score(first), 50.0);
    let described = stage.bare("describe_program", json!({"program": "triage"}));
    assert_eq!(described["learned"], true);
    assert!(described["predictors"][0]["demos"].as_u64() >= Some(1), "{described}");
    let back = stage.session.roll_back_variable("triage", 1, Access::default()).unwrap();
    assert_eq!(back.version, 3);
    assert_eq!(score(json!("triage")), 50.0);
    // Whoever wrote meanwhile would not be overwritten.
    let stale = Value::from_document(&program);
    let conflict = stage.session.set_variable("triage", stale, Some(2)).unwrap_err();
    assert_eq!(conflict.status(), Status::VersionConflict);
}

/// It takes everything for routine, until a demonstration shows it what "urgent" is about.
fn rule(prompt: &Prompt, field: &str) -> Option<String> {
    let shown = prompt.conversation.split_once(prompt.user.as_str())?.0;
    let shown = shown.contains("urgent");
    let fire = input(prompt, "message").contains("!");
    Some(match field {
        "reasoning" => {
            format!("The message {} an exclamation mark.", if fire { "has" } else { "lacks" })
        }
        _ if shown && fire => "urgent".to_owned(),
        _ => "routine".to_owned(),
    })
}

fn train() -> Json {
    json!([
        {"message": "The server is down!", "label": "urgent"},
        {"message": "Please send the invoice.", "label": "routine"},
        {"message": "There is smoke in the lab!", "label": "urgent"},
        {"message": "The meeting is on Monday.", "label": "routine"},
    ])
}

fn held_out() -> Json {
    json!([
        {"message": "The disk is full!", "label": "urgent"},
        {"message": "New chairs have come.", "label": "routine"},
        {"message": "The door does not lock!", "label": "urgent"},
        {"message": "Thanks for the cake.", "label": "routine"},
    ])
}

fn held_out_rows() -> usize {
    held_out().as_array().map_or(0, Vec::len)
}
