//! From the document's way of starting workers to the pool's.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::config::{BackendConfig, BackendKind};
use crate::core::{Error, Result, Status};
use crate::runtimes::{ProcessLog, RuntimeSettings, template};
use crate::snakepit::{self, Backend, Forkserver, ServiceLimits, Setsid, Systemd, TemplateConfig};
use crate::telemetry::LogHub;

/// The backend that `wanted` describes, for the pool that `shape` and `settings` describe, with
/// `guard` as its guard program.
pub(super) fn backend(
    wanted: &BackendConfig,
    shape: &snakepit::PoolConfig,
    settings: &RuntimeSettings,
    guard: &Path,
    logs: &Arc<LogHub>,
    runtime: &Handle,
) -> Result<Arc<dyn Backend>> {
    match wanted.kind {
        BackendKind::Systemd => services(wanted, &shape.name, guard),
        BackendKind::Setsid => Ok(Arc::new(Setsid::new(guard.to_path_buf()))),
        BackendKind::Forkserver => {
            let spec = template::template(settings)
                .map_err(|failure| Error::new(Status::Internal, failure.to_string()))?;
            let guard = std::path::absolute(guard).unwrap_or_else(|_| guard.to_path_buf());
            let log = ProcessLog::new(settings.pool.clone(), logs.clone());
            let output = Box::new(move |stream, line: &str| log.printed(None, stream, line));
            let config = TemplateConfig { pool: shape.clone(), guard, spec, output };
            Ok(Arc::new(Forkserver::new(config, runtime)))
        }
    }
}

fn services(wanted: &BackendConfig, pool: &str, guard: &Path) -> Result<Arc<dyn Backend>> {
    let limits = ServiceLimits {
        memory_bytes_max: wanted.memory_max_bytes,
        tasks_max: wanted.tasks_max,
        cpu_quota_percent: wanted.cpu_quota_percent,
    };
    match Systemd::new(guard, limits) {
        Ok(systemd) => Ok(Arc::new(systemd)),
        Err(failure) => Err(Error::new(Status::Unavailable, failure.to_string())
            .with("field", format!("pools.{pool}.backend.kind"))
            .retryable(false)),
    }
}
