//! F20 to F24: workers that are stopped, busy or deaf, and calls that run out of time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use snakepit_bridge::api::{ExecuteRequest, Platform, Timeout};
use snakepit_bridge::core::{Status, Value};

use crate::figure::Figure;
use crate::python::{
    Traffic, config, pool_of, read_ledger, signal, stats, wait_running, worker_pids,
};
use crate::scenario::{Scale, Scenario};
use crate::support::{begin, call, close, eventually, open, outcome, request, session, tool};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "F21",
        promise: "a long call that holds the GIL is left alone",
        short: false,
        patience: Duration::from_secs(120),
        run: busy,
    },
    Scenario {
        id: "F22",
        promise: "workers stopped and continued at random under load: every call ends once, none \
                  runs twice, and the pool is whole again",
        short: false,
        patience: Duration::from_secs(180),
        run: clogged,
    },
    Scenario {
        id: "F23",
        promise: "a handler that ignores its cancel: its caller is free at once, its place back",
        short: true,
        patience: Duration::from_secs(120),
        run: deaf,
    },
    Scenario {
        id: "F24",
        promise: "a deadline of 100 ms ends a call of 10 s, tells its worker and binds its tools",
        short: true,
        patience: Duration::from_secs(120),
        run: late,
    },
];

/// F21.
fn busy(scale: Scale) -> Figure {
    let mut config = config(1, 4);
    if scale == Scale::Short {
        pool_of(&mut config)["heartbeat"] = json!({"interval_ms": 500, "timeout_ms": 500});
    }
    let platform = open(&config);
    let session = session(&platform);
    let pid = call(&session, "pid", json!({})).unwrap();
    let seconds = scale.pick(5, 30);
    assert_eq!(call(&session, "keep_gil", json!({"seconds": seconds})).unwrap(), "held");
    assert_eq!(call(&session, "pid", json!({})).unwrap(), pid);
    let replaced = stats(&platform)["restarts"].as_u64().unwrap();
    close(&platform);
    Figure::count(1, replaced, 0, "workers replaced")
}

/// F22.
fn clogged(scale: Scale) -> Figure {
    let mut config = config(4, 4);
    pool_of(&mut config)["heartbeat"] = json!({"interval_ms": 500, "timeout_ms": 500});
    let platform = open(&config);
    let session = session(&platform);
    let ledger = tempfile::NamedTempFile::new().unwrap();
    let mut traffic = Traffic::new();
    let mut ends = Vec::new();
    let is_over = AtomicBool::new(false);
    let until = Instant::now() + scale.pick(Duration::from_secs(5), Duration::from_secs(60));
    std::thread::scope(|scope| {
        scope.spawn(|| clog(&platform, &is_over));
        while Instant::now() < until {
            if traffic.in_flight() < 24 {
                let number = traffic.started;
                let parameters = json!({"path": ledger.path(), "number": number, "seconds": 0.01});
                traffic.start(&session, request("record", &parameters));
            } else {
                ends.extend(traffic.next(Duration::from_millis(100)));
            }
        }
        is_over.store(true, Ordering::Release);
    });
    let began = Instant::now();
    eventually("the pool is whole", || stats(&platform)["ready"] == 4);
    assert!(call(&session, "pid", json!({})).is_ok());
    let whole = began.elapsed();
    ends.extend(traffic.rest());
    close(&platform);
    assert!(traffic.next(Duration::ZERO).is_none(), "an operation ended twice");
    let numbers: BTreeSet<usize> = ends.iter().map(|ended| ended.number).collect();
    assert_eq!((numbers.len(), ends.len()), (traffic.started, traffic.started));
    let runs = read_ledger(ledger.path());
    for ended in &ends {
        let ran = runs.get(&ended.number).copied().unwrap_or(0);
        match ended.status {
            Status::Ok => assert_eq!(ran, 1, "call {}", ended.number),
            Status::WorkerLost | Status::WorkerHung => assert!(ran <= 1, "call {}", ended.number),
            other => panic!("call {} ended with {other:?}", ended.number),
        }
    }
    Figure::time(ends.len(), whole, Duration::from_secs(10))
}

/// Stops and continues random workers until it is over; then all of them go on.
fn clog(platform: &Arc<Platform>, is_over: &AtomicBool) {
    let mut random = Random::new();
    while !is_over.load(Ordering::Acquire) {
        let all = worker_pids(platform);
        let chosen = all.into_iter().filter(|_| random.below(2) == 0);
        let stopped: Vec<_> = chosen.inspect(|pid| signal(*pid, Signal::STOP)).collect();
        let until = Instant::now() + Duration::from_millis(20 + random.below(1200));
        while !is_over.load(Ordering::Acquire) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        stopped.into_iter().for_each(|pid| signal(pid, Signal::CONT));
    }
}

