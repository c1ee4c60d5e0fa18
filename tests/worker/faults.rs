//! What happens when workers, or the host itself, die under real Python: each call ends once and
//! nothing is left.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use super::support::{
    begin, call, close, config, eventually, marked_processes, open, outcome, python, session,
};
use serde_json::json;
use snakepit_bridge::core::Status;

#[test]
fn a_worker_killed_under_a_call_ends_it_once_and_the_next_succeeds() {
    let platform = open(&config(1, 8));
    let session = session(&platform);
    let pid = call(&session, "pid", json!({})).unwrap().as_i64().unwrap();
    let operation = begin(&session, "ignore_cancel", json!({"seconds": 600.0}));
    eventually("the call runs", || platform.pool("").unwrap().stats()["running"] == 1);
    kill(pid, libc::SIGKILL);
    let error = outcome(&operation).unwrap_err();
    assert_eq!(error.status(), Status::WorkerLost, "{error:?}");
    assert!(error.message().contains("signal 9"), "{error}");
    let next = call(&session, "pid", json!({})).unwrap().as_i64().unwrap();
    assert_ne!(next, pid);
    close(&platform);
}

#[test]
fn a_workers_own_exit_code_is_reported() {
    let platform = open(&config(1, 8));
    let session = session(&platform);
    for code in [7, 0] {
        let error = call(&session, "leave", json!({"code": code})).unwrap_err();
        assert_eq!(error.status(), Status::WorkerLost);
        assert!(error.details()["exit"].as_str().unwrap().contains(&code.to_string()), "{error:?}");
    }
    assert_eq!(call(&session, "run_shell", json!({"code": 3})).unwrap(), json!(3));
    close(&platform);
}

#[test]
fn a_handler_that_ignores_its_cancel_loses_its_worker_and_the_slot_comes_back() {
    let mut config = config(1, 1);
    config["pools"]["default"]["cancel_grace_ms"] = json!(200);
    config["pools"]["default"]["kill_grace_ms"] = json!(200);
    let platform = open(&config);
    let session = session(&platform);
    let pid = call(&session, "pid", json!({})).unwrap();
    let operation = begin(&session, "ignore_cancel", json!({"seconds": 600.0}));
    eventually("the call runs", || platform.pool("").unwrap().stats()["running"] == 1);
    operation.cancel();
    assert_eq!(outcome(&operation).unwrap_err().status(), Status::Cancelled);
    // The caller is free while the handler still has its worker.
    assert_eq!(platform.pool("").unwrap().stats()["running"], 1);
    assert_ne!(call(&session, "pid", json!({})).unwrap(), pid);
    close(&platform);
}

#[test]
fn workers_get_an_allow_list_for_an_environment() {
    let mut config = config(1, 1);
    config["pools"]["default"]["env"] = json!({"SPB_TEST_OWN": "own"});
    config["pools"]["default"]["env_pass"] = json!(["CARGO_MANIFEST_DIR"]);
    let platform = open(&config);
    let session = session(&platform);
    let get = |name: &str| call(&session, "environment", json!({"name": name})).unwrap();
    assert_eq!(get("SPB_TEST_OWN"), json!("own"));
    assert_eq!(get("CARGO_MANIFEST_DIR"), json!(env!("CARGO_MANIFEST_DIR")));
    assert_eq!(get("CARGO"), json!(null));
    close(&platform);
}

/// Dials the platform's socket as a worker would, with a token of its own invention and with one of
/// the wrong length, and says how it went.
const STRANGER: &str = "
import sys
from snakepit_bridge import _native
for token in (bytes(32), b'short'):
    try:
        _native.connect(sys.argv[1], token, 'stranger', [], 10000)
    except ConnectionError as refusal:
        print('refused:', refusal)
    else:
        print('admitted')
";

#[test]
fn a_stranger_on_the_socket_is_refused_and_changes_nothing() {
    let run_dir = tempfile::tempdir().unwrap();
    let mut config = config(1, 1);
    config["run_dir"] = json!(run_dir.path());
    let platform = open(&config);
    let session = session(&platform);
    let pid = call(&session, "pid", json!({})).unwrap();
    let directory = std::fs::read_dir(run_dir.path()).unwrap().next().unwrap().unwrap().path();
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&directory.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
    #[expect(clippy::disallowed_methods, reason = "the test is the stranger")]
    let stranger = std::process::Command::new(python())
        .args(["-c", STRANGER, directory.join("bridge.sock").to_str().unwrap()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&stranger.stdout).into_owned();
    assert_eq!(said.matches("refused:").count(), 2, "{said}{stranger:?}");
    assert!(said.contains("unknown or used token"), "{said}");
    assert_eq!(call(&session, "pid", json!({})).unwrap(), pid);
    close(&platform);
    assert_eq!(std::fs::read_dir(run_dir.path()).unwrap().count(), 0, "the directory is gone");
}

/// The host of the next test: four workers, each with a stubborn grandchild, one holding the GIL in
/// C.
#[test]
#[ignore = "runs only as the child of the next test"]
fn host_that_is_killed() {
    let mut config = config(4, 2);
    let marker = std::env::var("SPB_TEST_MARKER").unwrap();
    config["pools"]["default"]["env"] = json!({"SPB_TEST_MARKER": marker});
    let platform = open(&config);
    let session = session(&platform);
    let started: Vec<_> = (0..16).map(|_| begin(&session, "daemonize", json!({}))).collect();
    started.iter().for_each(|operation| drop(outcome(operation).unwrap()));
    begin(&session, "hold_gil", json!({}));
    eventually("the lock is held", || platform.pool("").unwrap().stats()["running"] == 1);
    println!("ready");
    std::thread::park();
}

#[test]
fn a_killed_host_leaves_no_process_behind() {
    let marker = format!("SPB_TEST_MARKER=host-{}", std::process::id());
    #[expect(clippy::disallowed_methods, reason = "the test starts its own host")]
    let mut host = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "faults::host_that_is_killed", "--ignored", "--nocapture"])
        .env("SPB_TEST_MARKER", marker.split_once('=').unwrap().1)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(host.stdout.take().unwrap()).lines();
    assert!(
        lines.map_while(Result::ok).any(|line| line.contains("ready")),
        "the host never started"
    );
    let before = marked_processes(&marker);
    assert!(before.len() > 8, "host, workers, grandchildren: {before:?}");
    host.kill().unwrap();
    let killed = Instant::now();
    host.wait().unwrap();
    eventually("nothing is left", || marked_processes(&marker).is_empty());
    let took = killed.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
}

pub fn kill(pid: i64, signal: i32) {
    let pid = i32::try_from(pid).unwrap();
    #[expect(unsafe_code, reason = "a test that kills")]
    // SAFETY: kill(2) takes two integers and touches no memory of ours.
    let result = unsafe { libc::kill(pid, signal) };
    assert_eq!(result, 0);
}
