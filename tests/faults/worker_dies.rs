//! F10 and F12: Python workers die under calls, in every way; no call is lost, doubled or run
//! twice, and the way is told.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::json;
use snakepit_bridge::api::{
    Chunk, ExecuteRequest, Operation, OperationSink, Platform, Session, Timeout,
};
use snakepit_bridge::core::{Result, Status, Value};

use crate::control_group::{Group, MEMORY_BYTES};
use crate::figure::Figure;
use crate::platforms;
use crate::scenario::{Scale, Scenario};
use crate::support::{self, LONG, call, eventually, request};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "F10",
        promise: "a random Python worker killed every 100 calls: each call ends once, none runs \
                  twice, the pool comes back to size",
        short: true,
        patience: Duration::from_secs(240),
        run: many_losses,
    },
    Scenario {
        id: "F12",
        promise: "SEGV, ABRT, exit 0, exit 3, boot error, kernel out of memory: told apart",
        short: true,
        patience: Duration::from_secs(180),
        run: every_end,
    },
];

fn many_losses(scale: Scale) -> Figure {
    let calls = scale.pick(400, 10_000);
    let mut config = platforms::python(&platforms::fresh_mark(), WORKERS, 8);
    config["pools"]["default"]["restart"] = json!({"backoff_min_ms": 1, "backoff_max_ms": 50});
    let platform = support::open(&config);
    let session = support::session(&platform);
    let ledger = tempfile::NamedTempFile::new().unwrap();
    let ends = storm(&platform, &session, ledger.path(), calls);
    let pool = platform.pool("").unwrap();
    eventually("the pool is back to size", || pool.stats()["ready"] == WORKERS);
    support::close(&platform);
    let begun = platforms::ledger(ledger.path());
    let begun = |entry: usize| begun.get(&entry.to_string()).copied().unwrap_or(0);
    let failed = ends.iter().flatten().filter(|status| **status != Status::Ok).count();
    assert!(failed > 0, "no kill has hit a call");
    println!("{failed} of {calls} calls were told that their worker was lost");
    let lost = ends.iter().filter(|ends| ends.is_empty()).count();
    let doubled = ends.iter().filter(|ends| ends.len() > 1).count();
    let twice = (0..calls).filter(|entry| begun(*entry) > 1).count();
    let wrong = (0..calls).filter(|entry| {
        let typed = ends[*entry].iter().all(|end| matches!(end, Status::Ok | Status::WorkerLost));
        !typed || ends[*entry] == [Status::Ok] && begun(*entry) != 1
    });
    assert_eq!(wrong.count(), 0, "{ends:?}");
    let worst = format!("{lost} lost, {doubled} doubled, {twice} run twice of {calls}");
    let limit = "0 lost, 0 doubled, 0 run twice".to_owned();
    Figure::other(calls, worst, limit, lost + doubled + twice == 0)
}

/// Runs so many calls, some at once, and kills a worker after each hundred. All that each call was
/// told of its end.
fn storm(
    platform: &Arc<Platform>,
    session: &Session,
    ledger: &Path,
    calls: usize,
) -> Vec<Vec<Status>> {
    let (sender, receiver) = sync_channel(calls * 2);
    let submit = |entry: usize| {
        let operation = session.prepare(entry_request(ledger, entry)).unwrap();
        operation.start(Some(Arc::new(End { entry, sender: sender.clone() })));
    };
    let mut ends = vec![Vec::new(); calls];
    (0..IN_FLIGHT).for_each(submit);
    for ended in 0..calls {
        let (entry, status) =
            receiver.recv_timeout(LONG).unwrap_or_else(|_| panic!("a call is lost"));
        ends[entry].push(status);
        if ended % 100 == 50 {
            kill_one(platform);
        }
        if ended + IN_FLIGHT < calls {
            submit(ended + IN_FLIGHT);
        }
    }
    while let Ok((entry, status)) = receiver.recv_timeout(Duration::from_millis(200)) {
        ends[entry].push(status);
    }
    ends
}

fn entry_request(ledger: &Path, entry: usize) -> ExecuteRequest {
    let parameters = json!({"ledger": ledger, "entry": entry, "pause_s": 0.001});
    ExecuteRequest { timeout: Timeout::After(LONG), ..request("ledger_entry", &parameters) }
}

