//! How a worker ended.

use std::sync::Arc;

use super::guard::{Outcome, Report};
use super::journey::Journey;

/// The end of one worker, its whole process tree included. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Exit {
    pub kind: ExitKind,
    pub cause: Cause,
    /// What led to it, in words: why the pool ended it, if it did.
    pub reason: Option<Arc<str>>,
    /// What it last printed to its standard error.
    pub stderr_tail: Arc<str>,
    pub journey: Arc<Journey>,
}

/// On whose account a worker ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// On its own, or a stranger's: it left, crashed, or was killed by somebody who is not us.
    Unasked,
    /// The pool had asked it to leave: a resize, a stop, a replacement.
    Asked,
    /// The pool ended it to free what was stuck in it.
    Forced,
    /// It showed no sign of life.
    Hung,
    /// It took more memory than it may have, by the pool's measure or by the kernel's.
    Memory,
    /// It broke its link and lived on.
    LinkBroken,
    /// It did not become ready, or not in time.
    NotReady,
    /// There was no descriptor, process or memory left to start it with.
    Exhausted,
}

/// Why the pool has given a worker up. Cheap to clone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    pub cause: Cause,
    /// A lower-case fragment.
    pub reason: Arc<str>,
}

impl Exit {
    /// True if the pool wanted it: the slot has not failed.
    pub fn is_expected(&self) -> bool {
        self.cause.is_expected()
    }
}

impl Cause {
    /// True if the pool wanted it.
    pub fn is_expected(self) -> bool {
        matches!(self, Cause::Asked | Cause::Forced)
    }

    /// For logs and the details of errors.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Unasked => "unasked",
            Cause::Asked => "asked",
            Cause::Forced => "forced",
            Cause::Hung => "hung",
            Cause::Memory => "memory",
            Cause::LinkBroken => "link_broken",
            Cause::NotReady => "not_ready",
            Cause::Exhausted => "exhausted",
        }
    }
}

/// What the kernel said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ExitKind {
    Exited(i32),
    Signaled {
        signal: i32,
        core: bool,
    },
    /// The guard ended without a report: the worker died with it, nobody knows how.
    GuardLost,
    /// It never ran. The text names the step and the kernel's reason.
    SpawnFailed(String),
}

impl ExitKind {
    /// What a guard's last word means; none at all, that the guard was lost.
    pub(super) fn of(report: Option<Report>) -> ExitKind {
        match report {
            Some(Report::SpawnFailed { error }) => ExitKind::SpawnFailed(error),
            Some(Report::Exited { outcome: Outcome::Code(code), .. }) => ExitKind::Exited(code),
            Some(Report::Exited { outcome: Outcome::Signal { number, core }, .. }) => {
                ExitKind::Signaled { signal: number, core }
            }
            Some(Report::Started { .. }) | None => ExitKind::GuardLost,
        }
    }
}

impl std::fmt::Display for ExitKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ExitKind::Exited(code) => write!(f, "exited with code {code}"),
            ExitKind::Signaled { signal, core } => {
                write!(f, "killed by signal {signal}")?;
                if let Some(name) = signal_name(*signal) {
                    write!(f, " ({name})")?;
                }
                f.write_str(if *core { ", core dumped" } else { "" })
            }
            ExitKind::GuardLost => f.write_str("its guard was lost"),
            ExitKind::SpawnFailed(error) => write!(f, "could not be started: {error}"),
        }
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.kind)?;
        match &self.reason {
            Some(reason) => write!(f, " ({reason})"),
            None => Ok(()),
        }
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    NAMES.iter().find(|(number, _)| *number == signal).map(|(_, name)| *name)
}

/// Those that processes die of.
const NAMES: [(i32, &str); 15] = [
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGQUIT, "SIGQUIT"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGPIPE, "SIGPIPE"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGXCPU, "SIGXCPU"),
    (libc::SIGSYS, "SIGSYS"),
];
