//! What the platform says of itself while real workers come, work and fail: health with reasons,
//! statistics, metrics, introspection.

use serde_json::json;
use snakepit_bridge::api::{Platform, Timeout};
use snakepit_bridge::core::Status;

use super::support::{
    LONG, begin, call, close, config, eventually, finish, open, outcome, session,
};

#[test]
fn health_and_statistics_follow_the_workers() {
    let platform = open(&config(2, 4));
    let health = platform.health();
    assert_eq!((&health["live"], &health["ready"]), (&json!(true), &json!(true)));
    assert_eq!(health["reasons"], json!([]));
    assert_eq!(health["pools"]["default"]["ready"], 2);
    let session = session(&platform);
    let operation = begin(&session, "sleep_until_cancelled", json!({}));
    let pool = platform.pool("").unwrap();
    eventually("it runs", || pool.stats()["running"] == 1);
    assert_eq!(platform.health()["operations_in_flight"], 1);
    operation.cancel();
    outcome(&operation).unwrap_err();
    eventually("it is over", || pool.stats()["running"] == 0);
    pool.resize(1, 0).unwrap();
    eventually("one has left", || pool.stats()["workers"].as_array().unwrap().len() == 1);
    assert_eq!(call(&session, "echo", json!({"value": 1})).unwrap(), json!(1));
    close(&platform);
    let health = platform.health();
    assert_eq!((&health["live"], &health["ready"]), (&json!(false), &json!(false)));
    assert!(!health["reasons"].as_array().unwrap().is_empty());
}

#[test]
fn metrics_count_what_happened() {
    let platform = open(&config(1, 4));
    let session = session(&platform);
    for _ in 0..3 {
        call(&session, "echo", json!({"value": 1})).unwrap();
    }
    call(&session, "fail", json!({"message": "x"})).unwrap_err();
    let text = platform.metrics_text();
    let counted = |operation: &str, status: &str, count: u32| {
        text.lines().any(|line| {
            line.starts_with("spb_operations_total")
                && line.contains(&format!("operation=\"{operation}\""))
                && line.contains(&format!("status=\"{status}\""))
                && line.ends_with(&format!(" {count}"))
        })
    };
    assert!(counted("echo", "OK", 3), "{text}");
    assert!(counted("fail", "PYTHON_EXCEPTION", 1), "{text}");
    close(&platform);
}

#[test]
fn a_pool_that_cannot_start_says_why_at_once() {
    let mut config = config(1, 1);
    config["pools"]["default"]["frameworks"] = json!({"python": {"modules": ["no_such_module"]}});
    config["pools"]["default"]["restart"] = json!({"failures_max": 2});
    let platform = Platform::open(config.to_string().as_bytes()).unwrap();
    let ready = platform.pool("").unwrap().await_ready(1, Timeout::After(LONG)).unwrap();
    let error = finish(ready).unwrap_err();
    assert_eq!(error.status(), Status::Unavailable, "{error}");
    assert!(error.message().contains("no_such_module"), "{error}");
    let error = call(&session(&platform), "echo", json!({"value": 1})).unwrap_err();
    assert_eq!(error.status(), Status::Unavailable, "{error}");
    assert!(platform.health()["reasons"].to_string().contains("no_such_module"));
    close(&platform);
}

#[test]
fn what_cannot_be_configured_is_refused_with_its_key() {
    let mut missing_guard = config(1, 1);
    missing_guard["guard_path"] = json!("/nowhere/snakepit-guard");
    let mut missing_python = config(1, 1);
    missing_python["pools"]["default"]["python"] = json!("/nowhere/python");
    for (config, field, place) in [
        (missing_guard, "guard_path", "/nowhere/snakepit-guard"),
        (missing_python, "python", "/nowhere/python"),
    ] {
        let error = Platform::open(config.to_string().as_bytes()).map(drop).unwrap_err();
        assert_eq!(error.status(), Status::Unavailable);
        assert_eq!(error.details()["field"], field);
        assert!(error.message().contains(place), "{error}");
    }
}

#[test]
fn frameworks_describe_themselves() {
    let platform = open(&config(1, 1));
    let schema = platform.schema(Some("python")).unwrap();
    let echo = &schema["operations"]["echo"];
    assert!(echo["doc"].as_str().unwrap().contains("Gives back"), "{schema:#}");
    assert_eq!(echo["parameters"]["required"], json!(["value"]));
    let error = platform.schema(Some("pyton")).unwrap_err();
    assert!(error.message().ends_with("did you mean \"python\"?"), "{error}");
    close(&platform);
}
