//! F20: a worker that is stopped in the middle of a call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal};
use serde_json::json;
use snakepit_bridge::api::{Level, LogBatch, LogFilter, LogSink, Platform, Session};
use snakepit_bridge::core::Status;

use crate::figure::Figure;
use crate::python::{Traffic, config, percentile, pid, pool_of, signal, stats, wait_running};
use crate::scenario::{Scale, Scenario};
use crate::support::{begin, close, eventually, open, outcome, request, session};

pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "F20",
    promise: "a stopped worker: its call ends as hung within two intervals, its stack is printed, \
              its place is filled, and the others' 99th percentile grows by 20% at most",
    short: true,
    patience: Duration::from_secs(120),
    run: stopped,
}];

fn stopped(scale: Scale) -> Figure {
    let interval = scale.pick(Duration::from_millis(500), Duration::from_secs(2));
    let mut config = config(3, 1);
    let interval_ms = u64::try_from(interval.as_millis()).unwrap();
    let heartbeat = json!({"interval_ms": interval_ms, "timeout_ms": interval_ms});
    pool_of(&mut config)["heartbeat"] = heartbeat;
    let platform = open(&config);
    let printed = Arc::new(Printed::default());
    let filter = LogFilter { level: Level::Info, target_prefix: "stderr".to_owned() };
    let watch = platform.subscribe_logs(filter, printed.clone()).unwrap();
    let session = session(&platform);
    let trials = scale.pick(1, 3);
    let (mut before, mut during, mut back) = (Vec::new(), Vec::new(), Vec::new());
    for trial in 1..=trials {
        let operation = begin(&session, "ignore_cancel", json!({"seconds": 600.0}));
        wait_running(&platform, 1);
        let pid = the_busy_one(&platform);
        before.extend(others(&session, interval * 2));
        signal(pid, Signal::STOP);
        let began = Instant::now();
        std::thread::scope(|scope| {
            let beside = scope.spawn(|| others(&session, interval * 2));
            assert_eq!(outcome(&operation).unwrap_err().status(), Status::WorkerHung);
            let noticed = began.elapsed();
            assert!(noticed < interval * 2 + MARGIN, "noticed after {noticed:?}");
            eventually("three workers are ready", || stats(&platform)["ready"] == 3);
            back.push(began.elapsed());
            during.extend(beside.join().unwrap());
        });
        eventually("its stack is told", || printed.stacks() == trial);
    }
    drop(watch);
    close(&platform);
    let (before, during) = (percentile(&mut before, 0.99), percentile(&mut during, 0.99));
    eprintln!("others: {before:?} before, {during:?} during");
    if scale == Scale::Full {
        // At short scale one sample more or less would decide.
        assert!(during.as_secs_f64() <= before.as_secs_f64() * 1.2, "{before:?}, {during:?}");
    }
    Figure::time(trials, back.into_iter().max().unwrap(), Duration::from_secs(5))
}

fn the_busy_one(platform: &Arc<Platform>) -> Pid {
    let stats = stats(platform);
    let mut rows = stats["workers"].as_array().unwrap().iter();
    pid(rows.find(|row| row["running"] == 1).unwrap()["pid"].as_i64().unwrap())
}

/// How long calls of 10 ms take that the two other workers run.
fn others(session: &Session, time: Duration) -> Vec<Duration> {
    let mut traffic = Traffic::new();
    let mut times = Vec::new();
    let until = Instant::now() + time;
    while Instant::now() < until {
        while traffic.in_flight() < 2 {
            traffic.start(session, request("work", &json!({"seconds": 0.01})));
        }
        let ended = traffic.next(Duration::from_secs(10)).expect("the others go on");
        assert_eq!(ended.status, Status::Ok);
        times.push(ended.took);
    }
    assert!(traffic.rest().iter().all(|ended| ended.status == Status::Ok));
    times
}

/// What workers print to their standard error.
#[derive(Default)]
struct Printed(Mutex<String>);

impl Printed {
    fn stacks(&self) -> usize {
        self.0.lock().matches("Fatal Python error: Aborted").count()
    }
}

impl LogSink for Printed {
    fn take(&self, batch: &mut LogBatch) {
        let mut text = self.0.lock();
        batch.records.drain(..).for_each(|record| text.push_str(record.message()));
    }
}

/// What a busy machine may add.
const MARGIN: Duration = Duration::from_millis(200);
