//! How a worker was lost under a call, and the error that says so.
//!
//! It waits for the pool's word and makes an error of it; what becomes of the call is not its
//! business.

use crate::core::limits::EXIT_REPORT_WAIT;
use crate::core::{Error, Status};
use crate::runtimes::WorkerLease;
use crate::snakepit::{Cause, Exit, ExitKind, Verdict, WorkerId};

/// What is known of a lost worker.
pub(super) enum Loss {
    /// The pool has given it up; its process may still be there.
    GivenUp(Verdict),
    /// It is gone.
    Ended(Exit),
    /// Its link broke, and nothing more was heard of it in time.
    Unreported,
}

impl Loss {
    /// Waits until it is known, but not for long.
    pub async fn of(lease: &WorkerLease) -> Loss {
        let known = async {
            tokio::select! {
                biased;
                verdict = lease.failing() => Loss::GivenUp(verdict),
                exit = lease.exited() => Loss::Ended(exit),
            }
        };
        tokio::time::timeout(EXIT_REPORT_WAIT, known).await.unwrap_or(Loss::Unreported)
    }

    /// `WorkerHung` for a worker without a sign of life, `WorkerLost` for every other.
    pub fn error(&self, pool: &str, worker: WorkerId) -> Error {
        let cause = self.cause();
        let how = self.how();
        let (status, fate) = match cause {
            Some(Cause::Hung) => (Status::WorkerHung, "hangs"),
            _ => (Status::WorkerLost, "was lost"),
        };
        let message = format!("worker {worker} of pool {pool:?} {fate}: {how}");
        let mut error = Error::new(status, message)
            .with("pool", pool)
            .with("worker", worker.to_string())
            .with("exit", how);
        if let Some(cause) = cause {
            error = error.with("cause", cause.name());
        }
        match self {
            Loss::Ended(exit) if !exit.stderr_tail.is_empty() => {
                error.with("stderr_tail", &*exit.stderr_tail)
            }
            _ => error,
        }
    }

    /// Whether the pool itself had wanted the worker gone.
    pub fn is_expected(&self) -> bool {
        matches!(self.cause(), Some(Cause::Asked | Cause::Forced))
    }

    /// Whether the worker ended by what its own process did, and so perhaps by what the call made it
    /// do: an exit, a fault, more memory than it may have. Not so the signals that people and other
    /// programs send; KILL is not among them: it is how the kernel ends a process that takes too
    /// much memory.
    pub fn is_crash(&self) -> bool {
        match (self.cause(), self) {
            (Some(Cause::Memory), _) => true,
            (Some(Cause::Unasked), Loss::Ended(exit)) => match exit.kind {
                ExitKind::Exited(_) => true,
                ExitKind::Signaled { signal, .. } => !SENT_BY_OTHERS.contains(&signal),
                ExitKind::GuardLost | ExitKind::SpawnFailed(_) => false,
            },
            _ => false,
        }
    }

    fn cause(&self) -> Option<Cause> {
        match self {
            Loss::GivenUp(verdict) => Some(verdict.cause),
            Loss::Ended(exit) => Some(exit.cause),
            Loss::Unreported => None,
        }
    }

    fn how(&self) -> String {
        match self {
            Loss::GivenUp(verdict) => verdict.reason.as_ref().to_owned(),
            Loss::Ended(exit) => exit.to_string(),
            Loss::Unreported => "its end was not reported in time".to_owned(),
        }
    }
}

/// Signals that ask a program to end.
const SENT_BY_OTHERS: [i32; 5] =
    [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGQUIT, libc::SIGPIPE];
