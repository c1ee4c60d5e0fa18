//! Kills until nobody who carries a mark is left, within a limit.
//!
//! Every process is held and looked at again before it is killed, so that one that got a number
//! later is never hit. Guards come last: as long as one lives, it keeps the descendants together.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
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
        loop {
            let (members, guards) = self.look()?;
            let left = members.len() + guards.len();
            if left == 0 || began.elapsed() >= limit {
                return Ok(Bag { killed: killed.len(), left });
            }
            let mut held = Vec::new();
            for process in &members {
                self.strike(process, &mut killed, &mut held);
            }
            let patient = began.elapsed() < GUARD_PATIENCE.min(limit / 2);
            if members.is_empty() && !patient {
                for guard in &guards {
                    self.strike(guard, &mut killed, &mut held);
                }
            }
            held.extend(guards.iter().filter_map(Held::take));
            wait_for_one(&held);
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

    fn strike(&self, process: &Process, killed: &mut HashSet<Process>, held: &mut Vec<Held>) {
        let Some(hold) = Held::take(process) else { return };
        // One signal reaches all of a group at once, however fast its members fork. While a member
        // is held and alive the group's number is its own.
        if process.group > 1
            && !self.strangers.groups.contains(&process.group)
            && let Some(group) = Pid::from_raw(process.group)
        {
            let _ = kill_process_group(group, Signal::KILL);
        }
        if hold.kill() {
            killed.insert(*process);
        }
        held.push(hold);
    }
}

/// Waits until one of them has ended, or a moment has passed.
fn wait_for_one(held: &[Held]) {
    let mut fds: Vec<PollFd<'_>> =
        held.iter().map(|held| PollFd::new::<OwnedFd>(held.fd(), PollFlags::IN)).collect();
    let moment = Timespec { tv_sec: 0, tv_nsec: i64::from(PAUSE.subsec_nanos()) };
    // A failure merely makes the next look come sooner.
    let _ = poll(&mut fds, Some(&moment));
}

/// A guard whose host is gone ends its tree by itself; one that has not after this time will not.
const GUARD_PATIENCE: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(5);
