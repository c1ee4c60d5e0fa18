//! Documents as people write them: what is taken, and what a refusal says.

use std::time::Duration;

use super::*;

fn fault(document: &str) -> (String, String) {
    let error = PlatformConfig::from_json(document.as_bytes()).unwrap_err();
    let path = error.details()["path"].as_str().unwrap().to_owned();
    (path, error.message().to_owned())
}

#[test]
fn an_empty_document_is_the_default() {
    let config = PlatformConfig::from_json(b"{}").unwrap();
    assert_eq!(config, PlatformConfig::default());
    let pool = &config.pools["default"];
    assert_eq!(pool.python, "python3");
    assert_eq!(pool.framework_ids().collect::<Vec<_>>(), ["python"]);
    assert_eq!(config.sessions.ttl, Duration::from_secs(3600));
}

#[test]
fn what_is_given_is_taken_and_the_rest_stays() {
    let document = br#"{"pools": {"gpu": {"workers": 4, "python": "/opt/py/bin/python",
        "frameworks": {"dspy": {"cache": false}}, "env": {"KEY": "v"}, "restart": {"window_ms": 7},
        "switch_interval_ms": 2, "limits": {"open_files": 512}}},
        "serve": {"address": "127.0.0.1:0"}, "state": {"store": "memory"}, "close_grace_ms": 0}"#;
    let config = PlatformConfig::from_json(document).unwrap();
    assert_eq!(config.pools.len(), 1);
    let pool = &config.pools["gpu"];
    assert_eq!((pool.workers, pool.queue_max), (4, 1000));
    assert_eq!(pool.restart.window, Duration::from_millis(7));
    assert_eq!(pool.restart.failures_max, 5);
    assert_eq!(pool.switch_interval_ms, 2.0);
    assert_eq!(pool.env["KEY"].expose(), "v");
    assert_eq!(pool.limits.open_files, Some(512));
    let frameworks: Vec<_> = pool.frameworks.clone().into_iter().collect();
    assert_eq!(frameworks, [("dspy".to_owned(), serde_json::json!({"cache": false}))]);
    assert_eq!(config.close_grace, Duration::ZERO);
}