/// Numbers that need not be good; their seed is printed, so that a failure shows it.
struct Random(u64);

impl Random {
    fn new() -> Random {
        let seed = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1;
        eprintln!("seed {seed}");
        Random(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// F23.
fn deaf(scale: Scale) -> Figure {
    let platform = open(&config(1, 1));
    let session = session(&platform);
    let trials = scale.pick(1, 5);
    let mut back = Vec::new();
    for _ in 0..trials {
        let pid = call(&session, "pid", json!({})).unwrap();
        let operation = begin(&session, "ignore_cancel", json!({"seconds": 600.0}));
        wait_running(&platform, 1);
        let cancelled = Instant::now();
        operation.cancel();
        assert_eq!(outcome(&operation).unwrap_err().status(), Status::Cancelled);
        let free = cancelled.elapsed();
        assert!(free < Duration::from_millis(100), "the caller waited {free:?}");
        assert_ne!(call(&session, "pid", json!({})).unwrap(), pid);
        back.push(cancelled.elapsed());
    }
    a_late_answer_is_dropped_and_counted(&platform);
    close(&platform);
    Figure::time(trials, back.into_iter().max().unwrap(), Duration::from_secs(5))
}

/// One that comes within the grace: its worker stays.
fn a_late_answer_is_dropped_and_counted(platform: &Arc<Platform>) {
    let session = session(platform);
    let late = |count: usize| format!("spb_late_results_total{{pool=\"default\"}} {count}\n");
    assert!(platform.metrics_text().contains(&late(0)), "{}", platform.metrics_text());
    let pid = call(&session, "pid", json!({})).unwrap();
    let operation = begin(&session, "ignore_cancel", json!({"seconds": 0.2}));
    wait_running(platform, 1);
    operation.cancel();
    assert_eq!(outcome(&operation).unwrap_err().status(), Status::Cancelled);
    eventually("the answer came", || platform.metrics_text().contains(&late(1)));
    assert_eq!(call(&session, "pid", json!({})).unwrap(), pid);
}

/// F24.
fn late(scale: Scale) -> Figure {
    let platform = open(&config(1, 4));
    let session = session(&platform);
    let trials = scale.pick(10, 100);
    let mut times = Vec::new();
    for _ in 0..trials {
        let limited = ExecuteRequest {
            timeout: Timeout::After(LIMIT),
            ..request("until_told", &json!({"seconds": 10.0}))
        };
        let operation = session.prepare(limited).unwrap();
        let began = Instant::now();
        operation.start(None);
        assert_eq!(outcome(&operation).unwrap_err().status(), Status::Deadline);
        times.push(began.elapsed());
        assert_eq!(call(&session, "was_told", json!({})).unwrap(), true);
    }
    nested_calls_have_no_longer(&platform);
    close(&platform);
    let earliest = times.iter().min().unwrap();
    assert!(*earliest >= LIMIT, "an error came after {earliest:?}");
    Figure::time(trials, times.into_iter().max().unwrap(), Duration::from_millis(150))
}

/// A tool call, and an operation that the tool starts with a minute of its own, both end with the
/// outermost operation.
fn nested_calls_have_no_longer(platform: &Arc<Platform>) {
    let session = session(platform);
    let inner = session.clone();
    tool(platform, None, "left", move |invocation| {
        let own = invocation.info()["deadline_remaining_ms"].as_f64().unwrap();
        let nested =
            ExecuteRequest { parent: Some(invocation.clone()), ..request("remaining", &json!({})) };
        let operation = inner.prepare(nested).unwrap();
        operation.start(None);
        let nested = outcome(&operation).unwrap().to_document().unwrap().as_f64().unwrap();
        Some(Ok(Value::from_document(&json!([own, nested * 1000.0]))))
    });
    let limited = ExecuteRequest {
        timeout: Timeout::After(Duration::from_secs(2)),
        ..request("left_ms", &json!({"tool": "left"}))
    };
    let operation = session.prepare(limited).unwrap();
    operation.start(None);
    let document = outcome(&operation).unwrap().to_document().unwrap();
    let answers = document["answer"].as_array().unwrap().iter();
    let chain: Vec<f64> = [2000.0, document["left_ms"].as_f64().unwrap()]
        .into_iter()
        .chain(answers.map(|left| left.as_f64().unwrap()))
        .collect();
    // Each is told in whole milliseconds of its own clock.
    assert!(chain.windows(2).all(|pair| pair[1] <= pair[0] + 1.0), "{chain:?}");
}

const LIMIT: Duration = Duration::from_millis(100);
