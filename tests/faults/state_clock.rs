//! F51: the wall clock jumps a day ahead and back while sessions, locks and leases run. They end
//! when their time is over, and not a moment before. The clock is one of the process under test
//! alone: a library that is loaded before the C library's own.

use std::io::BufRead;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;
use snakepit_bridge::api::{Platform, SessionOptions};
use snakepit_bridge::core::{Status, Value};
use snakepit_bridge::state::conformance::{self, Probe, Subject, Told};
use snakepit_bridge::state::{Access, Command, RedisOptions};
use tokio::runtime::Builder;

use crate::built;
use crate::figure::Figure;
use crate::hosts;
use crate::scenario::{Scale, Scenario};
use crate::stores::{self, AMPLE, Kind, LONG, Stage};
use crate::{support, world};

pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "F51",
    promise: "the wall clock jumps a day ahead and back: sessions, locks on memory, SQLite and \
              Redis, and the lease on Redis end when their time is over, never before",
    short: true,
    patience: Duration::from_secs(120),
    run: the_clock_jumps,
}];

fn the_clock_jumps(scale: Scale) -> Figure {
    let rounds = scale.pick(1, 5);
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("wall_clock.so");
    let source = support::root().join("tests/c/wall_clock.c");
    let (library, source) = (library.to_str().unwrap(), source.to_str().unwrap());
    built::output("cc", &["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source]);
    let clock = folder.path().join("clock");
    std::fs::write(&clock, 0_i64.to_ne_bytes()).unwrap();
    // The server keeps its own time: it stands for another machine.
    let redis = Stage::new(Kind::Redis);
    let (url, clock) = (redis.server().url(), clock.to_str().unwrap());
    let mut worst = Duration::ZERO;
    for _ in 0..rounds {
        let environment = [("LD_PRELOAD", library), (CLOCK, clock), (URL, url.as_str())];
        let mark = world::fresh_mark();
        let (mut host, said) = hosts::start_with("clocks", &mark, &environment);
        for line in said.lines() {
            let line = line.unwrap();
            let late = line.strip_prefix("late ").unwrap_or_else(|| panic!("{line}"));
            worst = worst.max(Duration::from_micros(late.parse().unwrap()));
        }
        assert!(host.wait().unwrap().success());
    }
    Figure::time(rounds * ENDS, worst, Duration::from_secs(1))
}

/// The role of the host whose clock jumps: it prints by how much each end came late, and fails when
/// one came early.
pub fn run_host() {
    let clock = std::env::var(CLOCK).unwrap();
    let jump = move || {
        let file = std::fs::OpenOptions::new().write(true).open(Path::new(&clock)).unwrap();
        for seconds in [DAY, -DAY, 0].into_iter().cycle() {
            let before = SystemTime::now();
            file.write_all_at(&i64::to_ne_bytes(seconds), 0).unwrap();
            let after = SystemTime::now();
            let apart = after.duration_since(before).unwrap_or_else(|error| error.duration());
            assert!(apart > Duration::from_secs(3600), "the clock did not jump");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    };
    println!("up");
    // It ends with the process.
    std::thread::spawn(jump);
    let lates = std::thread::scope(|scope| {
        let session = scope.spawn(session_ends);
        let locks = Kind::ALL.map(|kind| scope.spawn(move || lock_ends(kind)));
        let mut lates = vec![session.join().unwrap()];
        lates.extend(locks.map(|lock| lock.join().unwrap()));
        lates
    });
    assert_eq!(lates.len(), ENDS);
    lates.iter().for_each(|late| println!("late {}", late.as_micros()));
    std::process::exit(0);
}

/// One session is used all the time and stays; another is not and ends.
fn session_ends() -> Duration {
    let ttl_ms = u64::try_from(TIME.as_millis()).unwrap();
    let sessions = json!({"ttl_ms": ttl_ms});
    let config = json!({"pools": {}, "guard_path": support::guard(), "sessions": sessions});
    let platform = Platform::open(config.to_string().as_bytes()).unwrap();
    let open = || platform.open_session(SessionOptions::default()).unwrap();
    let used = open();
    let began = Instant::now();
    let unused = open();
    let ended = loop {
        used.touch().unwrap();
        match unused.info() {
            Ok(info) if info["closed"] == json!(false) => {}
            _ => break began.elapsed(),
        }
        assert!(began.elapsed() < LONG, "it never ended");
        std::thread::park_timeout(Duration::from_millis(1));
    };
    used.touch().unwrap();
    support::close(&platform);
    late(ended, "a session")
}

/// On Redis the lease is renewed meanwhile: it is shorter than the lock.
fn lock_ends(kind: Kind) -> Duration {
    let local = (kind != Kind::Redis).then(|| Stage::new(kind));
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let subject = match &local {
        Some(stage) => stage.subject(AMPLE, conformance::Scale::SHORT),
        None => {
            let told = Arc::new(Told::default());
            let options =
                RedisOptions { lease: TIME / 2, ..RedisOptions::new(std::env::var(URL).unwrap()) };
            let handle = runtime.handle().clone();
            let backend = runtime.block_on(stores::redis(options, AMPLE, told.clone(), &handle));
            Subject { backend, told, runtime: handle, scale: conformance::Scale::SHORT }
        }
    };
    runtime.block_on(async {
        let probe = Probe::new(&subject).await.unwrap();
        probe.register("n", "integer", "{}", Value::from_document(&json!(0))).await.unwrap();
        let began = Instant::now();
        probe.lock("n", "owner", TIME).await.unwrap();
        let ended = loop {
            let value = Value::from_document(&json!(1));
            let set = Command::Set { name: "n", value, access: Access::ANY };
            match probe.apply(set).await {
                Ok(_) => break began.elapsed(),
                Err(error) if error.status() == Status::Busy => {}
                Err(error) => panic!("{kind:?}: {error:?}"),
            }
            assert!(began.elapsed() < LONG, "{kind:?}: it never ended");
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        probe.close().await.unwrap();
        subject.backend.close().await;
        late(ended, kind.name())
    })
}

fn late(ended: Duration, what: &str) -> Duration {
    // A server counts whole milliseconds.
    assert!(ended + Duration::from_millis(2) >= TIME, "{what} ended after {ended:?}");
    ended.saturating_sub(TIME)
}

const TIME: Duration = Duration::from_millis(1500);
const DAY: i64 = 24 * 3600;
/// A session and a lock on each store.
const ENDS: usize = 4;
/// As the library reads it.
const CLOCK: &str = "FAULT_CLOCK";
const URL: &str = "SNAKEPIT_URL";