#[test]
fn a_platform_may_have_no_pool() {
    assert!(PlatformConfig::from_json(br#"{"pools":{}}"#).unwrap().pools.is_empty());
}

/// Each refusal's path and its whole message.
fn check_refusals(cases: &[(&str, &str, &str)]) {
    for (document, path, message) in cases {
        assert_eq!(fault(document), ((*path).to_owned(), (*message).to_owned()), "{document}");
    }
}

#[test]
fn an_unknown_key_is_named_with_the_nearest() {
    check_refusals(&[
        (
            r#"{"pool":{}}"#,
            "$.pool",
            "unknown key \"pool\" in the configuration; did you mean \"pools\"?",
        ),
        (
            r#"{"pools":{"a":{"wokers":1}}}"#,
            "$.pools.a.wokers",
            "unknown key \"wokers\" in pools.a; did you mean \"workers\"?",
        ),
        (
            r#"{"pools":{"a":{"heartbeat":{"xyz":1}}}}"#,
            "$.pools.a.heartbeat.xyz",
            "unknown key \"xyz\" in pools.a.heartbeat",
        ),
    ]);
}

#[test]
fn a_wrong_kind_is_named_with_the_expected_one() {
    check_refusals(&[
        ("[]", "$", "the configuration is an array, expected an object"),
        (
            r#"{"pools":{"a":{"workers":"2"}}}"#,
            "$.pools.a.workers",
            "pools.a.workers is a string, expected an integer",
        ),
        (
            r#"{"guard_path":7}"#,
            "$.guard_path",
            "guard_path is an integer, expected null or a string",
        ),
        (
            r#"{"pools":{"a":{"env_pass":["OK",3]}}}"#,
            "$.pools.a.env_pass[1]",
            "pools.a.env_pass[1] is an integer, expected a string",
        ),
        (
            r#"{"pools":{"a":{"frameworks":{"dspy":true}}}}"#,
            "$.pools.a.frameworks.dspy",
            "pools.a.frameworks.dspy is a boolean, expected an object",
        ),
    ]);
}

#[test]
fn a_value_out_of_range_is_named_with_the_range() {
    check_refusals(&[
        (
            r#"{"pools":{"a":{"workers":0}}}"#,
            "$.pools.a.workers",
            "pools.a.workers is 0, expected 1 to 1024",
        ),
        (r#"{"io_threads":-1}"#, "$.io_threads", "io_threads is -1, expected 1 to 256"),
        (
            r#"{"pools":{"a":{"limits":{"open_files":1}}}}"#,
            "$.pools.a.limits.open_files",
            "pools.a.limits.open_files is 1, expected at least 16",
        ),
        (
            r#"{"logs":{"level":"warn"}}"#,
            "$.logs.level",
            "logs.level is \"warn\", expected one of \"debug\", \"info\", \"warning\", \"error\"; \
             did you mean \"warning\"?",
        ),
        (
            r#"{"state":{"store":"disk"}}"#,
            "$.state.store",
            "state.store is none of \"memory\", \"sqlite\", \"redis\"",
        ),
    ]);
}

#[test]
fn keys_that_do_not_fit_each_other_are_named() {
    check_refusals(&[
        (
            r#"{"pools":{"a":{"frameworks":{}}}}"#,
            "$.pools.a.frameworks",
            "pools.a.frameworks is empty, expected at least one framework, such as \"python\"",
        ),
        (
            r#"{"pools":{"a":{"calls_per_worker":300}}}"#,
            "$.pools.a.calls_held_per_worker_max",
            "pools.a.calls_held_per_worker_max is 256, expected at least calls_per_worker, which \
             is 300",
        ),
        (
            r#"{"pools":{"a":{"backend":{"kind":"forkserver","tasks_max":9}}}}"#,
            "$.pools.a.backend.tasks_max",
            "pools.a.backend.tasks_max is given, expected only with backend.kind \"systemd\"",
        ),
        (
            r#"{"serve":{"address":"localhost"}}"#,
            "$.serve.address",
            "serve.address is \"localhost\", expected \"unix:/path\" or \"ip:port\"",
        ),
    ]);
}

#[test]
fn what_the_schema_lets_pass_the_types_refuse_with_a_path() {
    for (document, path, text) in [
        (r#"{"io_threads":2.0}"#, "$.io_threads", "io_threads: invalid type"),
        (r#"{"io_threads":2,"io_threads":3}"#, "$", "duplicate field `io_threads`"),
        ("{", "$", "configuration: at $: EOF"),
        (r#"{"io_threads":1e999}"#, "$.io_threads", "not finite"),
    ] {
        let (at, message) = fault(document);
        assert_eq!(at, path, "{message}");
        assert!(message.contains(text), "{message}");
    }
}

#[test]
fn secrets_are_neither_printed_nor_in_errors() {
    let document =
        br#"{"pools":{"a":{"env":{"KEY":"hunter2"},"frameworks":{"x":{"k":"hunter2"}}}}}"#;
    let config = PlatformConfig::from_json(document).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    for document in [
        r#"{"pools":{"a":{"env":"hunter2"}}}"#,
        r#"{"pools":{"a":{"env":["hunter2"]}}}"#,
        r#"{"pools":{"a":{"env":{"K":{"hunter2":1}}}}}"#,
        r#"{"pools":{"a":{"env":{"K":1234567890123456789012345}}}}"#,
        r#"{"pools":{"a":{"env":{"K":987654321}}}}"#,
        r#"{"pools":{"a":{"frameworks":{"x":{"k":1234567890123456789012345}}}}}"#,
        r#"{"pools":{"a":{"env":{"K":"hunter2\u0000"}}}}"#,
        r#"{"pools":{"a":{"workers":"hunter2"}}}"#,
        r#"{"pools":{"a":{"log_level":"hunter2"}}}"#,
    ] {
        let error = PlatformConfig::from_json(document.as_bytes()).unwrap_err();
        let shown = format!("{error:?}");
        for secret in ["hunter2", "123456789", "987654321"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
