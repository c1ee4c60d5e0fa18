//! One subscriber's records, until they are taken: bounded, and with a wake-up where something
//! changes for whoever waits, not for each record.
//!
//! It must not know what becomes of a record, nor what the hub counts.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{LogBatch, LogFilter};
use crate::telemetry::record::{Level, Record};

pub(super) struct Queue {
    filter: LogFilter,
    records_max: usize,
    waiting: Mutex<Waiting>,
    /// There is something where nothing was, or the end has come.
    arrived: Notify,
    /// It is half full, or the end has come.
    crowded: Notify,
}

#[derive(Default)]
struct Waiting {
    records: VecDeque<Arc<Record>>,
    dropped: u64,
    is_closed: bool,
}

/// What taking gave.
pub(super) enum Taken {
    Batch(LogBatch),
    Nothing,
    Ended,
}

impl Queue {
    pub fn new(filter: LogFilter, records_max: usize) -> Self {
        let (arrived, crowded) = (Notify::new(), Notify::new());
        Queue { filter, records_max, waiting: Mutex::default(), arrived, crowded }
    }

    pub fn level(&self) -> Level {
        self.filter.level
    }

    pub fn wants(&self, record: &Record) -> bool {
        record.level >= self.filter.level && record.target.starts_with(&self.filter.target_prefix)
    }

    /// False when the record was dropped because the queue is full.
    pub fn push(&self, record: Arc<Record>) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.is_closed {
            return true;
        }
        if waiting.records.len() >= self.records_max {
            waiting.dropped += 1;
            return false;
        }
        waiting.records.push_back(record);
        let count = waiting.records.len();
        drop(waiting);
        // Whoever waits for the first one has seen an empty queue; later ones tell it nothing.
        if count == 1 {
            self.arrived.notify_one();
        }
        if count == self.records_max.div_ceil(2) {
            self.crowded.notify_one();
        }
        true
    }

    /// Up to so many, at once.
    pub fn take(&self, count_max: usize) -> Taken {
        let mut waiting = self.waiting.lock();
        let count = waiting.records.len().min(count_max);
        if count > 0 {
            let records = waiting.records.drain(..count).collect();
            let dropped = std::mem::take(&mut waiting.dropped);
            return Taken::Batch(LogBatch { records, dropped });
        }
        if waiting.is_closed { Taken::Ended } else { Taken::Nothing }
    }

    pub fn close(&self) {
        self.waiting.lock().is_closed = true;
        self.arrived.notify_one();
        self.crowded.notify_one();
    }

    /// Waits until something may have arrived.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Waits until it is half full, or was a while ago.
    pub async fn crowded(&self) {
        self.crowded.notified().await;
    }
}
