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

    /// The pool wanted the worker to go, which says nothing against the pool or the call.
    pub fn is_expected(&self) -> bool {
        self.cause().is_some_and(Cause::is_expected)
    }

    /// It may be the doing of a call in the worker: that took too much memory, or the process ended
    /// in a way that nobody asked for. A plain KILL is somebody else's doing.
    pub fn is_crash(&self) -> bool {
        match self {
            Loss::GivenUp(verdict) => verdict.cause == Cause::Memory,
            Loss::Ended(Exit { cause: Cause::Memory, .. }) => true,
            Loss::Ended(Exit { cause: Cause::Unasked, kind, .. }) => match kind {
                ExitKind::Exited(_) => true,
                ExitKind::Signaled { signal, .. } => !SENT_BY_OTHERS.contains(signal),
                ExitKind::GuardLost | ExitKind::SpawnFailed(_) => false,
            },
            Loss::Ended(_) | Loss::Unreported => false,
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

/// Signals by which people and other programs end a process.
const SENT_BY_OTHERS: [i32; 6] =
    [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGQUIT, libc::SIGPIPE, libc::SIGKILL];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn given_up(cause: Cause) -> Loss {
        Loss::GivenUp(Verdict { cause, reason: Arc::from("because") })
    }

    #[test]
    fn only_hangs_are_hung_and_only_what_the_pool_wanted_is_no_failure() {
        let worker = WorkerId { slot: 0, generation: 1 };
        for (cause, status, is_expected, is_crash) in [
            (Cause::Unasked, Status::WorkerLost, false, false),
            (Cause::Asked, Status::WorkerLost, true, false),
            (Cause::Forced, Status::WorkerLost, true, false),
            (Cause::Hung, Status::WorkerHung, false, false),
            (Cause::Memory, Status::WorkerLost, false, true),
        ] {
            let loss = given_up(cause);
            assert_eq!(loss.error("default", worker).status(), status, "{cause:?}");
            assert_eq!((loss.is_expected(), loss.is_crash()), (is_expected, is_crash), "{cause:?}");
        }
        assert!(!Loss::Unreported.is_expected() && !Loss::Unreported.is_crash());
    }
}
