//! One subscriber's records, until they are taken: bounded, and with a wake-up where something
//! changes for whoever waits, not for each record.
//!
//! It must not know what becomes of a record, nor what the hub counts.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{LogBatch, LogFilter};
use crate::core::limits::LOG_RECORDS_KEPT;
use crate::telemetry::record::Level;
use crate::telemetry::redact::Redactor;
use crate::telemetry::span::{FinishedSpan, KeptPlace, SpanPlace};
use crate::telemetry::told::Told;

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
    records: VecDeque<Told>,
    /// Where the last span was done; the next one was probably there, too.
    place: Option<Arc<KeptPlace>>,
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

    pub fn wants(&self, level: Level, target: &str) -> bool {
        level >= self.filter.level && target.starts_with(&self.filter.target_prefix)
    }

    /// False when the record was dropped because the queue is full.
    pub fn push(&self, record: Told) -> bool {
        self.push_made(|_| record)
    }

    /// The same for a span.
    pub fn push_span(
        &self,
        span: &FinishedSpan,
        place: &SpanPlace<'_>,
        redactor: &Redactor,
    ) -> bool {
        self.push_made(|waiting| span.record(waiting.place(place, redactor)).into())
    }

    fn push_made(&self, record: impl FnOnce(&mut Waiting) -> Told) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.is_closed {
            return true;
        }
        if waiting.records.len() >= self.records_max {
            waiting.dropped += 1;
            return false;
        }
        let record = record(&mut waiting);
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

    /// All of them at once. What comes next is kept in `memory`, unless that is more than a usual
    /// batch needs.
    pub fn take_all(&self, memory: &mut VecDeque<Told>) -> Taken {
        memory.clear();
        memory.shrink_to(LOG_RECORDS_KEPT);
        let mut waiting = self.waiting.lock();
        if !waiting.records.is_empty() {
            let records = std::mem::replace(&mut waiting.records, std::mem::take(memory));
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

impl Waiting {
    /// The place as it is kept.
    fn place(&mut self, place: &SpanPlace<'_>, redactor: &Redactor) -> Arc<KeptPlace> {
        match &self.place {
            Some(kept) if kept.is(place) => kept.clone(),
            _ => self.place.insert(place.kept(redactor)).clone(),
        }
    }
}
