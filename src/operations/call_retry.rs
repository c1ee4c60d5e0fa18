//! What follows for a call whose worker is gone: the pool's protection hears of it, and the call
//! goes to another worker or ends.
//!
//! A call that was never sent always goes on. One that was sent runs twice only if its operation is
//! declared idempotent, it called no tool that is not, nobody has seen a chunk of it, it is not
//! bound to the worker that is gone, and the pool's protection agrees; its deadline stays what it
//! was. How the worker ended is the pool's word.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

use crate::core::Affinity;
use crate::snakepit::{PoolError, WorkerId};

use super::call::Call;
use super::loss::Loss;
use super::operation::Operation;
use super::pool_error::{pool_error, refusal_of};
use super::protection::Subject;

impl Call {
    /// The call was sent to `worker`, which was lost: the caller is told how, unless another worker
    /// takes over.
    pub(super) async fn worker_gone(self: Arc<Self>, worker: WorkerId, loss: &Loss) {
        self.account_for(worker, loss);
        let Some(operation) = self.live_operation() else { return };
        let attempts = self.progress.lock().attempts;
        match self.rest_before_retry(attempts) {
            Some(rest) => self.try_again(operation, rest).await,
            None => {
                let called_once = self.progress.lock().called_once.clone();
                let may_repeat = self.is_idempotent() && called_once.is_none();
                let error = loss
                    .error(&self.pool.name, worker)
                    .with("attempts", attempts)
                    .retryable(may_repeat);
                operation.finish(Err(match called_once {
                    Some(tool) if self.is_idempotent() => error.with("tool_called", tool),
                    _ => error,
                }));
            }
        }
    }

    /// Nothing has been sent: another worker may have it, whatever it is.
    pub(super) fn take_back(self: &Arc<Self>, operation: &Arc<Operation>) {
        self.progress.lock().attempts -= 1;
        if self.requeue(operation) {
            let again = self.clone().wait_for_worker(operation.clone());
            self.services.runtime.spawn(again);
        }
    }

    /// Waits for a worker in the background. Its place in the line is taken here, and not when a
    /// thread gets round to it: a session's calls are served in the order in which they were
    /// started.
    pub(super) fn stand_in_line(self: Arc<Self>, operation: &Arc<Operation>) {
        let runtime = self.services.runtime.clone();
        let mut waiting = self.wait_for_worker(operation.clone()).boxed();
        let has_to_wait = {
            let _timers = runtime.enter();
            let mut nobody = Context::from_waker(Waker::noop());
            waiting.poll_unpin(&mut nobody).is_pending()
        };
        if has_to_wait {
            runtime.spawn(waiting);
        }
    }

    /// The pool has no worker for it.
    pub(super) fn turned_away(&self, operation: &Operation, error: PoolError) {
        self.pool.metrics.refused(refusal_of(&error));
        let error = pool_error(&self.pool.name, error);
        let attempts = self.progress.lock().attempts;
        let error = if attempts > 0 { error.with("attempts", attempts) } else { error };
        operation.finish(Err(error));
    }

    /// A session that was closed while its call got a worker has no home any more.
    pub(super) fn forget_late_home(&self) {
        let session = &self.request.session;
        if self.request.affinity != Affinity::None && session.is_closed() {
            self.pool.workers.forget(session.number());
        }
    }

    /// From now on the deadline ends the operation, unless it has ended.
    pub(super) fn arm_deadline(&self, operation: &Operation) {
        let Some(at) = self.deadline().instant() else { return };
        self.arm(at);
        if operation.is_done()
            && let Some(timer) = self.progress.lock().timer.take()
        {
            self.services.timers.remove(timer);
        }
    }

    /// A probe makes room for the next, if it has not decided the matter.
    pub(super) fn leave_probe(&self) {
        if std::mem::take(&mut self.progress.lock().is_probe) {
            self.pool.protection.probe_ended();
        }
    }

    /// What the pool's protection knows a call by.
    pub(super) fn subject(&self) -> Subject<'_> {
        let (framework, operation) = self.name();
        Subject { framework, operation, parameters: &self.request.parameters }
    }

    fn account_for(&self, worker: WorkerId, loss: &Loss) {
        // A worker that was asked to leave says nothing against the pool.
        if !loss.is_expected() {
            self.pool.protection.lost(worker);
        }
        if loss.is_crash() {
            self.pool.protection.crashed(self.subject());
        }
    }

    /// None: there is no other attempt.
    fn rest_before_retry(&self, attempts: u32) -> Option<Duration> {
        let has_home = self.request.affinity.is_strict();
        if !self.is_idempotent() || has_home || self.has_chunks.load(Ordering::Acquire) {
            return None;
        }
        if self.deadline().has_passed() || self.progress.lock().called_once.is_some() {
            return None;
        }
        self.pool.protection.rest_before_retry(self.subject(), attempts)
    }

    async fn try_again(self: Arc<Self>, operation: Arc<Operation>, rest: Duration) {
        if !self.requeue(&operation) {
            return;
        }
        let rested = tokio::select! {
            () = tokio::time::sleep(rest) => true,
            () = operation.done() => false,
        };
        if rested {
            self.wait_for_worker(operation).await;
        }
    }

    /// Nothing of the lost attempt is left, and the deadline watches over the call again. `false`:
    /// the operation has ended.
    fn requeue(&self, operation: &Operation) -> bool {
        if !operation.again() {
            return false;
        }
        self.cancel_tools();
        {
            let mut progress = self.progress.lock();
            // The next worker gives its tool calls the same numbers.
            progress.tools_open.clear();
            progress.queued_at = Instant::now();
            progress.is_again = true;
        }
        self.arm_deadline(operation);
        true
    }

    fn is_idempotent(&self) -> bool {
        self.entry.get().is_some_and(|entry| entry.idempotent)
    }
}
