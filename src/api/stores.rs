//! Which store keeps the sessions of a platform: one of the configuration's, or the host's own.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::config::{PlatformConfig, StateConfig, StoreKind};
use crate::core::{Error, Result};
use crate::state::{
    Backend, ChangeSink, MemoryStore, RedisOptions, RedisStore, SqliteStore, StoreLimits,
};

use super::platform::would_block;

/// Makes the store of a platform: what its sessions may hold, whom it tells of changes, and the
/// runtime that its tasks run on. It must not wait on that runtime.
pub type MakeStore =
    dyn FnOnce(StoreLimits, Arc<dyn ChangeSink>, Handle) -> Result<Arc<dyn Backend>>;

/// What the configuration lets a session hold.
pub(super) fn limits(config: &PlatformConfig) -> StoreLimits {
    StoreLimits {
        variables_max: config.sessions.variables_max,
        bytes_max: config.sessions.bytes_max,
        history_max: config.sessions.history_max,
        history_bytes_max: config.sessions.history_bytes_max,
    }
}

/// The store that the configuration names. Waits for the disk or the server.
pub(super) fn configured(
    config: &PlatformConfig,
    limits: StoreLimits,
    sink: Arc<dyn ChangeSink>,
    runtime: Handle,
) -> Result<Arc<dyn Backend>> {
    let made = match config.state.store {
        StoreKind::Memory => Ok(Arc::new(MemoryStore::new(limits, sink)) as Arc<dyn Backend>),
        StoreKind::Sqlite => sqlite(&config.state, limits, sink),
        StoreKind::Redis => redis(&config.state, limits, sink, runtime),
    };
    made.map_err(|error| {
        // Stores name their own options; here they are keys of the configuration.
        let field = error.details().get("field").and_then(serde_json::Value::as_str);
        let key = format!("state.{}", field.unwrap_or("store"));
        error.with("field", key)
    })
}

fn sqlite(
    state: &StateConfig,
    limits: StoreLimits,
    sink: Arc<dyn ChangeSink>,
) -> Result<Arc<dyn Backend>> {
    let path = state.path.as_deref().ok_or_else(|| missing("path"))?;
    Ok(Arc::new(SqliteStore::open(path, limits, sink)?))
}

fn redis(
    state: &StateConfig,
    limits: StoreLimits,
    sink: Arc<dyn ChangeSink>,
    runtime: Handle,
) -> Result<Arc<dyn Backend>> {
    let url = state.url.as_ref().ok_or_else(|| missing("url"))?;
    let mut options = RedisOptions::new(url.expose());
    options.username.clone_from(&state.username);
    options.password = state.password.as_ref().map(|password| password.expose().to_owned());
    options.ca_file.clone_from(&state.ca_file);
    if let Some(prefix) = &state.prefix {
        options.prefix.clone_from(prefix);
    }
    options.lease = state.lease.unwrap_or(options.lease);
    options.command_timeout = state.timeout.unwrap_or(options.command_timeout);
    if Handle::try_current().is_ok() {
        return Err(would_block());
    }
    let connected = RedisStore::connect(options, limits, sink, runtime.clone());
    Ok(Arc::new(runtime.block_on(connected)?))
}

fn missing(key: &str) -> Error {
    Error::invalid(format!("state.{key} is missing")).with("field", key)
}
