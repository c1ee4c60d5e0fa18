//! The moments of a call: its deadline, and the end of a handler's grace, once it was told to stop.
//!
//! One timer stands for whichever is next. One that has fired cannot be taken back, so its moment
//! may come when the call has just ended otherwise: what is due is asked of the call, not of the
//! timer. What becomes of a call that has ended is not known here.

use std::sync::Arc;

use tokio::time::Instant;

use crate::core::{Error, Expire, Status};

use super::call::Call;

impl Call {
    /// Has the timer fire at `at`, and no longer when it would have.
    pub(super) fn arm(&self, at: Instant) {
        let key = self.services.timers.add(at, self.me.clone());
        if let Some(old) = self.progress.lock().timer.replace(key) {
            self.services.timers.remove(old);
        }
    }

    /// Its handler was told to stop, and has so long to do it.
    pub(super) fn begin_grace(&self) {
        let until = Instant::now() + self.pool.cancel_grace;
        self.progress.lock().grace_until = Some(until);
        self.arm(until);
    }
}

impl Expire for Call {
    fn expire(self: Arc<Self>) {
        if let Some(operation) = self.live_operation() {
            let message = "the deadline passed before the operation ended";
            return operation.stop(Error::new(Status::Deadline, message));
        }
        let lease = {
            let progress = self.progress.lock();
            // Without a grace, or before its end, this is the deadline of a call that has ended.
            let is_over = progress.grace_until.is_some_and(|until| until <= Instant::now());
            progress.lease.clone().filter(|_| is_over)
        };
        if let Some(lease) = lease {
            self.pool.workers.recycle(lease.worker(), "a handler did not stop when it was told to");
        }
    }
}
