//! How a pool's worker processes are started, in the document. Doc comments here are the
//! descriptions in the published schema.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How worker processes are started.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackendConfig {
    /// "setsid": each worker is a program executed anew. "forkserver": a template process loads the
    /// frameworks once and forks the workers. "systemd": each worker is a transient service.
    #[schemars(with = "String", extend("enum" = ["setsid", "forkserver", "systemd"]))]
    pub kind: BackendKind,
    /// With "systemd": resident memory of a worker with all that descends from it. Null: no limit.
    #[schemars(range(min = MEMORY_BYTES_MIN))]
    pub memory_max_bytes: Option<u64>,
    /// With "systemd": processes and threads of a worker with all that descends from it, its guard
    /// included. Null: systemd's own limit.
    #[schemars(range(min = TASKS_MIN))]
    pub tasks_max: Option<u64>,
    /// With "systemd": processor time, in hundredths of one processor. Null: no limit.
    #[schemars(range(min = 1, max = CPU_QUOTA_PERCENT_MAX))]
    pub cpu_quota_percent: Option<u32>,
}

/// The ways there are.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendKind {
    /// Executed under its guard.
    #[default]
    Setsid,
    /// Forked from a template, under a guard of its own.
    Forkserver,
    /// As a service, with its guard.
    Systemd,
}

impl BackendConfig {
    /// The key of a limit that only services have.
    pub fn service_limit(&self) -> Option<&'static str> {
        let BackendConfig { kind: _, memory_max_bytes, tasks_max, cpu_quota_percent } = self;
        [
            (memory_max_bytes.is_some(), "memory_max_bytes"),
            (tasks_max.is_some(), "tasks_max"),
            (cpu_quota_percent.is_some(), "cpu_quota_percent"),
        ]
        .into_iter()
        .find_map(|(given, key)| given.then_some(key))
    }
}

/// Below this an interpreter does not come up.
const MEMORY_BYTES_MIN: u64 = 32 * 1024 * 1024;
/// A guard, and a worker with the threads that it cannot do without.
const TASKS_MIN: u64 = 8;
/// Of more processors than any machine has.
const CPU_QUOTA_PERCENT_MAX: u32 = 1_000_000;
