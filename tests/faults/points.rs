//! F11: the worker is killed at each of nine points of one call; what the caller then sees is fixed
//! for each point.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{ExecuteRequest, Operation, Platform, Session, Timeout};
use snakepit_bridge::core::{Status, Value};

use crate::figure::Figure;
use crate::platforms::{self, Seen, ready_worker, watch};
use crate::scenario::{Scale, Scenario};
use crate::support::{self, LONG, eventually};

pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "F11",
    promise: "worker killed at each of 9 points of a call, idempotent or not: one end, as the \
              table of points says",
    short: true,
    patience: Duration::from_secs(120),
    run: nine_points,
}];

fn nine_points(scale: Scale) -> Figure {
    let rounds = scale.pick(1, 10);
    let mut config = platforms::wire(&platforms::fresh_mark(), 1, 1, &json!({}));
    // Far more calls lose their workers here than a budget for bad moments allows.
    config["pools"]["default"]["retry"] = json!({"budget_min_per_second": 1_000_000});
    let platform = support::open(&config);
    let stage = Stage {
        session: support::session(&platform),
        platform,
        ledger: tempfile::NamedTempFile::new().unwrap(),
        operation: Cell::new("act"),
    };
    let mut wrong = Vec::new();
    for round in 0..rounds {
        for (number, (name, point)) in (0..).zip(POINTS) {
            for operation in ["act", "act_again"] {
                stage.operation.set(operation);
                let entry = round * 1000 + number * 10 + u64::from(operation == "act");
                let ended = stage.after(point(&stage, entry), entry);
                if !table(name, operation == "act_again").contains(&ended.facts()) {
                    wrong.push(format!("{operation} {name}: {ended:?}"));
                }
            }
        }
    }
    support::close(&stage.platform);
    assert!(wrong.is_empty(), "off the table: {wrong:#?}");
    let trials = usize::try_from(rounds).unwrap() * POINTS.len() * 2;
    Figure::count(trials, 0, 0, "outcomes off the table")
}

/// What a caller may see: the end, how often the handler has begun, and how many chunks came, all
/// of them from the first on. The same as in docs/faults.md.
fn table(point: &str, idempotent: bool) -> &'static [(&'static str, usize, usize)] {
    match (point, idempotent) {
        ("queued" | "acknowledged", _) => &[("result", 1, 0)],
        // It depends on whether the pool has noticed.
        ("assigned", false) => &[("result", 1, 0), ("lost", 0, 0)],
        ("assigned" | "sent", true) => &[("result", 1, 0)],
        ("sent", false) => &[("lost", 0, 0)],
        ("accepted", false) => &[("lost", 1, 0)],
        ("accepted", true) => &[("result", 2, 0)],
        ("first chunk", _) => &[("lost", 1, 1)],
        ("mid stream", _) => &[("lost", 1, SOME)],
        ("last chunk", _) => &[("lost", 1, 8)],
        ("reply on the wire", false) => &[("result", 1, 0), ("lost", 1, 0)],
        ("reply on the wire", true) => &[("result", 1, 0), ("result", 2, 0)],
        (unknown, _) => panic!("no row for {unknown:?}"),
    }
}

/// More than one chunk, and not all.
const SOME: usize = usize::MAX;

struct Stage {
    platform: Arc<Platform>,
    session: Session,
    ledger: tempfile::NamedTempFile,
    /// The one that is not idempotent, or the one that is.
    operation: Cell<&'static str>,
}

/// A call that has been watched to its end.
#[derive(Debug)]
struct Ended {
    ends: Vec<Result<Json, Status>>,
    chunks: Vec<Json>,
    begun: usize,
}

impl Ended {
    fn facts(&self) -> (&'static str, usize, usize) {
        let end = match self.ends.as_slice() {
            [Ok(_)] => "result",
            [Err(Status::WorkerLost)] => "lost",
            _ => "something else",
        };
        let in_order = self.chunks.iter().enumerate().all(|(at, chunk)| *chunk == at);
        let chunks = match self.chunks.len() {
            _ if !in_order => usize::MAX - 1,
            count if count > 8 && count < STREAMED => SOME,
            count => count,
        };
        (end, self.begun, chunks)
    }
}

type Point = fn(&Stage, u64) -> (Arc<Operation>, Arc<Seen>);

const POINTS: [(&str, Point); 9] = [
    ("queued", queued),
    ("assigned", assigned),
    ("sent", sent),
    ("accepted", |stage, entry| stage.call(entry, &["die once", "result"])),
    ("first chunk", |stage, entry| stage.call(entry, &["chunk", "die once", "result"])),
    ("mid stream", mid_stream),
    ("last chunk", |stage, entry| {
        stage.call(entry, &[&["chunk"; 8][..], &["die once", "result"]].concat())
    }),
    ("reply on the wire", |stage, entry| stage.call(entry, &["result", "die once"])),
    ("acknowledged", acknowledged),
];

