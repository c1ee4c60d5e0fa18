//! Sessions whose calls keep to one worker, seen through a counter that lives in each Python
//! process.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{ExecuteRequest, Platform, Session, SessionOptions};
use snakepit_bridge::core::{Affinity, Error, Status};

use super::support::{begin, call, close, config, eventually, finish, open, outcome, request};

fn session(platform: &Arc<Platform>, affinity: Affinity) -> Session {
    let options = SessionOptions { affinity: Some(affinity), ..SessionOptions::default() };
    platform.open_session(options).unwrap()
}

/// `(pid, how often that process has counted)`.
fn count(session: &Session) -> Result<(i64, i64), Error> {
    Ok(pair(&call(session, "count_here", json!({}))?))
}

fn pair(counted: &Json) -> (i64, i64) {
    (counted["pid"].as_i64().unwrap(), counted["count"].as_i64().unwrap())
}

/// One call with an affinity of its own.
fn count_with(session: &Session, affinity: Affinity) -> Result<(i64, i64), Error> {
    let affinity = Some(affinity);
    let wish = ExecuteRequest { affinity, ..request("count_here", &json!({})) };
    Ok(pair(&finish(session.prepare(wish)?)?.to_document()?))
}

/// Kills a worker and waits until another one is ready in its place.
fn replace(platform: &Arc<Platform>, pid: i64) {
    let pool = platform.pool("").unwrap();
    let (before, wanted) = (pool.stats()["losses"].clone(), pool.stats()["wanted"].clone());
    #[expect(unsafe_code, reason = "a kill is a system call")]
    // SAFETY: plain system call; the pid is a worker of this test's own platform.
    unsafe {
        libc::kill(i32::try_from(pid).unwrap(), libc::SIGKILL);
    }
    eventually("it is replaced", || {
        let stats = pool.stats();
        stats["losses"] != before && stats["ready"] == wanted
    });
}

#[test]
fn strict_calls_share_a_process_and_its_loss_is_told_once() {
    let platform = open(&config(3, 4));
    let home = session(&platform, Affinity::StrictQueue);
    let (pid, first) = count(&home).unwrap();
    for number in first + 1..first + 12 {
        assert_eq!(count(&home).unwrap(), (pid, number));
    }
    replace(&platform, pid);
    let error = count(&home).unwrap_err();
    assert_eq!(error.status(), Status::SessionWorkerUnavailable, "{error:?}");
    assert_eq!(error.details()["pool"], "default");
    assert!(error.details()["worker"].is_string(), "{error:?}");
    assert!(error.message().contains("next call gets a new one"), "{error}");
    let (next, first) = count(&home).unwrap();
    assert_ne!(next, pid);
    assert_eq!(count(&home).unwrap(), (next, first + 1));
    assert_eq!(platform.pool("").unwrap().stats()["refused_by"]["home"], 1);
    close(&platform);
}

#[test]
fn many_strict_calls_at_once_wait_for_the_one_worker() {
    let platform = open(&config(3, 1));
    let home = session(&platform, Affinity::StrictQueue);
    let calls: Vec<_> = (0..20).map(|_| begin(&home, "count_here", json!({}))).collect();
    let counted = calls.iter().map(|call| outcome(call).unwrap().to_document().unwrap());
    let (pids, numbers): (Vec<_>, Vec<_>) = counted.map(|counted| pair(&counted)).unzip();
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    close(&platform);
}

#[test]
fn one_that_fails_fast_is_refused_while_its_worker_is_busy() {
    let platform = open(&config(2, 1));
    let home = session(&platform, Affinity::StrictFailFast);
    let (pid, _) = count(&home).unwrap();
    let busy = begin(&home, "sleep_until_cancelled", json!({}));
    eventually("it runs", || platform.pool("").unwrap().stats()["running"] == 1);
    let error = count(&home).unwrap_err();
    assert_eq!(error.status(), Status::Busy, "{error:?}");
    assert!(error.details()["worker"].is_string() && error.is_retryable(), "{error:?}");
    let (elsewhere, _) = count_with(&home, Affinity::None).unwrap();
    assert_ne!(elsewhere, pid, "a call that does not mind goes to the other worker");
    busy.cancel();
    outcome(&busy).unwrap_err();
    eventually("the worker is free", || platform.pool("").unwrap().stats()["running"] == 0);
    assert_eq!(count(&home).unwrap().0, pid);
    close(&platform);
}

#[test]
fn a_hint_prefers_its_worker_and_takes_another_rather_than_wait() {
    let mut config = config(2, 1);
    config["sessions"] = json!({"affinity": "hint"});
    let platform = open(&config);
    let home = platform.open_session(SessionOptions::default()).unwrap();
    assert_eq!(home.info().unwrap()["affinity"], "hint");
    let (pid, _) = count(&home).unwrap();
    assert!((0..6).all(|_| count(&home).unwrap().0 == pid));
    let busy = begin(&home, "sleep_until_cancelled", json!({}));
    eventually("it runs", || platform.pool("").unwrap().stats()["running"] == 1);
    let (elsewhere, _) = count(&home).unwrap();
    assert_ne!(elsewhere, pid);
    replace(&platform, elsewhere);
    count(&home).expect("nothing was promised, so nothing is missed");
    busy.cancel();
    close(&platform);
}

#[test]
fn a_later_session_of_the_same_name_has_a_home_of_its_own() {
    let platform = open(&config(2, 4));
    let named = || SessionOptions {
        id: Some("again".to_owned()),
        affinity: Some(Affinity::StrictQueue),
        ..SessionOptions::default()
    };
    let first = platform.open_session(named()).unwrap();
    let (pid, _) = count(&first).unwrap();
    finish(first.close().unwrap()).unwrap();
    let second = platform.open_session(named()).unwrap();
    replace(&platform, pid);
    count(&second).expect("the first one's worker is no concern of it");
    close(&platform);
}

#[test]
fn an_idempotent_call_that_is_bound_to_its_worker_is_not_sent_to_another() {
    let platform = open(&config(2, 4));
    let home = session(&platform, Affinity::StrictQueue);
    let directory = tempfile::tempdir().unwrap();
    let ledger = directory.path().join("ran");
    let error = call(&home, "crash_until", json!({"ledger": ledger, "times": 1})).unwrap_err();
    assert_eq!(error.status(), Status::WorkerLost, "{error:?}");
    assert_eq!(std::fs::read_to_string(ledger).unwrap().lines().count(), 1);
    close(&platform);
}
