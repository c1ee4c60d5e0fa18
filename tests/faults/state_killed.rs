//! F44: a host that writes to SQLite is killed in mid-commit, again and again: the file is sound,
//! each acknowledged write is in it, and no batch by half.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use snakepit_bridge::core::{SessionId, Value};
use snakepit_bridge::state::conformance::{self, Probe, Subject, Told};
use snakepit_bridge::state::{Access, Backend, Command, SqliteStore, Write};
use tokio::runtime::Builder;

use crate::figure::Figure;
use crate::hosts;
use crate::scenario::{Scale, Scenario};
use crate::stores::AMPLE;
use crate::world;

pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "F44",
    promise: "a host that writes to SQLite is killed in mid-commit: the file is sound, each \
              acknowledged write is there, no batch by half",
    short: true,
    patience: Duration::from_secs(600),
    run: killed_in_commit,
}];

fn killed_in_commit(scale: Scale) -> Figure {
    let rounds = scale.pick(10, 200);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut acknowledged = [1; WRITERS];
    with_store(&path, |_, subject| async move {
        let id = SessionId::new(SESSION).unwrap();
        let day = conformance::about(Duration::from_secs(24 * 3600));
        let probe = Probe::named(&subject, &id, day).await.unwrap();
        for name in names().chain(PAIR.map(str::to_owned)) {
            probe.register(&name, "integer", "{}", number(1)).await.unwrap();
        }
        acknowledged
    });
    let mut writes = 0;
    for round in 0..rounds {
        writes += round_of_writes(&path, round, &mut acknowledged);
        assert_sound(&path);
        acknowledged = with_store(&path, |probe, _| async move {
            let probe = probe.unwrap();
            let mut found = acknowledged;
            for (name, version) in names().zip(&mut found) {
                let held = probe.get(&name).await.unwrap();
                assert!(held.version >= *version, "round {round}: {held:?}, told {version}");
                assert_eq!(held.value, number(held.version), "round {round}");
                *version = held.version;
            }
            let (pair, _) = probe.get_many(&PAIR).await.unwrap();
            assert_eq!(pair[0].version, pair[1].version, "round {round}: half a batch");
            assert_eq!(pair[0].value, pair[1].value, "round {round}: half a batch");
            found
        });
    }
    assert!(writes > rounds, "only {writes} writes were acknowledged");
    Figure::count(usize::try_from(rounds).unwrap(), 0, 0, "acknowledged writes lost")
}

/// Lets a host write until it is killed after a number of acknowledgements that grows from round to
/// round; how many there were.
fn round_of_writes(path: &Path, round: u64, acknowledged: &mut [u64; WRITERS]) -> u64 {
    let file = [(FILE, path.to_str().unwrap())];
    let (mut host, lines) = hosts::start_with("acknowledging", &world::fresh_mark(), &file);
    let mut count = 0;
    for line in lines.lines() {
        // The kill may come in the middle of a line.
        let Ok(line) = line else { break };
        let Some((writer, version)) = line.split_once(' ') else { break };
        let (Ok(writer), Some(version)) =
            (writer.parse::<usize>(), version.strip_suffix(" ok").map(str::parse::<u64>))
        else {
            break;
        };
        acknowledged[writer] = acknowledged[writer].max(version.unwrap());
        count += 1;
        if count == 1 + round % 97 {
            host.kill().unwrap();
        }
    }
    host.wait().unwrap();
    count
}

/// The role of the host that is killed: writers that say which version they were told.
pub fn run_host() {
    let path = std::env::var(FILE).unwrap();
    with_store(Path::new(&path), |probe, subject| async move {
        let probe = probe.unwrap();
        println!("up");
        let writers = names().enumerate().map(|(writer, name)| {
            let probe = probe.clone();
            subject.runtime.spawn(async move {
                let mut version = probe.get(&name).await.unwrap().version;
                loop {
                    let access = Access::at(version);
                    let set = Command::Set { name: &name, value: number(version + 1), access };
                    version = probe.variable(set).await.unwrap().version;
                    println!("{writer} {version} ok");
                }
            })
        });
        let writers: Vec<tokio::task::JoinHandle<()>> = writers.collect();
        for value in 2.. {
            let write = |name: &str| Write {
                name: name.to_owned(),
                value: number(value),
                expected_version: None,
            };
            probe.set_many(PAIR.map(write).to_vec(), None).await.unwrap();
        }
        drop(writers);
    });
}

/// Opens the store, joins the session where there is one, and closes the store behind `work`.
fn with_store<T, F: Future<Output = T>>(
    path: &Path,
    work: impl FnOnce(Option<Probe>, Subject) -> F,
) -> T {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let told = Arc::new(Told::default());
    let backend: Arc<dyn Backend> = Arc::new(SqliteStore::open(path, AMPLE, told.clone()).unwrap());
    let (handle, scale) = (runtime.handle().clone(), conformance::Scale::SHORT);
    let subject = Subject { backend: backend.clone(), told, runtime: handle, scale };
    runtime.block_on(async {
        let id = SessionId::new(SESSION).unwrap();
        let probe = Probe::joined(&subject, &id).await.ok();
        let done = work(probe, subject).await;
        backend.close().await;
        done
    })
}

/// SQLite's own word on the whole file.
fn assert_sound(path: &Path) {
    let file = rusqlite::Connection::open(path).unwrap();
    let said: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(said, "ok");
}

fn names() -> impl Iterator<Item = String> {
    (0..WRITERS).map(|writer| format!("w{writer}"))
}

fn number(number: u64) -> Value {
    Value::from_document(&number.into())
}

const WRITERS: usize = 8;
const PAIR: [&str; 2] = ["left", "right"];
const SESSION: &str = "kept";
const FILE: &str = "SNAKEPIT_FILE";