/// It waits behind another call, which is lost.
fn queued(stage: &Stage, entry: u64) -> (Arc<Operation>, Arc<Seen>) {
    let worker = stage.worker();
    let other = act(stage.ledger.path(), entry + 500, &["hold"]);
    let (blocker, lost) = watch(&stage.session, other);
    eventually("the other runs", || stage.begun(entry + 500) == 1);
    let called = stage.call(entry, &["result"]);
    eventually("it waits", || stage.stats()["queued"] == 1);
    kill_process(worker, Signal::KILL).unwrap();
    assert!(blocker.wait(Some(LONG)));
    let ends = lost.ends.lock();
    assert!(matches!(&ends[..], [Err(error)] if error.status() == Status::WorkerLost), "{ends:?}");
    called
}

/// The worker dies in the very moment in which it is chosen.
fn assigned(stage: &Stage, entry: u64) -> (Arc<Operation>, Arc<Seen>) {
    kill_process(stage.worker(), Signal::KILL).unwrap();
    stage.call(entry, &["result"])
}

/// The worker does not run any more when the call reaches its socket.
fn sent(stage: &Stage, entry: u64) -> (Arc<Operation>, Arc<Seen>) {
    let worker = stage.worker();
    kill_process(worker, Signal::STOP).unwrap();
    let called = stage.call(entry, &["result"]);
    eventually("it is sent", || stage.stats()["running"] == 1);
    kill_process(worker, Signal::KILL).unwrap();
    called
}

fn mid_stream(stage: &Stage, entry: u64) -> (Arc<Operation>, Arc<Seen>) {
    let worker = stage.worker();
    let steps = [&["chunk"; STREAMED][..], &["result"]].concat();
    let (operation, seen) = stage.call(entry, &steps);
    eventually("chunks come", || seen.chunks.lock().len() > 8);
    kill_process(worker, Signal::KILL).unwrap();
    (operation, seen)
}

fn acknowledged(stage: &Stage, entry: u64) -> (Arc<Operation>, Arc<Seen>) {
    let worker = stage.worker();
    let (operation, seen) = stage.call(entry, &["result", "hold"]);
    assert!(operation.wait(Some(LONG)));
    kill_process(worker, Signal::KILL).unwrap();
    (operation, seen)
}

/// Chunks of the long stream.
const STREAMED: usize = 10_000;

impl Stage {
    fn call(&self, entry: u64, steps: &[&str]) -> (Arc<Operation>, Arc<Seen>) {
        let request = act(self.ledger.path(), entry, steps);
        let operation = self.operation.get().to_owned();
        watch(&self.session, ExecuteRequest { operation, ..request })
    }

    fn stats(&self) -> Json {
        self.platform.pool("").unwrap().stats()
    }

    fn begun(&self, entry: u64) -> usize {
        let ledger = platforms::ledger(self.ledger.path());
        ledger.get(&entry.to_string()).copied().unwrap_or(0)
    }

    fn worker(&self) -> Pid {
        ready_worker(&self.platform, 0).unwrap().1
    }

    /// How it ended, looked at when another worker has taken the place, so that whatever could
    /// still have come has come.
    fn after(&self, (operation, seen): (Arc<Operation>, Arc<Seen>), entry: u64) -> Ended {
        assert!(operation.wait(Some(LONG)), "the call does not end: {}", self.stats());
        eventually("the pool is whole again", || self.next_answers(entry));
        let ends = std::mem::take(&mut *seen.ends.lock());
        let ends = ends.into_iter().map(|end| end.map_err(|error| error.status())).collect();
        Ended { ends, chunks: seen.chunks.lock().clone(), begun: self.begun(entry) }
    }

    /// A worker that was killed may look ready for a moment.
    fn next_answers(&self, entry: u64) -> bool {
        let (operation, seen) = self.call(entry + 1_000_000, &["result"]);
        assert!(operation.wait(Some(LONG)));
        let is_ok = seen.ends.lock().iter().all(Result::is_ok);
        is_ok && ready_worker(&self.platform, 0).is_some()
    }
}

/// A streaming call that notes `entry` in the ledger and takes these steps.
pub fn act(ledger: &Path, entry: u64, steps: &[&str]) -> ExecuteRequest {
    let parameters = json!({"ledger": ledger, "entry": entry, "steps": steps});
    ExecuteRequest {
        framework: "wire".to_owned(),
        operation: "act".to_owned(),
        parameters: Some(Value::from_document(&parameters)),
        stream: true,
        timeout: Timeout::After(LONG),
        ..ExecuteRequest::default()
    }
}
