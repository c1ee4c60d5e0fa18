//! How a pool's guards come into being: the one thing that differs between ways of starting
//! processes.
//!
//! Whatever the way, what comes out is the same: a guard that waits on its control socket for the
//! description of one worker. From there on nobody asks how it was started.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::error::Failure;
use super::ids::WorkerId;
use super::os::GuardProcess;
use super::spec::ProcessSpec;

/// One way of starting guards. Belongs to one pool.
pub trait Backend: Send + Sync + 'static {
    /// For messages: a lower-case word.
    fn name(&self) -> &'static str;

    /// Starts a guard for `worker`, ready to read its spec from the control socket; sends nothing
    /// there itself. `pool` has to be an argument on the guard's command line, where a later start
    /// looks for it. Dropping the future ends what it has begun.
    fn spawn<'a>(
        &'a self,
        pool: &'a str,
        worker: WorkerId,
        spec: &'a ProcessSpec,
    ) -> BoxFuture<'a, Result<GuardProcess, Failure>>;

    /// Called after a guard was lost without a report and is gone itself: ends what can still be
    /// found of that worker. Given up after the pool's kill grace. Nothing, unless a backend knows
    /// more of its workers than the guard did.
    fn clear<'a>(&'a self, worker: WorkerId) -> BoxFuture<'a, ()> {
        let _ = worker;
        std::future::ready(()).boxed()
    }

    /// Ends what the backend itself keeps. Called once, when the pool's last worker is gone; bounds
    /// its own time. A backend that is dropped without it takes along what it keeps.
    fn close<'a>(&'a self) -> BoxFuture<'a, ()> {
        std::future::ready(()).boxed()
    }
}
