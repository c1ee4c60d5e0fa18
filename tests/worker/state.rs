//! Variables as handlers in real workers use them: each verb, watches, and what a worker keeps of
//! what it has read.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{Access, Platform, RegisterVariable, Session};
use snakepit_bridge::core::{Attachment, DType, Status, Tensor, Value};

use super::support::{begin, call, close, config, eventually, finish, open, outcome, session};

/// A pool of so many workers that know `spb_statemod`.
fn open_with(workers: usize, caches: bool) -> Arc<Platform> {
    let mut config = config(workers, 4);
    let pool = &mut config["pools"]["default"];
    pool["frameworks"]["python"]["modules"] = json!(["spb_statemod"]);
    pool["variable_cache"] = json!(caches);
    open(&config)
}

fn add(session: &Session, name: &str, type_name: &str, initial: Value) {
    let register = RegisterVariable {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        initial,
        constraints: None,
        metadata: None,
    };
    session.register_variable(register).unwrap();
}

fn number(given: i64) -> Value {
    Value::from_document(&json!(given))
}

/// How often workers have asked the host, by one verb.
fn asked(platform: &Platform, verb: &str) -> u64 {
    let metrics = platform.metrics_text();
    let start = format!("spb_worker_state_operations_total{{verb=\"{verb}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&start));
    line.map_or(0, |count| count.parse().unwrap())
}

#[test]
fn each_verb_does_what_it_says() {
    let platform = open_with(1, true);
    let seen = call(&session(&platform), "every_verb", json!({})).unwrap();
    let expected = json!([
        {"n": 2, "t": 2},
        {"n": 5, "t": {"b": 2}},
        5,
        7,
        4,
        [[1, 1], [2, 5], [3, 7], [4, 1]],
        true,
        "busy",
        5,
        null,
        10,
        ["n"],
        ["t"],
    ]);
    assert_eq!(seen, expected);
    let seen = call(&session(&platform), "every_verb_awaited", json!({})).unwrap();
    assert_eq!(seen, json!([{"m": 2}, {"m": 5}, 7, 8, 5, 5, 5]));
    close(&platform);
}

#[test]
fn what_was_read_is_not_asked_for_again_until_it_changes() {
    let platform = open_with(1, true);
    let session = session(&platform);
    add(&session, "n", "integer", number(7));
    let read = |times: u32| call(&session, "read", json!({"name": "n", "times": times})).unwrap();
    assert_eq!(read(100), json!([7, 1]));
    assert_eq!(read(100), json!([7, 1]), "of another call of the session");
    assert_eq!(asked(&platform, "get"), 1);
    session.set_variable("n", number(8), None).unwrap();
    assert_eq!(read(100), json!([8, 2]), "the host's write is seen at once");
    assert_eq!(asked(&platform, "get"), 2);
    // Another variable of the same name, at a lower version.
    session.delete_variable("n", None).unwrap();
    let gone = call(&session, "read", json!({"name": "n"})).unwrap_err();
    assert_eq!(gone.status(), Status::NotFound);
    add(&session, "n", "string", Value::from_document(&json!("text")));
    assert_eq!(read(2), json!(["text", 1]));
    session.lock_variable("n", "me", std::time::Duration::from_secs(60)).unwrap();
    assert_eq!(read(2), json!(["text", 1]));
    let owner = Access { expected_version: Some(1), owner: Some("me") };
    session.set_variable_with("n", &Value::from_document(&json!("more")), owner).unwrap();
    assert_eq!(read(2), json!(["more", 2]));
    let other = super::support::session(&platform);
    let missing = call(&other, "read", json!({"name": "n"})).unwrap_err();
    assert_eq!(missing.status(), Status::NotFound, "of another session");
    close(&platform);
}

#[test]
fn a_pool_without_a_cache_asks_each_time() {
    let platform = open_with(1, false);
    let session = session(&platform);
    add(&session, "n", "integer", number(7));
    assert_eq!(call(&session, "read", json!({"name": "n", "times": 9})).unwrap(), json!([7, 1]));
    assert_eq!(asked(&platform, "get"), 9);
    close(&platform);
}

#[test]
fn what_a_handler_does_to_a_value_it_has_read_is_its_own_affair() {
    let platform = open_with(1, true);
    let session = session(&platform);
    add(&session, "list", "json", Value::from_document(&json!(["kept"])));
    for _ in 0..2 {
        let seen = call(&session, "spoil", json!({"name": "list"})).unwrap();
        assert_eq!(seen, json!(["kept"]));
    }
    let data: Vec<u8> = (0..256 * 1024_u32).flat_map(|_| 1.0_f32.to_le_bytes()).collect();
    let tensor = Tensor::new(DType::Float32, vec![256 * 1024], data).unwrap();
    let document = r#"{"$spb":{"attachment":0}}"#;
    let value = Value::new(document, vec![Attachment::Tensor(tensor)]).unwrap();
    add(&session, "tensor", "tensor", value);
    for _ in 0..3 {
        let seen = call(&session, "tensor_sum", json!({"name": "tensor"})).unwrap();
        assert_eq!(seen, json!([524_288.0, false]));
    }
    assert_eq!(asked(&platform, "get"), 2);
    close(&platform);
}

#[test]
fn versions_never_fall_while_the_host_writes_and_own_writes_are_seen() {
    let platform = open_with(2, true);
    let session = session(&platform);
    add(&session, "n", "integer", number(0));
    let readers: Vec<_> = (0..4)
        .map(|_| begin(&session, "read_until", json!({"name": "n", "expected": -1})))
        .collect();
    for value in 1..5000 {
        session.set_variable("n", number(value), None).unwrap();
    }
    session.set_variable("n", number(-1), None).unwrap();
    for reader in &readers {
        assert_eq!(outcome(reader).unwrap().to_document().unwrap(), json!("seen"));
    }
    add(&session, "m", "integer", number(0));
    let writers: Vec<_> = (0..4)
        .map(|_| begin(&session, "write_and_read", json!({"name": "m", "times": 200})))
        .collect();
    for writer in &writers {
        assert_eq!(outcome(writer).unwrap().to_document().unwrap(), json!(0));
    }
    assert_eq!(session.get_variable("m").unwrap().1, 1601);
    close(&platform);
}

#[test]
fn a_worker_hears_of_changes_in_their_order() {
    let platform = open_with(1, true);
    let session = session(&platform);
    for (operation, name) in [("watched", "a1"), ("watched_awaited", "a2")] {
        add(&session, name, "integer", number(0));
        let parameters = json!({"patterns": [name, "never*"], "count": 4});
        let watching = begin(&session, operation, parameters);
        eventually("it watches", || session.delete_variable("ready", None).is_ok());
        session.set_variable(name, number(1), None).unwrap();
        session.set_variable(name, number(2), None).unwrap();
        session.delete_variable(name, None).unwrap();
        let seen = outcome(&watching).unwrap().to_document().unwrap();
        let kinds: Vec<&Json> = seen.as_array().unwrap().iter().map(|each| &each[0]).collect();
        assert_eq!(kinds, ["initial", "written", "written", "deleted"], "{seen}");
        assert_eq!(seen[2], json!(["written", name, 3, 2]));
    }
    close(&platform);
}

#[test]
fn a_slow_watcher_is_told_how_much_it_missed_and_a_closed_session_ends_it() {
    let platform = open_with(1, true);
    let session = session(&platform);
    add(&session, "n", "integer", number(0));
    let seen = call(&session, "watched_slowly", json!({"name": "n"})).unwrap();
    assert_eq!(seen, json!([true, 1000]));
    let watching = begin(&session, "watched", json!({"patterns": [], "count": 99}));
    eventually("it watches", || session.get_variable("ready").is_ok());
    finish(session.close().unwrap()).unwrap();
    assert_eq!(outcome(&watching).unwrap_err().status(), Status::Cancelled);
    close(&platform);
}

#[test]
fn a_lock_ends_with_its_call_at_the_latest() {
    let platform = open_with(1, true);
    let session = session(&platform);
    add(&session, "n", "integer", number(0));
    call(&session, "locked", json!({"name": "n", "wait": false})).unwrap();
    session.set_variable("n", number(1), None).expect("free once the call has returned");
    let waiting = begin(&session, "locked", json!({"name": "n", "wait": true}));
    eventually("it is locked", || {
        let refused = session.set_variable("n", number(2), None);
        refused.is_err_and(|error| error.status() == Status::Busy)
    });
    waiting.cancel();
    assert_eq!(outcome(&waiting).unwrap_err().status(), Status::Cancelled);
    session.set_variable("n", number(3), None).expect("free once the call is cancelled");
    close(&platform);
}
