//! The document's top level: what holds for the platform as a whole. Doc comments here are the
//! descriptions in the published schema, so they speak to whoever writes the document.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::{Affinity, Result, limits};

use super::pool::PoolConfig;
use super::state::StateConfig;
use super::{consistency, fault, millis, schema};

/// Everything a platform can be told when it opens. All of it is optional: `{}` gives one pool
/// named "default".
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "snakepit-bridge configuration")]
pub struct PlatformConfig {
    /// Pools of Python workers by name. Names: 1 to 64 letters, digits, `_` and `-`.
    pub pools: BTreeMap<String, PoolConfig>,
    /// The snakepit-guard executable. Null: beside the library, then in ../libexec from it.
    pub guard_path: Option<PathBuf>,
    /// Where the private directory for the workers' socket is made. Null: the user's runtime
    /// directory, or the one for temporary files.
    pub run_dir: Option<PathBuf>,
    /// Threads that do the platform's I/O.
    #[schemars(range(min = 1, max = THREADS_MAX))]
    pub io_threads: usize,
    /// How long whoever waits for a lone answer, in host or worker, looks for it without sleeping,
    /// in microseconds: quicker by what waking costs, for a core each meanwhile. 0: not at all.
    #[schemars(range(min = 0, max = SPIN_US_MAX))]
    pub spin_us: u64,
    /// Threads that run the host's callbacks.
    #[schemars(range(min = 1, max = THREADS_MAX))]
    pub callback_threads: usize,
    /// Calls of framework operations.
    pub operations: OperationsConfig,
    /// Sessions and what each may hold.
    pub sessions: SessionsConfig,
    /// Host tools.
    pub tools: ToolsConfig,
    /// Where sessions and their variables are kept.
    pub state: StateConfig,
    /// Values that cross between host and workers.
    pub values: ValuesConfig,
    /// Log records on their way to the host.
    pub logs: LogsConfig,
    /// The platform's own gRPC endpoint, for clients that cannot link the library.
    pub serve: ServeConfig,
    /// What a close without a time of its own waits for running work.
    #[serde(rename = "close_grace_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 0, max = TIME_MS_MAX))]
    pub close_grace: Duration,
}

/// Calls of framework operations.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OperationsConfig {
    /// The deadline of an operation whose caller names none.
    #[serde(rename = "timeout_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 1, max = TIME_MS_MAX))]
    pub timeout: Duration,
    /// Operations that may be under way at once; further ones are refused.
    #[schemars(range(min = 1, max = COUNT_MAX))]
    pub in_flight_max: usize,
    /// Chunks that a streaming operation may be ahead of its consumer.
    #[schemars(range(min = 1, max = WINDOW_MAX))]
    pub stream_window: u32,
    /// Executes inside tools inside executes.
    #[schemars(range(min = 1, max = DEPTH_MAX))]
    pub nesting_depth_max: u32,
}

/// Sessions and what each may hold.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionsConfig {
    /// Sessions that may be open at once; further ones are refused.
    #[schemars(range(min = 1, max = COUNT_MAX))]
    pub max: usize,
    /// A session unused for this long is closed, unless it was opened with a time of its own.
    #[serde(rename = "ttl_ms", with = "millis")]
    #[schemars(with = "u64", range(min = 1, max = TIME_MS_MAX))]
    pub ttl: Duration,
    /// Variables of one session.
    #[schemars(range(min = 1, max = COUNT_MAX))]
    pub variables_max: usize,
    /// Bytes of one session: names, constraints, metadata and current values together.
    #[schemars(range(min = 1, max = BYTES_MAX))]
    pub bytes_max: usize,
    /// Earlier values of one variable that are kept to go back to; 0 keeps none.
    #[schemars(range(min = 0, max = COUNT_MAX))]
    pub history_max: usize,
    /// Bytes of the earlier values of one variable together: the oldest go first.
    #[schemars(range(min = 0, max = BYTES_MAX))]
    pub history_bytes_max: usize,
    /// Whether the calls of a session keep to one worker: "hint" if there is room, "strict_queue"
    /// and wait for it, "strict_fail_fast" or be refused. A session may ask for its own.
    #[schemars(with = "String", extend("enum" = AFFINITIES))]
    pub affinity: Affinity,
}

/// Host tools.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToolsConfig {
    /// Tools of the platform, and tools of any one session.
    #[schemars(range(min = 1, max = COUNT_MAX))]
    pub per_scope_max: usize,
    /// Calls of one tool that the host has not answered; further ones are refused. A tool may ask
    /// for less.
    #[schemars(range(min = 1, max = COUNT_MAX))]
    pub in_flight_max: usize,
}

