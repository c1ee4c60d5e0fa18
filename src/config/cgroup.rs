//! The control group of a worker in the document. Doc comments here are the descriptions in the
//! published schema.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits of a worker with everything it has started, in a control group below the host's own.
/// Null: what the host's group has.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CgroupConfig {
    /// Memory. A worker above it is killed by the kernel.
    #[schemars(range(min = MEMORY_BYTES_MIN))]
    pub memory_bytes: Option<u64>,
    /// Processes and threads. Above it a fork fails.
    #[schemars(range(min = PROCESSES_MIN))]
    pub processes: Option<u64>,
    /// Time on processors; 100 is one processor.
    #[schemars(range(min = 1, max = CPU_PERCENT_MAX))]
    pub cpu_percent: Option<u32>,
    /// Whether a worker must not start where no control group can be made. False: it starts without
    /// one, and its standard error says so.
    pub required: bool,
}

/// Below this an interpreter does not come up.
const MEMORY_BYTES_MIN: u64 = 64 * 1024 * 1024;
/// A worker's own threads.
const PROCESSES_MIN: u64 = 8;
/// 1024 processors.
const CPU_PERCENT_MAX: u32 = 102_400;