/// Whichever ready worker chance names.
fn kill_one(platform: &Arc<Platform>) {
    let mut victims = Vec::new();
    eventually("a worker is there", || {
        let ready = |slot| platforms::ready_worker(platform, slot);
        victims = (0..WORKERS as u64).filter_map(ready).collect();
        !victims.is_empty()
    });
    let (_, pid) = victims[getrandom::u32().unwrap() as usize % victims.len()];
    // One that has ended meanwhile needs no killing.
    let _ = kill_process(pid, Signal::KILL);
}

/// Tells each end of one call.
struct End {
    entry: usize,
    sender: SyncSender<(usize, Status)>,
}

impl OperationSink for End {
    fn chunks(&self, _: &Operation, _: Vec<Chunk>) {}

    fn done(&self, _: &Operation, outcome: Result<Value>) {
        let status = outcome.map_or_else(|error| error.status(), |_| Status::Ok);
        let _ = self.sender.send((self.entry, status));
    }
}

fn every_end(scale: Scale) -> Figure {
    let rounds = scale.pick(1, 5);
    let mut config = platforms::python(&platforms::fresh_mark(), 1, 4);
    config["pools"]["default"]["restart"] = json!({"backoff_min_ms": 1, "backoff_max_ms": 50});
    // The same crashes come again and again, which is what the barrier is there to refuse.
    config["pools"]["default"]["barrier"] = json!({"crashes_max": 0});
    let platform = support::open(&config);
    let session = support::session(&platform);
    let mut wrong = Vec::new();
    let mut trials = 0;
    for _ in 0..rounds {
        for (operation, how, expected) in ENDS {
            let parameters = if how.is_empty() { json!({}) } else { json!({"how": how}) };
            let error = call(&session, operation, parameters).unwrap_err();
            wrong.extend(unlike(&error, expected));
            // A good call in between, so that nothing counts as hopeless.
            call(&session, "pid", json!({})).unwrap();
            trials += 1;
        }
        wrong.extend(out_of_memory(&platform, &session));
        wrong.extend(boot_error());
        trials += 2;
    }
    support::close(&platform);
    assert!(wrong.is_empty(), "{wrong:#?}");
    Figure::count(trials, 0, 0, "ends taken for another")
}

/// Operation, its parameter, and what the error has to say.
const ENDS: [(&str, &str, &str); 5] = [
    ("crash_in_c", "", "killed by signal 11 (SIGSEGV)"),
    ("end_by", "SIGSEGV", "killed by signal 11 (SIGSEGV)"),
    ("end_by", "SIGABRT", "killed by signal 6 (SIGABRT)"),
    ("end_by", "exit 0", "exited with code 0"),
    ("end_by", "exit 3", "exited with code 3"),
];

fn unlike(error: &snakepit_bridge::core::Error, expected: &str) -> Option<String> {
    let is_like = error.status() == Status::WorkerLost && error.details()["exit"] == expected;
    (!is_like).then(|| format!("{expected}: {error:?}"))
}

/// The worker is put into a memory group that is too small for it.
fn out_of_memory(platform: &Arc<Platform>, session: &Session) -> Option<String> {
    let (_, pid) = platforms::ready_worker(platform, 0).unwrap();
    let group = Group::new(MEMORY_BYTES, 256 << 20)?;
    group.add(pid);
    let error = call(session, "eat", json!({"mebibytes": 512})).unwrap_err();
    let wrong = unlike(&error, "killed by signal 9 (SIGKILL)");
    call(session, "pid", json!({})).unwrap();
    wrong
}

/// A worker that ends with 3 while it imports what it was told to.
fn boot_error() -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let module = "\"\"\"Ends the process.\"\"\"\nimport os\nos._exit(3)\n";
    std::fs::write(directory.path().join("spb_bootless.py"), module).unwrap();
    let mut config = platforms::python(&platforms::fresh_mark(), 1, 1);
    let pool = &mut config["pools"]["default"];
    pool["python_path"] = json!([directory.path()]);
    pool["frameworks"]["python"]["modules"] = json!(["spb_bootless"]);
    pool["restart"] = json!({"failures_max": 1});
    let platform = Platform::open(config.to_string().as_bytes()).unwrap();
    let ready = platform.pool("").unwrap().await_ready(1, Timeout::After(LONG)).unwrap();
    let error = support::finish(ready).unwrap_err();
    support::close(&platform);
    let is_like = error.message().contains("did not start: exited with code 3");
    (!is_like).then(|| format!("boot error: {error:?}"))
}

const WORKERS: usize = 4;
const IN_FLIGHT: usize = 64;
