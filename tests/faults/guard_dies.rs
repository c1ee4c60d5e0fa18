//! F06 and F07: guards are killed, alone or together with their host.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{Platform, Session};
use snakepit_bridge::core::Status;

use crate::figure::Figure;
use crate::platforms::{self, ready_worker, watch};
use crate::points::act;
use crate::scenario::{Scale, Scenario};
use crate::support::{self, LONG, eventually};
use crate::world::{fresh_mark, marked};
use crate::{fake, hosts};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "F06",
        promise: "guard killed: call ends as WORKER_LOST, descendants gone, slot filled again",
        short: true,
        patience: Duration::from_secs(120),
        run: killed_guard,
    },
    Scenario {
        id: "F07",
        promise: "host and guards killed together: the next start sweeps what they left and spares \
                  what only looks alike",
        short: true,
        patience: Duration::from_secs(120),
        run: killed_together,
    },
];

fn killed_guard(scale: Scale) -> Figure {
    let trials = scale.pick(3, 20);
    let mark = platforms::fresh_mark();
    let platform = support::open(&platforms::wire(&mark, 1, 1, &json!({})));
    let session = support::session(&platform);
    let times = (0..trials).map(|trial| kill_guard(&platform, &session, &mark, trial));
    let worst = times.max().unwrap();
    support::close(&platform);
    Figure::time(usize::try_from(trials).unwrap(), worst, Duration::from_secs(2))
}

/// From the kill until all that was there is gone and another worker is ready.
fn kill_guard(platform: &Arc<Platform>, session: &Session, mark: &str, trial: u64) -> Duration {
    let ledger = tempfile::NamedTempFile::new().unwrap();
    let (operation, seen) = watch(session, act(ledger.path(), trial, &["family", "hold"]));
    // A guard, a worker, a daemon with its sleep, a deaf one, a bare one and its session's leader.
    eventually("the family is there", || marked(mark).len() == 7);
    let before = pids(mark);
    let (generation, worker) = ready_worker(platform, 0).unwrap();
    let began = Instant::now();
    kill_process(parent(worker), Signal::KILL).unwrap();
    assert!(operation.wait(Some(LONG)));
    let ends = seen.ends.lock();
    assert!(matches!(&ends[..], [Err(error)] if error.status() == Status::WorkerLost), "{ends:?}");
    eventually("they are gone", || !pids(mark).iter().any(|pid| before.contains(pid)));
    let next = || ready_worker(platform, 0).is_some_and(|(number, _)| number == generation + 1);
    eventually("the slot is filled", next);
    began.elapsed()
}

fn killed_together(scale: Scale) -> Figure {
    let times: Vec<Duration> = (0..scale.pick(1, 10)).map(|_| kill_together()).collect();
    Figure::time(times.len(), times.into_iter().max().unwrap(), Duration::from_secs(1))
}

/// How long the next start takes, with what it has to sweep.
fn kill_together() -> Duration {
    let base = tempfile::tempdir().unwrap();
    let mark = fresh_mark();
    let environment = [("SNAKEPIT_BASE", base.path().to_str().unwrap())];
    let (mut host, _) = hosts::start_with("hiding", &mark, &environment);
    let directory = std::fs::read_dir(base.path()).unwrap().next().unwrap().unwrap().path();
    let number = Pid::from_raw(i32::try_from(host.id()).unwrap()).unwrap();
    // It must not see one of them go before it goes itself.
    kill_process(number, Signal::STOP).unwrap();
    let guards = marked(&mark).into_iter().filter(|(_, command)| command.contains(fake::GUARD));
    for (guard, _) in guards {
        kill_process(Pid::from_raw(i32::try_from(guard).unwrap()).unwrap(), Signal::KILL).unwrap();
    }
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(marked(&mark).len() >= 4 * 4, "nothing to sweep: {:?}", marked(&mark));
    let mut decoys = look_alikes(&directory);
    let config = json!({"pools": {}, "run_dir": base.path()});
    let began = Instant::now();
    let platform = Platform::open(config.to_string().as_bytes()).unwrap();
    let took = began.elapsed();
    assert!(marked(&mark).is_empty(), "{:?}", marked(&mark));
    assert!(!directory.exists());
    for decoy in &mut decoys {
        assert_eq!(decoy.try_wait().unwrap(), None, "a stranger was killed");
        decoy.kill().unwrap();
        decoy.wait().unwrap();
    }
    support::close(&platform);
    assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 0);
    took
}

/// Strangers: one with a longer marker, one with the marker elsewhere, and two that have the number
/// of a recorded guard and either its name or its time, but not both.
fn look_alikes(directory: &Path) -> Vec<Child> {
    let note = std::fs::read_to_string(directory.join("instance.json")).unwrap();
    let note: Json = serde_json::from_str(&note).unwrap();
    let marker = note["marker"].as_str().unwrap();
    let worker = format!("{marker}/main/0.1");
    let decoys = vec![
        decoy("SNAKEPIT_MARKER", &format!("{marker}0/main/0.1"), "none"),
        decoy("A_NOTE", &worker, "none"),
        decoy("A_NOTE", "", &format!("{marker}/main")),
        decoy("A_NOTE", "", "none"),
    ];
    for (decoy, earlier) in [(&decoys[2], 1), (&decoys[3], 0)] {
        let ticks = started_ticks(decoy.id()) - earlier;
        let record = json!({"worker": worker, "pid": decoy.id(), "started_ticks": ticks});
        let path = directory.join(format!("guard-9{}.json", decoy.id()));
        std::fs::write(path, record.to_string()).unwrap();
    }
    decoys
}

/// A shell that waits for its input to end.
fn decoy(variable: &str, value: &str, argument: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "echo up; read _", argument]).env(variable, value);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut decoy = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let output = decoy.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).unwrap();
    decoy
}

fn pids(mark: &str) -> Vec<u32> {
    marked(mark).into_iter().map(|(pid, _)| pid).collect()
}

/// The parent of a worker is its guard.
fn parent(pid: Pid) -> Pid {
    let parent = field(u32::try_from(pid.as_raw_nonzero().get()).unwrap(), 1);
    Pid::from_raw(i32::try_from(parent).unwrap()).unwrap()
}

fn started_ticks(pid: u32) -> u64 {
    field(pid, 19)
}

/// A field of a process's `stat`, counted from its state.
fn field(pid: u32, number: usize) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1;
    fields.split_ascii_whitespace().nth(number).unwrap().parse().unwrap()
}
