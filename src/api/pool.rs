//! A pool as a host holds it: wait for it, look at it, resize it.

use std::sync::Arc;

use crate::core::limits::POOL_WORKERS_MAX;
use crate::core::{Deadline, Error, Result, Value};
use crate::operations::{CallPool, Job, Operation, Timeout, pool_error};

use super::platform::Platform;

/// One named pool of a platform.
#[derive(Clone)]
pub struct PoolRef {
    pub(super) platform: Arc<Platform>,
    pub(super) pool: CallPool,
}

impl PoolRef {
    pub fn name(&self) -> &str {
        &self.pool.name
    }

    /// An operation that ends when `workers` (0: all that are configured) are ready, or with the
    /// reason why they cannot be.
    pub fn await_ready(&self, workers: u32, timeout: Timeout) -> Result<Arc<Operation>> {
        self.platform.check_open()?;
        let start_timeout = self.platform.config.operations.timeout;
        let deadline = timeout.deadline(start_timeout);
        let pool = self.pool.clone();
        let wanted = match usize::try_from(workers).unwrap_or(usize::MAX) {
            0 => self.pool.workers.stats().wanted,
            workers => workers,
        };
        let ready = async move {
            let outcome = pool.workers.wait_ready(wanted, deadline.instant()).await;
            outcome.map_err(|error| pool_error(&pool.name, error))?;
            Ok(Value::null())
        };
        Ok(Job::operation(self.platform.handle.clone(), Deadline::NEVER, ready))
    }

    /// Counts and one row per worker.
    pub fn stats(&self) -> serde_json::Value {
        super::health::pool_stats(&self.pool)
    }

    /// Changes the number of workers; more start at once, fewer leave when their calls have ended.
    pub fn resize(&self, workers: u32) -> Result<()> {
        self.platform.check_open()?;
        let wanted = usize::try_from(workers).unwrap_or(usize::MAX);
        if wanted == 0 || wanted > POOL_WORKERS_MAX {
            let message = format!("workers is {workers}, expected 1 to {POOL_WORKERS_MAX}");
            return Err(Error::invalid(message).with("field", "workers"));
        }
        self.pool.workers.resize(wanted);
        Ok(())
    }
}
