//! An operation whose work is a future of the platform's own: closing, draining, waiting for
//! workers.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::core::{Deadline, Error, Result, Status, Value};

use super::operation::{Operation, Work};

/// Runs one future on the platform's runtime; a cancel or the deadline drops it.
pub struct Job {
    runtime: Handle,
    deadline: Deadline,
    future: Mutex<Option<BoxFuture<'static, Result<Value>>>>,
}

impl Job {
    /// An operation that ends as `future` does, or with `Deadline`.
    pub fn operation(
        runtime: Handle,
        deadline: Deadline,
        future: impl Future<Output = Result<Value>> + Send + 'static,
    ) -> Arc<Operation> {
        let future = Mutex::new(Some(Box::pin(future) as BoxFuture<'static, _>));
        Operation::new(Arc::new(Job { runtime, deadline, future }))
    }
}

impl Work for Job {
    fn start(&self, operation: &Arc<Operation>) {
        let Some(future) = self.future.lock().take() else { return };
        let (operation, deadline) = (operation.clone(), self.deadline);
        let broken_off = BrokenOff { operation: operation.clone() };
        self.runtime.spawn(async move {
            let _broken_off = broken_off;
            if !operation.assigned() {
                return;
            }
            let outcome = tokio::select! {
                outcome = future => outcome,
                () = operation.done() => return,
                () = deadline.passed() => {
                    Err(Error::new(Status::Deadline, "the deadline passed before it was done"))
                }
            };
            operation.finish(outcome);
        });
    }

    fn stop(&self, _: Status) {}

    fn ended(&self, _: &Result<Value>) {}
}

/// The runtime may end before the future does, and then nobody else would end the operation.
struct BrokenOff {
    operation: Arc<Operation>,
}

impl Drop for BrokenOff {
    fn drop(&mut self) {
        if !self.operation.is_done() {
            self.operation.finish(Err(Error::new(Status::Closed, "the platform was closed")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::TakeOutcome;

    #[test]
    fn a_job_that_the_runtime_no_longer_runs_ends_all_the_same() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
        let runtime = runtime.unwrap();
        let handle = runtime.handle().clone();
        let begin = || {
            let never = std::future::pending::<Result<Value>>();
            let operation = Job::operation(handle.clone(), Deadline::NEVER, never);
            operation.start(None);
            operation
        };
        let before = begin();
        runtime.shutdown_timeout(std::time::Duration::from_secs(60));
        for operation in [before, begin()] {
            let TakeOutcome::Outcome(outcome) = operation.take_outcome() else { panic!() };
            assert_eq!(outcome.unwrap_err().status(), Status::Closed);
        }
    }
}
