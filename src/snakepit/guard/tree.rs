//! Ends a worker with everything that descends from it, however it hid: detached groups, double
//! forks, closed descriptors, ignored signals.
//!
//! It works because the guard is a subreaper: whatever loses its parent becomes the guard's child,
//! and the guard kills its children until it has none. A child's number cannot be reused before the
//! guard has waited for it, so no stranger is ever hit.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, WaitOptions, kill_process,
    kill_process_group, waitid, waitpid,
};

use super::super::os;
use super::wire::Outcome;

/// Who among the orphans of a tree is left alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Spared {
    Nobody,
    /// Guards: they have hosts and ends of their own.
    Guards,
}

/// How the worker ended, if it has. It stays a zombie, so that its number, and its group's, stay
/// its own.
pub(super) fn peek(worker: Pid) -> Option<Outcome> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::Pid(worker), options).ok().flatten()?;
    outcome(&status)
}

/// Waits for all ended children but the worker: orphans of its tree that have become ours.
pub(super) fn reap_orphans(worker: Pid) {
    for child in children() {
        if child != worker {
            let _ = waitpid(Some(child), WaitOptions::NOHANG);
        }
    }
}

/// Kills until nothing is left, and returns how the worker ended. `wake` becomes readable when a
/// child ends.
pub(super) fn end_all(worker: Pid, wake: &OwnedFd, spared: Spared) -> Option<Outcome> {
    let outcome = end_others_first(worker, wake, spared);
    // The group's number is free from here on: only children are killed now.
    let _ = waitpid(Some(worker), WaitOptions::NOHANG);
    let mut empty_rounds = 0;
    for round in 0_u32.. {
        let left = kill_children(None, spared);
        // Whoever is spared stays a child: then the listing decides, looked at more than once.
        empty_rounds = if left == 0 { empty_rounds + 1 } else { 0 };
        if spared == Spared::Guards && empty_rounds == EMPTY_ROUNDS {
            break;
        }
        if matches!(waitpid(None, WaitOptions::NOHANG), Err(Errno::CHILD)) {
            break;
        }
        pause(round, wake);
    }
    outcome
}

/// Until the worker is the last child, and has ended. One signal reaches all of its group at once,
/// however fast its members fork.
fn end_others_first(worker: Pid, wake: &OwnedFd, spared: Spared) -> Option<Outcome> {
    for round in 0_u32.. {
        let _ = kill_process_group(worker, Signal::KILL);
        let others = kill_children(Some(worker), spared);
        match peek(worker) {
            Some(outcome) if others == 0 => return Some(outcome),
            // Not even a zombie: somebody waited for it. Nobody can, but a loop must end.
            None if waitid_gone(worker) => return None,
            _ => pause(round, wake),
        }
    }
    None
}

fn waitid_gone(worker: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::Pid(worker), options), Err(Errno::CHILD))
}

/// Kills every child but `worker` and those spared, and waits for those that have ended; how many
/// there were.
fn kill_children(worker: Option<Pid>, spared: Spared) -> usize {
    let mut count = 0;
    for child in children() {
        if Some(child) == worker || spared == Spared::Guards && is_guard(child) {
            continue;
        }
        count += 1;
        let _ = kill_process(child, Signal::KILL);
        let _ = waitpid(Some(child), WaitOptions::NOHANG);
    }
    count
}

/// True if it runs the program that we run. A child cannot change under us: only we wait for it.
fn is_guard(child: Pid) -> bool {
    use std::os::unix::fs::MetadataExt;
    let program = |process: &str| {
        let facts = std::fs::metadata(format!("/proc/{process}/exe")).ok()?;
        Some((facts.dev(), facts.ino()))
    };
    let its = program(&child.as_raw_nonzero().to_string());
    its.is_some() && its == program("self")
}

/// Our children, zombies included. The list may miss some while they come and go, so callers ask
/// again.
fn children() -> Vec<Pid> {
    let pids = os::children_of(std::process::id()).into_iter();
    pids.filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).collect()
}

/// At first only gives way to the others, to win against programs that fork for ever; then waits
/// until a child ends or a moment has passed, since orphans arrive without a signal.
fn pause(round: u32, wake: &OwnedFd) {
    if round < EAGER_ROUNDS {
        std::thread::yield_now();
        return;
    }
    let moment = Timespec { tv_sec: 0, tv_nsec: i64::from(PAUSE.subsec_nanos()) };
    let _ = poll(&mut [PollFd::new(wake, PollFlags::IN)], Some(&moment));
    super::run::drain(wake);
}

fn outcome(status: &WaitIdStatus) -> Option<Outcome> {
    if let Some(code) = status.exit_status() {
        return Some(Outcome::Code(code));
    }
    let number = status.terminating_signal()?;
    Some(Outcome::Signal { number, core: status.dumped() })
}

/// Of a listing without anyone to kill; it may miss some while they come and go.
const EMPTY_ROUNDS: u32 = 3;
const EAGER_ROUNDS: u32 = 1000;
const PAUSE: Duration = Duration::from_micros(500);
