//! What a schema cannot say: keys that must agree with each other, and texts with a form of their
//! own. Nothing is looked up outside the document.

use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use crate::core::Result;

use super::backend::{BackendConfig, BackendKind};
use super::fault::inconsistent;
use super::platform::PlatformConfig;
use super::pool::PoolConfig;
use super::state;

/// Accepts a configuration or names the key that cannot be meant.
pub(super) fn check(config: &PlatformConfig) -> Result<()> {
    for (name, pool) in &config.pools {
        if !is_name(name) {
            let message = "has a pool whose name is not 1 to 64 letters, digits, `_` or `-`";
            return Err(inconsistent("pools", message));
        }
        check_pool(&format!("pools.{name}"), pool)?;
    }
    check_path("guard_path", config.guard_path.as_deref())?;
    check_path("run_dir", config.run_dir.as_deref())?;
    state::check(&config.state)?;
    check_path("state.path", config.state.path.as_deref())?;
    check_path("state.ca_file", config.state.ca_file.as_deref())?;
    check_address(config.serve.address.as_deref())
}

fn check_pool(at: &str, pool: &PoolConfig) -> Result<()> {
    if pool.calls_held_per_worker_max < pool.calls_per_worker {
        let message = format!(
            "is {}, expected at least calls_per_worker, which is {}",
            pool.calls_held_per_worker_max, pool.calls_per_worker
        );
        return Err(inconsistent(&format!("{at}.calls_held_per_worker_max"), &message));
    }
    if pool.workers_max.is_some_and(|max| max < pool.workers) {
        let message = format!("is less than workers, which is {}", pool.workers);
        return Err(inconsistent(&format!("{at}.workers_max"), &message));
    }
    let (restart, retry) = (&pool.restart, &pool.retry);
    check_backoff(&format!("{at}.restart"), restart.backoff_min, restart.backoff_max)?;
    check_backoff(&format!("{at}.retry"), retry.backoff_min, retry.backoff_max)?;
    check_backend(&format!("{at}.backend"), &pool.backend)?;
    if pool.frameworks.is_empty() {
        let message = "is empty, expected at least one framework, such as \"python\"";
        return Err(inconsistent(&format!("{at}.frameworks"), message));
    }
    if pool.framework_ids().any(|id| !is_name(id)) {
        let message = "has an id that is not 1 to 64 letters, digits, `_` or `-`";
        return Err(inconsistent(&format!("{at}.frameworks"), message));
    }
    check_path(&format!("{at}.python"), Some(Path::new(&pool.python)))?;
    check_path(&format!("{at}.cwd"), pool.cwd.as_deref())?;
    for (index, directory) in pool.python_path.iter().enumerate() {
        check_path(&format!("{at}.python_path[{index}]"), Some(Path::new(directory)))?;
    }
    check_environment(at, pool)
}

fn check_backend(at: &str, backend: &BackendConfig) -> Result<()> {
    match backend.service_limit() {
        Some(key) if backend.kind != BackendKind::Systemd => {
            let message = "is given, expected only with backend.kind \"systemd\"";
            Err(inconsistent(&format!("{at}.{key}"), message))
        }
        _ => Ok(()),
    }
}

fn check_backoff(at: &str, min: Duration, max: Duration) -> Result<()> {
    if max >= min {
        return Ok(());
    }
    let message = format!(
        "is {}, expected at least backoff_min_ms, which is {}",
        max.as_millis(),
        min.as_millis()
    );
    Err(inconsistent(&format!("{at}.backoff_max_ms"), &message))
}

/// Names and values that `execve` could not carry. Values are not quoted.
fn check_environment(at: &str, pool: &PoolConfig) -> Result<()> {
    for (name, value) in &pool.env {
        if !is_variable_name(name) {
            let message = "has a name that is empty or holds `=` or a zero byte";
            return Err(inconsistent(&format!("{at}.env"), message));
        }
        if value.expose().contains('\0') {
            return Err(inconsistent(&format!("{at}.env.{name}"), "holds a zero byte"));
        }
    }
    for (index, name) in pool.env_pass.iter().enumerate() {
        if !is_variable_name(name) {
            let message = "is not the name of an environment variable";
            return Err(inconsistent(&format!("{at}.env_pass[{index}]"), message));
        }
    }
    Ok(())
}

fn check_path(name: &str, path: Option<&Path>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() || bytes.contains(&0) {
        return Err(inconsistent(name, "is empty or holds a zero byte, expected a path"));
    }
    Ok(())
}

fn check_address(address: Option<&str>) -> Result<()> {
    let Some(address) = address else { return Ok(()) };
    let is_good = match address.strip_prefix("unix:") {
        Some(path) => path.starts_with('/'),
        None => address.parse::<SocketAddr>().is_ok(),
    };
    if is_good {
        return Ok(());
    }
    let message = format!("is {address:?}, expected \"unix:/path\" or \"ip:port\"");
    Err(inconsistent("serve.address", &message))
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

/// Names of pools and frameworks, which become labels of metrics and parts of messages.
const NAME_BYTES_MAX: usize = 64;
