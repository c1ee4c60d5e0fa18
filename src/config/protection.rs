//! How a pool is protected from bad calls and bad moments: retries, circuit breaker, crash barrier.
//! Doc comments here are the descriptions in the published schema.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::limits;

use super::millis;
use super::platform::{COUNT_MAX, TIME_MS_MAX};

/// How calls of idempotent operations are tried again when their worker is lost.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryConfig {
    /// Attempts of one call, the first one included. 1: no retries.
    #[schemars(range(min = 1, max = ATTEMPTS_MAX))]
    pub attempts_max: u32,
    /// The longest rest before the second attempt, and at least half of it is taken; it doubles up
    /// to `backoff_max_ms`.
    #[serde(rename = "backoff_min_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 0, max = TIME_MS_MAX))]
    pub backoff_min: Duration,
    /// The longest rest. At least `backoff_min_ms`.
    #[serde(rename = "backoff_max_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 0, max = TIME_MS_MAX))]
    pub backoff_max: Duration,
    /// Retries in a hundred calls of the last ten seconds; further ones are not made.
    #[schemars(range(min = 0, max = 100))]
    pub budget_percent: u32,
    /// Retries that are allowed however few calls there are.
    #[schemars(range(min = 0, max = COUNT_MAX))]
    pub budget_min_per_second: u32,
}

/// When the pool is given no more calls for a while.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerConfig {
    /// Workers lost or hung under calls in a row, without an answer in between, that open the
    /// circuit. 0: never.
    #[schemars(range(min = 0, max = limits::BREAKER_WORKERS_REMEMBERED_MAX))]
    pub failures_max: u32,
    /// How long it stays open before one call is let through as a probe.
    #[serde(rename = "open_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 1, max = TIME_MS_MAX))]
    pub open: Duration,
}

/// When a call that crashes its worker is refused for a while.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BarrierConfig {
    /// Crashes under one operation with the same parameters within `window_ms`, without a success
    /// in between. 0: no call is refused.
    #[schemars(range(min = 0, max = CRASHES_MAX))]
    pub crashes_max: usize,
    /// The window in which crashes are counted.
    #[serde(rename = "window_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 1, max = TIME_MS_MAX))]
    pub window: Duration,
    /// How long the call is refused.
    #[serde(rename = "taint_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 1, max = TIME_MS_MAX))]
    pub taint: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        RetryConfig {
            attempts_max: limits::RETRY_ATTEMPTS_MAX,
            backoff_min: limits::RETRY_BACKOFF_MIN,
            backoff_max: limits::RETRY_BACKOFF_MAX,
            budget_percent: limits::RETRY_BUDGET_PERCENT,
            budget_min_per_second: limits::RETRY_BUDGET_MIN_PER_SECOND,
        }
    }
}

impl Default for BreakerConfig {
    fn default() -> Self {
        BreakerConfig { failures_max: limits::BREAKER_FAILURES_MAX, open: limits::BREAKER_OPEN }
    }
}

impl Default for BarrierConfig {
    fn default() -> Self {
        BarrierConfig {
            crashes_max: limits::BARRIER_CRASHES_MAX,
            window: limits::BARRIER_WINDOW,
            taint: limits::BARRIER_TAINT,
        }
    }
}

/// Above this, a count of attempts is a slip.
const ATTEMPTS_MAX: u32 = 10;
/// The table keeps that many times for each call.
const CRASHES_MAX: usize = 100;
