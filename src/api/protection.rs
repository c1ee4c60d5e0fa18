//! A pool's protection from its configuration.

use std::sync::Arc;

use crate::config::PoolConfig;
use crate::operations::{
    BarrierSettings, BreakerSettings, Protection, ProtectionSettings, RetrySettings,
};
use crate::telemetry::PoolMetrics;

/// The protection of the pool that `config` describes.
pub(super) fn of(
    config: &PoolConfig,
    name: &Arc<str>,
    metrics: &Arc<PoolMetrics>,
) -> Arc<Protection> {
    let (retry, breaker, barrier) = (&config.retry, &config.breaker, &config.barrier);
    let settings = ProtectionSettings {
        retry: RetrySettings {
            attempts_max: retry.attempts_max,
            backoff_min: retry.backoff_min,
            backoff_max: retry.backoff_max,
            budget_percent: retry.budget_percent,
            budget_min_per_second: retry.budget_min_per_second,
        },
        breaker: BreakerSettings { failures_max: breaker.failures_max, open: breaker.open },
        barrier: BarrierSettings {
            crashes_max: barrier.crashes_max,
            window: barrier.window,
            taint: barrier.taint,
        },
    };
    Arc::new(Protection::new(name.clone(), settings, metrics.clone()))
}
