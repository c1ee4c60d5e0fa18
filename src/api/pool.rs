//! A pool as a host holds it: wait for it, look at it, resize it.

use std::sync::Arc;
use std::time::Duration;

use crate::core::limits::POOL_WORKERS_MAX;
use crate::core::{Deadline, Error, Result, Value};
use crate::operations::{CallPool, Job, Operation, Timeout, pool_error};

use super::platform::Platform;

/// One named pool of a platform.
#[derive(Clone)]
pub struct PoolRef {
    pub(super) platform: Arc<Platform>,
    pub(super) pool: Arc<CallPool>,
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

    /// Changes the number of workers: `workers_min` whatever the load, `workers_max` (0: the same)
    /// under load. More start at once; fewer leave when their calls have ended. A drained pool
    /// takes calls again.
    pub fn resize(&self, workers_min: u32, workers_max: u32) -> Result<()> {
        self.platform.check_open()?;
        let min = workers(workers_min, "workers_min", 1)?;
        let max = match workers_max {
            0 => min,
            _ => workers(workers_max, "workers_max", min)?,
        };
        self.pool.workers.resize(min, max);
        Ok(())
    }

    /// An operation that ends when no worker is left. From now on calls are refused, those that
    /// wait too; those that run may end within `grace` (`None`: the platform's own). Cancelling it
    /// does not stop it.
    pub fn drain(&self, grace: Option<Duration>) -> Result<Arc<Operation>> {
        self.platform.check_open()?;
        let grace = grace.unwrap_or(self.platform.config.close_grace);
        let pool = self.pool.clone();
        let drained = async move {
            pool.workers.drain(grace).await.map_err(|error| pool_error(&pool.name, error))?;
            Ok(Value::null())
        };
        Ok(Job::operation(self.platform.handle.clone(), Deadline::NEVER, drained))
    }
}

fn workers(count: u32, field: &'static str, min: usize) -> Result<usize> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if (min..=POOL_WORKERS_MAX).contains(&count) {
        return Ok(count);
    }
    let message = format!("{field} is {count}, expected {min} to {POOL_WORKERS_MAX}");
    Err(Error::invalid(message).with("field", field))
}
