//! Platforms with real Python workers for the scenarios, and what is measured around them: times,
//! memory, counts. It knows no scenario.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{Chunk, ExecuteRequest, Operation, OperationSink, Platform, Session};
use snakepit_bridge::core::{Result, Status, Value};

use crate::support;

/// A pool whose workers know both test modules and carry the scenario's mark.
pub fn config(workers: usize, calls_per_worker: usize) -> Json {
    let mut config = support::config(workers, calls_per_worker);
    let pool = pool_of(&mut config);
    pool["env_pass"] = json!(["SNAKEPIT_MARK"]);
    pool["frameworks"]["python"]["modules"] = json!(["spb_testmod", "spb_faultmod"]);
    config
}

/// The one pool of a configuration.
pub fn pool_of(config: &mut Json) -> &mut Json {
    &mut config["pools"]["default"]
}

pub fn stats(platform: &Arc<Platform>) -> Json {
    platform.pool("").unwrap().stats()
}

/// Waits until so many calls run in workers.
pub fn wait_running(platform: &Arc<Platform>, calls: usize) {
    support::eventually("the calls run", || stats(platform)["running"] == calls);
}

/// The processes of the pool's workers.
pub fn worker_pids(platform: &Arc<Platform>) -> Vec<Pid> {
    let stats = stats(platform);
    let rows = stats["workers"].as_array().unwrap().iter();
    rows.filter_map(|row| row["pid"].as_i64()).map(pid).collect()
}

pub fn pid(number: i64) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

/// Sends a signal to a process that may be gone.
pub fn signal(pid: Pid, signal: Signal) {
    let _ = kill_process(pid, signal);
}

/// The end of one of many operations.
pub struct Ended {
    pub number: usize,
    pub status: Status,
    /// From its start.
    pub took: Duration,
}

/// Operations that are started by one thread and whose ends come to it, in any order.
pub struct Traffic {
    ends: Receiver<Ended>,
    sender: Sender<Ended>,
    pub started: usize,
    pub ended: usize,
}

impl Traffic {
    pub fn new() -> Traffic {
        let (sender, ends) = channel();
        Traffic { ends, sender, started: 0, ended: 0 }
    }

    /// Starts an operation; its number is how many were started before.
    pub fn start(&mut self, session: &Session, request: ExecuteRequest) {
        let operation = session.prepare(request).unwrap();
        let report =
            Report { number: self.started, began: Instant::now(), sender: self.sender.clone() };
        self.started += 1;
        operation.start(Some(Arc::new(report)));
    }

    /// The next end, or none within `patience`.
    pub fn next(&mut self, patience: Duration) -> Option<Ended> {
        let ended = self.ends.recv_timeout(patience).ok();
        self.ended += usize::from(ended.is_some());
        ended
    }

    pub fn in_flight(&self) -> usize {
        self.started - self.ended
    }

    /// The ends of everything that is under way.
    pub fn rest(&mut self) -> Vec<Ended> {
        let mut all = Vec::new();
        while self.in_flight() > 0 {
            all.push(self.next(support::LONG).expect("an operation never ended"));
        }
        all
    }
}

struct Report {
    number: usize,
    began: Instant,
    sender: Sender<Ended>,
}

impl OperationSink for Report {
    fn chunks(&self, _: &Operation, _: Vec<Chunk>) {}

    fn done(&self, _: &Operation, outcome: Result<Value>) {
        let status = outcome.map_or_else(|error| error.status(), |_| Status::Ok);
        let ended = Ended { number: self.number, status, took: self.began.elapsed() };
        // The scenario may have stopped listening.
        let _ = self.sender.send(ended);
    }
}

/// Numbers and how often each stands in a ledger of `spb_faultmod.record`.
pub fn read_ledger(path: &std::path::Path) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        *counts.entry(line.parse().unwrap()).or_insert(0) += 1;
    }
    counts
}

/// The time that `share` of all are not above.
pub fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let index = (times.len() as f64 * share).ceil() as usize;
    times[index.clamp(1, times.len()) - 1]
}

/// Resident memory of a process, in bytes.
pub fn resident_bytes(pid: Pid) -> u64 {
    let path = format!("/proc/{}/status", pid.as_raw_nonzero());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
