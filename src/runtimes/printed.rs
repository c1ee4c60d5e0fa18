//! What Python processes of a pool print, and what is to be said of them, as log records.

use std::sync::Arc;

use crate::core::WorkerId;
use crate::snakepit::OutputStream;
use crate::telemetry::{Level, LogHub, Origin, Record};

/// The log of one pool's processes.
#[derive(Clone)]
pub struct ProcessLog {
    pool: Arc<str>,
    logs: Arc<LogHub>,
}

impl ProcessLog {
    pub fn new(pool: Arc<str>, logs: Arc<LogHub>) -> Self {
        ProcessLog { pool, logs }
    }

    /// A line that a process printed; none of the workers did when `worker` is none.
    pub fn printed(&self, worker: Option<WorkerId>, stream: OutputStream, line: &str) {
        let target = match stream {
            OutputStream::Stdout => "stdout",
            OutputStream::Stderr => "stderr",
        };
        self.publish(worker, Level::Info, target, line);
    }

    /// A record of the pool, about one of its workers or about none.
    pub fn publish(&self, worker: Option<WorkerId>, level: Level, target: &str, message: &str) {
        if self.logs.listens(level) {
            let origin = Origin { pool: Some(self.pool.clone()), worker, ..Origin::default() };
            self.logs.publish(Record::new(level, target.to_owned(), message).from_origin(origin));
        }
    }
}
