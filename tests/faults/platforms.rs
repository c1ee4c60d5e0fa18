//! Platforms whose every process can be found again from outside (workers carry the mark in their
//! environment, guards on their command line), and ways to look at them and their calls.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::process::Pid;
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{Chunk, ExecuteRequest, Operation, OperationSink, Platform, Session};
use snakepit_bridge::core::{Result, Value};

use crate::points::act;
use crate::{support, wire, world};

/// The mark of a new platform, of letters, digits and dashes.
pub fn fresh_mark() -> String {
    world::fresh_mark().replace('.', "-")
}

/// Real Python workers that know `spb_testmod` and `spb_diemod`.
pub fn python(mark: &str, workers: usize, calls_per_worker: usize) -> Json {
    let mut config = support::config(workers, calls_per_worker);
    config["guard_path"] = json!(guard(mark));
    let pool = &mut config["pools"]["default"];
    pool["env"] = json!({"SNAKEPIT_MARK": mark});
    pool["concurrent_starts"] = json!(workers);
    pool["frameworks"]["python"]["modules"] = json!(["spb_testmod", "spb_diemod"]);
    config
}

/// Workers that speak the wire themselves; see `wire`. `manners` holds those that lie.
pub fn wire(mark: &str, workers: usize, calls_per_worker: usize, manners: &Json) -> Json {
    let mut config = python(mark, workers, calls_per_worker);
    let pool = &mut config["pools"]["default"];
    pool["python"] = json!(std::env::current_exe().unwrap());
    pool["frameworks"] = json!({"wire": {}});
    pool["env"] = json!({
        "SNAKEPIT_MARK": mark,
        "SNAKEPIT_ROLE": "wire",
        "TMPDIR": std::env::temp_dir(),
        wire::MANNERS: manners.to_string(),
    });
    pool["restart"] = json!({"backoff_min_ms": 1, "backoff_max_ms": 50, "failures_max": 1000});
    config
}

/// A host's ordinary start, after one before it was killed: it serves, and no run directory is left
/// but its own.
pub fn next_start() {
    let platform = support::open(&wire(&fresh_mark(), 1, 1, &json!({})));
    let session = support::session(&platform);
    let ledger = tempfile::NamedTempFile::new().unwrap();
    let served = session.prepare(act(ledger.path(), 7, &["result"])).unwrap();
    assert_eq!(support::finish(served).unwrap().to_document().unwrap(), json!(7));
    let entries = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let left: Vec<String> = names.filter(|name| name.starts_with("spb-")).collect();
    assert_eq!(left.len(), 1, "run directories left: {left:?}");
    support::close(&platform);
}

/// Everything that one call said to its consumer, in order.
#[derive(Default)]
pub struct Seen {
    pub chunks: Mutex<Vec<Json>>,
    /// More than one would be a broken promise.
    pub ends: Mutex<Vec<Result<Json>>>,
}

impl OperationSink for Seen {
    fn chunks(&self, _: &Operation, chunks: Vec<Chunk>) {
        let documents = chunks.iter().map(|chunk| chunk.value.to_document().unwrap());
        self.chunks.lock().extend(documents);
    }

    fn done(&self, _: &Operation, outcome: Result<Value>) {
        self.ends.lock().push(outcome.and_then(|value| value.to_document()));
    }
}

/// Starts a call whose events are all noted.
pub fn watch(session: &Session, request: ExecuteRequest) -> (Arc<Operation>, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let operation = session.prepare(request).unwrap();
    operation.start(Some(seen.clone()));
    (operation, seen)
}

/// The worker in a slot: generation and process, once it is ready.
pub fn ready_worker(platform: &Arc<Platform>, slot: u64) -> Option<(u64, Pid)> {
    let stats = platform.pool("").unwrap().stats();
    let rows = stats["workers"].as_array().unwrap();
    let row = rows.iter().find(|row| row["slot"] == slot && row["state"] == "ready")?;
    let pid = i32::try_from(row["pid"].as_i64()?).unwrap();
    Some((row["generation"].as_u64().unwrap(), Pid::from_raw(pid).unwrap()))
}

/// How often each line stands in a ledger.
pub fn ledger(path: &Path) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    counts
}

/// The guard by a name that holds the mark. It goes with the scenario's directory.
fn guard(mark: &str) -> PathBuf {
    let path = std::env::temp_dir().join(mark);
    if !path.exists() {
        std::os::unix::fs::symlink(support::guard(), &path).unwrap();
    }
    path
}
