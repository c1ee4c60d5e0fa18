//! F15 and F16: a worker that takes all that it can get, and what the others feel of it.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::json;
use snakepit_bridge::api::{ExecuteRequest, Platform, Session};
use snakepit_bridge::core::Status;

use crate::control_group::{CPU_SHARES, Group, PROCESSES};
use crate::figure::Figure;
use crate::platforms::{self, ready_worker, watch};
use crate::scenario::{Scale, Scenario};
use crate::support::{self, call, eventually, finish, request};
use crate::world::marked;

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "F15",
        promise: "fork bomb in a worker with a control group of 64 processes: p99 of a null call \
                  to another pool",
        short: true,
        patience: Duration::from_secs(120),
        run: fork_bomb,
    },
    Scenario {
        id: "F16",
        promise: "worker over its soft memory limit is replaced between calls, over its hard limit \
                  killed; no other call fails",
        short: false,
        patience: Duration::from_secs(120),
        run: memory_hog,
    },
];

fn fork_bomb(scale: Scale) -> Figure {
    let mark = platforms::fresh_mark();
    let mut config = platforms::python(&mark, 1, 2);
    config["pools"]["other"] = config["pools"]["default"].clone();
    let platform = support::open(&config);
    let session = support::session(&platform);
    let limit = Duration::from_millis(50);
    let Some(group) = Group::new(PROCESSES, 64) else {
        support::close(&platform);
        return Figure::other(
            0,
            "skipped: no control group".to_owned(),
            "50.0 ms".to_owned(),
            true,
        );
    };
    let (_, bomber) = ready_worker(&platform, 0).unwrap();
    // A bomb uses up numbers so fast that this one may soon be somebody else's.
    let process = pidfd_open(bomber, PidfdFlags::empty()).unwrap();
    group.add(bomber);
    let share = Group::new(CPU_SHARES, 1024).unwrap();
    share.add(bomber);
    null_calls(&session, 50);
    let (bomb, seen) = watch(&session, request("fork_bomb", &json!({})));
    eventually("it is at its limit", || group.len() >= 40);
    let p99 = null_calls(&session, scale.pick(200, 1_000));
    defuse(&platform, &process);
    assert!(bomb.wait(Some(support::LONG)));
    let ends = seen.ends.lock();
    // So many beside it may leave its heart no time to beat.
    let is_lost = |status| matches!(status, Status::WorkerLost | Status::WorkerHung);
    assert!(matches!(&ends[..], [Err(error)] if is_lost(error.status())), "{ends:?}");
    // Host, and a guard and a worker for each pool.
    eventually("the bomb is gone", || group.len() == 0 && marked(&mark).len() <= 4);
    support::close(&platform);
    Figure::time(scale.pick(200, 1_000), p99, limit)
}

/// The worker dies, and the guard ends what it has made.
fn defuse(platform: &Arc<Platform>, bomber: &OwnedFd) {
    // One that has been taken for hung, and killed, needs no killing.
    let _ = pidfd_send_signal(bomber, Signal::KILL);
    eventually("the next is there", || {
        ready_worker(platform, 0).is_some_and(|(generation, _)| generation > 1)
    });
}

/// The 99th percentile of so many calls, one after the other.
fn null_calls(session: &Session, count: usize) -> Duration {
    let mut times: Vec<Duration> = (0..count)
        .map(|_| {
            let request = ExecuteRequest {
                pool: "other".to_owned(),
                ..request("echo", &json!({"value": null}))
            };
            let began = Instant::now();
            finish(session.prepare(request).unwrap()).unwrap();
            began.elapsed()
        })
        .collect();
    times.sort();
    times[count * 99 / 100]
}

fn memory_hog(scale: Scale) -> Figure {
    let trials = scale.pick(1, 3);
    let mark = platforms::fresh_mark();
    let mut config = platforms::python(&mark, 1, 4);
    let pool = &mut config["pools"]["default"];
    pool["heartbeat"] = json!({"interval_ms": 200});
    pool["recycle"] = json!({"memory_soft_bytes": 200 << 20});
    pool["limits"] = json!({"memory_hard_bytes": 600 << 20});
    // Its calls are killed again and again, on purpose.
    pool["barrier"] = json!({"crashes_max": 0});
    let platform = support::open(&config);
    let session = support::session(&platform);
    let mut failed = 0;
    for _ in 0..trials {
        failed += over_the_soft_limit(&session);
        over_the_hard_limit(&session);
    }
    support::close(&platform);
    Figure::count(trials, failed, 0, "calls failed beside the one over the hard limit")
}

/// One call leaves the worker too large. Calls until another serves; how many of them failed.
fn over_the_soft_limit(session: &Session) -> u64 {
    let large = call(session, "eat", json!({"mebibytes": 300})).unwrap();
    let mut failed = 0;
    eventually("the worker is replaced", || {
        // A call that is longer than several heartbeats: it is not interrupted, either.
        match call(session, "eaten", json!({"pause_s": 0.5})) {
            Ok(eaten) => eaten != large,
            Err(error) => {
                println!("{error:?}");
                failed += 1;
                false
            }
        }
    });
    failed
}

fn over_the_hard_limit(session: &Session) {
    let error = call(session, "eat_and_stay", json!({"mebibytes": 700})).unwrap_err();
    assert_eq!(error.status(), Status::WorkerLost, "{error:?}");
    assert_eq!(error.details()["cause"], "memory", "{error:?}");
    assert_eq!(call(session, "eaten", json!({"pause_s": 0.0})).unwrap(), json!(0));
}
