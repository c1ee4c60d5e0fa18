//! Log records for a host: pulled from the hub by a task and handed to the host's sink, never from
//! inside the code that logs.

use std::sync::Arc;

use tokio::task::AbortHandle;

use crate::core::Result;
use crate::telemetry::{Level, LogFilter};

use super::platform::Platform;

/// Where a host wants its records. Called on a library thread: enqueue and return.
pub trait LogSink: Send + Sync {
    /// `dropped` records were lost before this one because the sink's queue was full.
    fn record(&self, record: &serde_json::Value, dropped: u64);
}

/// A subscription; dropping it ends it.
pub struct LogWatch {
    task: AbortHandle,
}

impl Platform {
    /// What a subscriber gets that names no level: the configuration's `logs.level`.
    pub fn default_log_level(&self) -> Level {
        Level::from_name(&self.config.logs.level).unwrap_or(Level::Info)
    }

    /// Sends records that pass `filter` to `sink` until the watch is dropped or the platform has
    /// closed.
    pub fn subscribe_logs(&self, filter: LogFilter, sink: Arc<dyn LogSink>) -> Result<LogWatch> {
        self.check_open()?;
        let subscription = self.logs.subscribe(filter);
        let pump = async move {
            while let Some(item) = subscription.next().await {
                sink.record(&item.record.to_json(), item.dropped);
            }
        };
        Ok(LogWatch { task: self.handle.spawn(pump).abort_handle() })
    }
}

impl LogWatch {
    /// Ends the subscription; again does nothing.
    pub fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for LogWatch {
    fn drop(&mut self) {
        self.stop();
    }
}
