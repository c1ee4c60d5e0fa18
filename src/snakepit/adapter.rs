//! The seam between the pool and what its workers are.
//!
//! The pool calls these; whoever implements them knows the program, the protocol and the work.
//! Every method is called from the pool's tasks and returns at once: what takes time is a future.

use futures_util::future::BoxFuture;

use super::error::Failure;
use super::exit::Exit;
use super::ids::WorkerId;
use super::spec::ProcessSpec;

/// One kind of worker.
pub trait Adapter: Send + Sync + 'static {
    /// Through which a ready worker is spoken to. Cheap to clone.
    type Link: Clone + Send + Sync + 'static;

    /// The process to start for `worker`. An error counts as a failed start.
    fn describe(&self, worker: WorkerId) -> Result<ProcessSpec, Failure>;

    /// The worker's program runs, as the process `pid`. Called after `ready`, and before anyone
    /// waits for that.
    fn started(&self, worker: WorkerId, pid: u32);

    /// Resolves when the worker may take work, or cannot. Called right after `describe`, awaited
    /// beside the process, dropped when the process ends first or the time for starting is over.
    fn ready(&self, worker: WorkerId) -> BoxFuture<'static, Result<Self::Link, Failure>>;

    /// Resolves when the link is broken. The worker then has a moment to end by itself, and is
    /// replaced.
    fn lost(&self, link: &Self::Link) -> BoxFuture<'static, ()>;

    /// The pool has given the worker up and is about to end it: whoever waits for something that
    /// comes through the link is to be told now. Why is in `Lease::failing`.
    fn abandon(&self, link: &Self::Link);

    /// Asks the worker for a sign of life. An error, or none in time, gets it killed and replaced.
    fn probe(&self, link: &Self::Link) -> BoxFuture<'static, Result<(), Failure>>;

    /// Asks the worker to finish what it has and leave.
    fn drain(&self, link: &Self::Link);

    /// A line that the worker printed, without its line feed.
    fn output(&self, worker: WorkerId, stream: OutputStream, line: &str);

    /// Called once for each worker that was described, after its whole process tree is gone.
    fn gone(&self, worker: WorkerId, exit: &Exit);
}

/// Where a line was printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OutputStream {
    Stdout,
    Stderr,
}
