//! One pool of Python workers in the document. Doc comments here are the descriptions in the
//! published schema.

use std::collections::{BTreeMap, btree_map};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::core::limits;

use super::backend::BackendConfig;
use super::cgroup::CgroupConfig;
use super::millis;
use super::platform::{COUNT_MAX, TIME_MS_MAX};
use super::protection::{BarrierConfig, BreakerConfig, RetryConfig};
use super::recycle::RecycleConfig;
use super::secret::Secret;

/// A pool of Python workers.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolConfig {
    /// Worker processes, whatever the load.
    #[schemars(range(min = 1, max = limits::POOL_WORKERS_MAX))]
    pub workers: usize,
    /// Worker processes under load. At least `workers`. Null: `workers`, so that the size is fixed.
    #[schemars(range(min = 1, max = limits::POOL_WORKERS_MAX))]
    pub workers_max: Option<usize>,
    /// One more worker when a call has waited for so long, and again each time it has passed.
    #[serde(rename = "grow_after_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 1, max = TIME_MS_MAX))]
    pub grow_after: Duration,
    /// One worker fewer when one has had nothing to do for so long.
    #[serde(rename = "shrink_after_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 1, max = TIME_MS_MAX))]
    pub shrink_after: Duration,
    /// Calls that one worker runs at once, not counting those that wait for a host tool.
    #[schemars(range(min = 1, max = CALLS_MAX))]
    pub calls_per_worker: usize,
    /// Calls that one worker holds, those that wait for a host tool included. At least
    /// `calls_per_worker`.
    #[schemars(range(min = 1, max = CALLS_MAX))]
    pub calls_held_per_worker_max: usize,
    /// Calls that may wait for a worker; further ones are refused, but for one of each session that
    /// has none waiting, up to as many again.
    #[schemars(range(min = 0, max = COUNT_MAX))]
    pub queue_max: usize,
    /// The interpreter: a path, or a name that is looked up in PATH.
    pub python: String,
    /// Directories that come first on the workers' module path.
    pub python_path: Vec<String>,
    /// Frameworks to load, each with its options as the framework documents them.
    pub frameworks: FrameworkOptions,
    /// Environment variables that the workers get. They get none of the host's but a few harmless
    /// ones.
    pub env: BTreeMap<String, Secret>,
    /// Environment variables of the host that are handed on where the host has them.
    pub env_pass: Vec<String>,
    /// The workers' working directory. Null: the host's.
    pub cwd: Option<PathBuf>,
    /// From a worker's spawn to its readiness, imports included.
    #[serde(rename = "start_timeout_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 1, max = TIME_MS_MAX))]
    pub start_timeout: Duration,
    /// Workers that start at the same time.
    #[schemars(range(min = 1, max = limits::POOL_WORKERS_MAX))]
    pub concurrent_starts: usize,
    /// How a worker that ended is replaced.
    pub restart: RestartConfig,
    /// When a worker that is well is replaced all the same.
    pub recycle: RecycleConfig,
    /// How a worker is asked whether it lives.
    pub heartbeat: HeartbeatConfig,
    /// How calls of idempotent operations are tried again when their worker is lost.
    pub retry: RetryConfig,
    /// When the pool is given no more calls for a while.
    pub breaker: BreakerConfig,
    /// When a call that crashes its worker is refused for a while.
    pub barrier: BarrierConfig,
    /// Between the request to end and the kill.
    #[serde(rename = "kill_grace_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 0, max = TIME_MS_MAX))]
    pub kill_grace: Duration,
    /// A cancelled handler may clean up for this long before its worker is replaced.
    #[serde(rename = "cancel_grace_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 0, max = TIME_MS_MAX))]
    pub cancel_grace: Duration,
    /// After this long, a busy Python thread lets another one run (sys.setswitchinterval).
    #[schemars(range(min = 0.01, max = 1000.0))]
    pub switch_interval_ms: f64,
    /// The least level of Python log records that workers send.
    #[schemars(extend("enum" = ["debug", "info", "warning", "error"]))]
    pub log_level: String,
    /// Whether workers keep variables they have read until they are told of a change.
    pub variable_cache: bool,
    /// How worker processes are started.
    pub backend: BackendConfig,
    /// Resource limits of each worker process.
    pub limits: ProcessLimitsConfig,
}

/// How a worker that ended is replaced.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RestartConfig {
    /// The first delay; it doubles up to `backoff_max_ms`.
    #[serde(rename = "backoff_min_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 0, max = TIME_MS_MAX))]
    pub backoff_min: Duration,
    /// The longest delay. At least `backoff_min_ms`.
    #[serde(rename = "backoff_max_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 0, max = TIME_MS_MAX))]
    pub backoff_max: Duration,
    /// Starts that may fail within `window_ms` before the pool counts as degraded.
    #[schemars(range(min = 1, max = COUNT_MAX))]
    pub failures_max: usize,
    /// The window in which failed starts are counted.
    #[serde(rename = "window_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 1, max = TIME_MS_MAX))]
    pub window: Duration,
    /// The rest of a worker's place whose starts fail `failures_max` times in a row while others
    /// serve.
    #[serde(rename = "quarantine_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 0, max = TIME_MS_MAX))]
    pub quarantine: Duration,
}

