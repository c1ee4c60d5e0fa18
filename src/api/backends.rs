//! From the document's way of starting workers to the pool's.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::config::BackendKind;
use crate::core::{Error, Result, Status};
use crate::runtimes::{RuntimeSettings, template};
use crate::snakepit::{self, Backend, Forkserver, OutputStream, Setsid, TemplateConfig};
use crate::telemetry::{Level, LogHub, Origin, Record};

/// The backend of kind `kind` for the pool that `shape` and `settings` describe, with `guard` as
/// its guard program.
pub(super) fn backend(
    kind: BackendKind,
    shape: &snakepit::PoolConfig,
    settings: &RuntimeSettings,
    guard: &Path,
    logs: &Arc<LogHub>,
    runtime: &Handle,
) -> Result<Arc<dyn Backend>> {
    match kind {
        BackendKind::Setsid => Ok(Arc::new(Setsid::new(guard.to_path_buf()))),
        BackendKind::Forkserver => {
            let spec = template::template(settings)
                .map_err(|failure| Error::new(Status::Internal, failure.to_string()))?;
            let guard = std::path::absolute(guard).unwrap_or_else(|_| guard.to_path_buf());
            let output = Box::new(printed(settings.pool.clone(), logs.clone()));
            let config = TemplateConfig { pool: shape.clone(), guard, spec, output };
            Ok(Arc::new(Forkserver::new(config, runtime)))
        }
    }
}

/// What a template prints becomes log records of its pool.
fn printed(pool: Arc<str>, logs: Arc<LogHub>) -> impl Fn(OutputStream, &str) + Send + Sync {
    move |stream, line| {
        if !logs.listens(Level::Info) {
            return;
        }
        let target = match stream {
            OutputStream::Stdout => "stdout",
            OutputStream::Stderr => "stderr",
        };
        let origin = Origin { pool: Some(pool.clone()), ..Origin::default() };
        let record = Record::new(Level::Info, target, line.to_owned());
        logs.publish(record.from_origin(origin));
    }
}
