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
        self.runtime.spawn(async move {
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
