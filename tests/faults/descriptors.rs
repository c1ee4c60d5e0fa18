//! F35: the host has no descriptor left.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::json;
use snakepit_bridge::api::{Platform, Session};
use snakepit_bridge::core::Status;

use crate::figure::Figure;
use crate::python::{config, pool_of, signal, stats, worker_pids};
use crate::scenario::{Scale, Scenario};
use crate::support::{call, close, eventually, open, session};

pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "F35",
    promise: "no descriptor left in the host: running workers serve, starts and accepts back off, \
              and the pool is whole again soon after there are some",
    short: false,
    patience: Duration::from_secs(120),
    run: none_left,
}];

fn none_left(scale: Scale) -> Figure {
    let run_dir = tempfile::tempdir().unwrap();
    let mut config = config(2, 4);
    config["run_dir"] = json!(run_dir.path());
    pool_of(&mut config)["restart"] = json!({"backoff_max_ms": 200});
    let platform = open(&config);
    let session = session(&platform);
    let socket = socket_below(run_dir.path());
    let trials = scale.pick(1, 3);
    let stat = File::open("/proc/self/stat").unwrap();
    let mut times = Vec::new();
    for _ in 0..trials {
        let taken = Taken::all(128);
        serves(&session);
        let error = Platform::open(config.to_string().as_bytes()).map(drop).unwrap_err();
        assert_eq!(error.status(), Status::ResourceExhausted, "{error:?}");
        let failures = stats(&platform)["start_failures"].as_u64().unwrap();
        signal(worker_pids(&platform)[0], Signal::KILL);
        eventually("a start failed", || {
            // What the dead worker had is free for a moment.
            taken.take();
            stats(&platform)["start_failures"].as_u64().unwrap() > failures
        });
        let stranger = taken.connect(&socket);
        let before = processor_time(&stat);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(1) {
            serves(&session);
            std::thread::sleep(Duration::from_millis(50));
        }
        let busy = (processor_time(&stat) - before).as_secs_f64() / began.elapsed().as_secs_f64();
        assert!(busy < 0.3, "the host used {busy:.2} processors while it could do nothing");
        drop(taken);
        let released = Instant::now();
        eventually("both are ready", || stats(&platform)["ready"] == 2);
        times.push(released.elapsed());
        drop(stranger);
        serves(&session);
    }
    close(&platform);
    Figure::time(trials, times.into_iter().max().unwrap(), Duration::from_secs(2))
}

fn serves(session: &Session) {
    assert_eq!(call(session, "echo", json!({"value": 1})).unwrap(), 1);
}

fn socket_below(run_dir: &Path) -> PathBuf {
    let entries = std::fs::read_dir(run_dir).unwrap().flatten();
    let mut sockets = entries.map(|entry| entry.path().join("bridge.sock"));
    sockets.find(|socket| socket.exists()).unwrap()
}

/// Every descriptor that the process may still have; dropping gives them and the limit back.
struct Taken {
    files: parking_lot::Mutex<Vec<File>>,
    limit: Rlimit,
}

impl Taken {
    fn all(limit: u64) -> Taken {
        let before = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(limit), ..before }).unwrap();
        let taken = Taken { files: parking_lot::Mutex::default(), limit: before };
        taken.take();
        taken
    }

    fn take(&self) {
        let free = std::iter::from_fn(|| File::open("/dev/null").ok());
        self.files.lock().extend(free);
    }

    /// Connects with the one descriptor that it gives back for this; the platform has none to
    /// accept with.
    fn connect(&self, socket: &Path) -> UnixStream {
        self.files.lock().pop();
        // A start that fails takes and gives back what it finds meanwhile.
        let mut stream = UnixStream::connect(socket);
        while stream.is_err() {
            std::thread::yield_now();
            stream = UnixStream::connect(socket);
        }
        stream.unwrap()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.limit).unwrap();
    }
}

/// What this process has used, in all its threads. `stat` was opened when that was possible.
fn processor_time(stat: &File) -> Duration {
    let mut bytes = [0; 1024];
    let count = stat.read_at(&mut bytes, 0).unwrap();
    let stat = String::from_utf8_lossy(&bytes[..count]);
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // A hundred ticks make a second on every Linux that this runs on.
    Duration::from_millis(ticks * 10)
}