/// Values that cross between host and workers.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ValuesConfig {
    /// The largest value, document and attachments together. It can be lowered, not raised.
    #[schemars(range(min = VALUE_BYTES_MIN, max = limits::VALUE_BYTES_MAX))]
    pub bytes_max: usize,
}

/// Log records on their way to the host.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogsConfig {
    /// Records that may wait for one subscriber; further ones are dropped and counted.
    #[schemars(range(min = 1, max = COUNT_MAX))]
    pub queue_max: usize,
    /// The least level that a subscriber gets when it asks for none.
    #[schemars(extend("enum" = ["debug", "info", "warning", "error"]))]
    pub level: String,
}

/// The platform's own gRPC endpoint.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeConfig {
    /// "unix:/path" or "ip:port" (port 0: any free one). Null: not served.
    pub address: Option<String>,
}

impl PlatformConfig {
    /// Reads a document (`{}`: all defaults). `InvalidArgument` names the faulty key as
    /// `details.path`, what was given and what was expected; an unknown key comes with the nearest
    /// known one. Values of `env` are in no error.
    pub fn from_json(document: &[u8]) -> Result<Self> {
        crate::core::json::check(document, 0).map_err(fault::not_json)?;
        schema::check(document)?;
        let mut reader = serde_json::Deserializer::from_slice(document);
        let config = serde_path_to_error::deserialize(&mut reader).map_err(fault::not_readable)?;
        consistency::check(&config)?;
        Ok(config)
    }
}

impl Default for PlatformConfig {
    fn default() -> Self {
        PlatformConfig {
            pools: BTreeMap::from([("default".to_owned(), PoolConfig::default())]),
            guard_path: None,
            run_dir: None,
            io_threads: limits::IO_THREADS,
            spin_us: 0,
            callback_threads: limits::CALLBACK_THREADS,
            operations: OperationsConfig::default(),
            sessions: SessionsConfig::default(),
            tools: ToolsConfig::default(),
            state: StateConfig::default(),
            values: ValuesConfig::default(),
            logs: LogsConfig::default(),
            serve: ServeConfig::default(),
            close_grace: limits::CLOSE_GRACE,
        }
    }
}

impl Default for OperationsConfig {
    fn default() -> Self {
        OperationsConfig {
            timeout: limits::OPERATION_TIMEOUT,
            in_flight_max: limits::OPERATIONS_MAX,
            stream_window: limits::STREAM_WINDOW,
            nesting_depth_max: limits::NESTING_DEPTH_MAX,
        }
    }
}

impl Default for SessionsConfig {
    fn default() -> Self {
        SessionsConfig {
            max: limits::SESSIONS_MAX,
            ttl: limits::SESSION_TTL,
            variables_max: limits::VARIABLES_PER_SESSION_MAX,
            bytes_max: limits::SESSION_BYTES_MAX,
            history_max: limits::HISTORY_MAX,
            history_bytes_max: limits::HISTORY_BYTES_MAX,
            affinity: Affinity::None,
        }
    }
}

impl Default for ToolsConfig {
    fn default() -> Self {
        ToolsConfig {
            per_scope_max: limits::TOOLS_PER_SCOPE_MAX,
            in_flight_max: limits::TOOL_IN_FLIGHT_MAX,
        }
    }
}

impl Default for ValuesConfig {
    fn default() -> Self {
        ValuesConfig { bytes_max: limits::VALUE_BYTES_MAX }
    }
}

impl Default for LogsConfig {
    fn default() -> Self {
        LogsConfig { queue_max: limits::LOG_QUEUE_MAX, level: "info".to_owned() }
    }
}

/// Above this, a count in the document is a slip.
pub(super) const COUNT_MAX: usize = 10_000_000;
/// 1 TiB: above this, a size in the document is a slip.
const BYTES_MAX: u64 = 1 << 40;
/// 30 days: above this, a time in the document is a slip.
pub(super) const TIME_MS_MAX: u64 = 30 * 24 * 3600 * 1000;
const AFFINITIES: [&str; 4] = ["none", "hint", "strict_queue", "strict_fail_fast"];
const THREADS_MAX: usize = 256;
/// Longer than a sleep and a wake-up take anywhere.
const SPIN_US_MAX: u64 = 1000;
const WINDOW_MAX: u32 = 65_536;
const DEPTH_MAX: u32 = 64;
/// Below this not even errors fit.
const VALUE_BYTES_MIN: usize = 4096;

#[cfg(test)]
mod tests;
