//! Kills until nobody who carries a mark is left, within a limit.
//!
//! Every process is held and looked at again before it is killed, so that one that got a number
//! later is never hit. Guards come last: as long as one lives, it keeps the descendants together.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use tokio::time::Instant;

use super::family::{Strangers, family};
use super::mark::Mark;
use super::notes::{GuardNote, HostNote};
use super::processes::{self, Held, Process};

/// Whom to look for.
pub(super) struct Quarry {
    mark: Mark,
    guards: Vec<GuardNote>,
    strangers: Strangers,
}

/// How it went.
#[derive(Debug, Default)]
pub(super) struct Bag {
    /// Processes killed.
    pub killed: usize,
    /// Processes that were still there at the end of the time.
    pub left: usize,
}

impl Quarry {
    /// The processes with `mark`, of a host that `host` tells of. This process, and what shares a
    /// sid or a group with it or the host, is found by the mark only.
    pub fn new(mark: Mark, guards: Vec<GuardNote>, host: &HostNote) -> std::io::Result<Quarry> {
        let own = processes::own()?;
        let strangers = Strangers {
            pids: HashSet::from([own.pid]),
            sids: HashSet::from([own.sid, host.sid]),
            groups: HashSet::from([own.group, host.group]),
        };
        Ok(Quarry { mark, guards, strangers })
    }

    /// Returns when none is left or the time is over. Blocks, in small steps.
    pub fn hunt(&self, limit: Duration) -> std::io::Result<Bag> {
        let began = Instant::now();
        let mut killed = HashSet::new();
        let mut dying: HashMap<Process, Held> = HashMap::new();
        loop {
            let (members, guards) = self.look()?;
            // One that has lost its memory, and its mark with it, may not have ended yet.
            dying.retain(|_, held| !held.has_ended());
            let left = dying.len().max(members.len() + guards.len());
            if left == 0 || began.elapsed() >= limit {
                return Ok(Bag { killed: killed.len(), left });
            }
            let patient = began.elapsed() < GUARD_PATIENCE.min(limit / 2);
            let struck = if members.is_empty() && !patient { &guards } else { &members };
            for process in struck {
                if let Some(held) = self.strike(process) {
                    killed.insert(*process);
                    dying.insert(*process, held);
                }
            }
            let guards: Vec<Held> = guards.iter().filter_map(Held::take).collect();
            wait_for_one(dying.values().chain(&guards));
        }
    }

    /// Those that are there now, and the recorded guards among them.
    fn look(&self) -> std::io::Result<(Vec<Process>, Vec<Process>)> {
        let all = processes::all_of(geteuid().as_raw())?;
        let marked =
            all.iter().filter(|process| self.mark.is_in(&processes::environment(process.pid)));
        let marked = marked.map(|process| process.pid).collect();
        let guards: Vec<Process> = all.iter().filter(|it| self.is_guard(it)).copied().collect();
        let guard_pids = guards.iter().map(|guard| guard.pid).collect();
        Ok((family(&all, &marked, &guard_pids, &self.strangers), guards))
    }

    /// Number, start and mark have to agree with a record.
    fn is_guard(&self, process: &Process) -> bool {
        let recorded = self
            .guards
            .iter()
            .any(|note| note.pid == process.pid && note.started_ticks == process.started_ticks);
        recorded && self.mark.is_on(&processes::command_line(process.pid))
    }

    /// Kills it; `None` if it had ended.
    fn strike(&self, process: &Process) -> Option<Held> {
        let held = Held::take(process)?;
        // One signal reaches all of a group at once, however fast its members fork. While a member
        // is held and alive the group's number is its own.
        if process.group > 1
            && !self.strangers.groups.contains(&process.group)
            && let Some(group) = Pid::from_raw(process.group)
        {
            let _ = kill_process_group(group, Signal::KILL);
        }
        held.kill().then_some(held)
    }
}

/// Waits until one of them has ended, or a moment has passed.
fn wait_for_one<'a>(held: impl Iterator<Item = &'a Held>) {
    let mut fds: Vec<PollFd<'_>> = held.map(|held| PollFd::new(held.fd(), PollFlags::IN)).collect();
    let moment = Timespec { tv_sec: 0, tv_nsec: i64::from(PAUSE.subsec_nanos()) };
    // A failure merely makes the next look come sooner.
    let _ = poll(&mut fds, Some(&moment));
}

/// A guard whose host is gone ends its tree by itself; one that has not after this time will not.
const GUARD_PATIENCE: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(5);
