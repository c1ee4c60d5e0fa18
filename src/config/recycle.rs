//! When workers that are well are replaced, in the document. Doc comments here are the descriptions
//! in the published schema.
//!
//! It must not know how a replacement is done.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::limits;

use super::millis::optional;
use super::platform::{COUNT_MAX, TIME_MS_MAX};

/// When a worker that is well is replaced all the same. The new one is ready before the old one is
/// given no more calls, and those it has are finished.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecycleConfig {
    /// After this age, up to a tenth longer or shorter for each. Null: never.
    #[serde(rename = "age_max_ms", with = "optional")]
    #[schemars(with = "Option<u64>", range(min = 1, max = TIME_MS_MAX))]
    pub age_max: Option<Duration>,
    /// After so many calls. Null: never.
    #[schemars(range(min = 1))]
    pub calls_max: Option<u64>,
    /// When the worker and all its child processes take so much resident memory, measured with each
    /// heartbeat. Null: never.
    #[schemars(range(min = 1))]
    pub memory_soft_bytes: Option<u64>,
    /// Workers of a pool that are replaced at the same time.
    #[schemars(range(min = 1, max = COUNT_MAX))]
    pub concurrency: usize,
}

impl Default for RecycleConfig {
    fn default() -> Self {
        RecycleConfig {
            age_max: None,
            calls_max: None,
            memory_soft_bytes: None,
            concurrency: limits::RECYCLE_CONCURRENCY,
        }
    }
}