/// How a worker is asked whether it lives.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeartbeatConfig {
    /// Between two questions.
    #[serde(rename = "interval_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 1, max = TIME_MS_MAX))]
    pub interval: Duration,
    /// A worker that has not answered after this long is replaced.
    #[serde(rename = "timeout_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 1, max = TIME_MS_MAX))]
    pub timeout: Duration,
    /// What such a worker has for printing where each of its threads stands, before it is killed.
    #[serde(rename = "abort_grace_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 0, max = TIME_MS_MAX))]
    pub abort_grace: Duration,
}

/// Resource limits of a worker process, as setrlimit has them. Null: the host's.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessLimitsConfig {
    /// Largest core dump. 0: none, because a dump of a worker holds its keys and data.
    pub core_bytes: u64,
    /// Open descriptors.
    #[schemars(range(min = OPEN_FILES_MIN))]
    pub open_files: Option<u64>,
    /// Address space.
    #[schemars(range(min = ADDRESS_SPACE_BYTES_MIN))]
    pub address_space_bytes: Option<u64>,
    /// Resident memory of a worker with everything it has started. A worker above it is killed at
    /// once, and its calls end as lost; measured at each heartbeat.
    #[schemars(range(min = ADDRESS_SPACE_BYTES_MIN))]
    pub memory_hard_bytes: Option<u64>,
    /// Processes and threads of the user.
    #[schemars(range(min = 1))]
    pub processes: Option<u64>,
    /// A control group for each worker with everything it starts. Null: none.
    pub cgroup: Option<CgroupConfig>,
}

/// Framework ids with their options. Options may hold keys, so only the ids print.
#[derive(Clone, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(transparent)]
pub struct FrameworkOptions(BTreeMap<String, Map<String, Json>>);

impl PoolConfig {
    /// Ids of the frameworks that the pool loads, in order.
    pub fn framework_ids(&self) -> impl Iterator<Item = &str> {
        self.frameworks.0.keys().map(String::as_str)
    }
}

impl FrameworkOptions {
    /// The options of one framework.
    pub fn get(&self, id: &str) -> Option<&Map<String, Json>> {
        self.0.get(id)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for FrameworkOptions {
    type Item = (String, Json);
    type IntoIter = std::iter::Map<
        btree_map::IntoIter<String, Map<String, Json>>,
        fn((String, Map<String, Json>)) -> (String, Json),
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|(id, options)| (id, Json::Object(options)))
    }
}

impl std::fmt::Debug for FrameworkOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Default for PoolConfig {
    fn default() -> Self {
        PoolConfig {
            workers: limits::POOL_WORKERS,
            workers_max: None,
            grow_after: limits::POOL_GROW_AFTER,
            shrink_after: limits::POOL_SHRINK_AFTER,
            calls_per_worker: limits::CALLS_PER_WORKER,
            calls_held_per_worker_max: limits::CALLS_HELD_PER_WORKER_MAX,
            queue_max: limits::POOL_QUEUE_MAX,
            variable_cache: true,
            python: "python3".to_owned(),
            python_path: Vec::new(),
            frameworks: FrameworkOptions::default(),
            env: BTreeMap::new(),
            env_pass: Vec::new(),
            cwd: None,
            start_timeout: limits::START_TIMEOUT,
            concurrent_starts: limits::CONCURRENT_STARTS,
            restart: RestartConfig::default(),
            recycle: RecycleConfig::default(),
            heartbeat: HeartbeatConfig::default(),
            retry: RetryConfig::default(),
            breaker: BreakerConfig::default(),
            barrier: BarrierConfig::default(),
            kill_grace: limits::KILL_GRACE,
            cancel_grace: limits::CANCEL_GRACE,
            switch_interval_ms: SWITCH_INTERVAL_MS,
            log_level: "info".to_owned(),
            backend: BackendConfig::default(),
            limits: ProcessLimitsConfig::default(),
        }
    }
}

/// The `python` framework without modules.
impl Default for FrameworkOptions {
    fn default() -> Self {
        FrameworkOptions(BTreeMap::from([("python".to_owned(), Map::new())]))
    }
}

impl Default for RestartConfig {
    fn default() -> Self {
        RestartConfig {
            backoff_min: limits::RESTART_BACKOFF_MIN,
            backoff_max: limits::RESTART_BACKOFF_MAX,
            failures_max: limits::RESTART_FAILURES_MAX,
            window: limits::RESTART_WINDOW,
            quarantine: limits::RESTART_QUARANTINE,
        }
    }
}

impl Default for HeartbeatConfig {
    fn default() -> Self {
        HeartbeatConfig {
            interval: limits::HEARTBEAT_INTERVAL,
            timeout: limits::HEARTBEAT_TIMEOUT,
            abort_grace: limits::ABORT_GRACE,
        }
    }
}

/// Calls of one worker, running or held: each takes a thread of it.
const CALLS_MAX: usize = 4096;
/// Every hand-over of the interpreter beside a busy thread costs one interval; Python's own is 5.
const SWITCH_INTERVAL_MS: f64 = 0.5;
/// Below this an interpreter does not come up.
const OPEN_FILES_MIN: u64 = 16;
const ADDRESS_SPACE_BYTES_MIN: u64 = 64 * 1024 * 1024;
