//! The records of one log subscription between the platform and the host: what has entered a queue
//! as events waits here until those are taken, so that each record is moved, never made anew.
//!
//! Bounded: more than the limit are left to whoever brings them. It must not know where the events
//! go.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::api::{LogBatch, LogRecord};
use crate::core::limits::LOG_RECORDS_KEPT;

/// Records for which events are under way.
pub struct LogFeed {
    records_max: usize,
    /// What was dropped counts since the host was last told.
    waiting: Mutex<LogBatch>,
}

/// What events a batch makes.
#[derive(Debug, Eq, PartialEq)]
pub struct Entered {
    /// Records were dropped before it, the first since the host was last told: tell it.
    pub is_overflow: bool,
    pub records: usize,
}

impl LogFeed {
    pub fn new(records_max: usize) -> Arc<Self> {
        Arc::new(LogFeed { records_max, waiting: Mutex::default() })
    }

    /// Takes records from the front, as far as there is room.
    pub fn enter(&self, batch: &mut LogBatch) -> Entered {
        let mut waiting = self.waiting.lock();
        let dropped = std::mem::take(&mut batch.dropped);
        let is_overflow = dropped > 0 && waiting.dropped == 0;
        waiting.dropped += dropped;
        let room = self.records_max - waiting.records.len();
        let records = batch.records.len().min(room);
        waiting.records.extend(batch.records.drain(..records));
        Entered { is_overflow, records }
    }

    /// The record of an event that is being taken.
    pub fn leave(&self) -> Option<LogRecord> {
        let mut waiting = self.waiting.lock();
        let record = waiting.records.pop_front();
        if waiting.records.is_empty() {
            // What a storm has taken is not kept.
            waiting.records.shrink_to(LOG_RECORDS_KEPT);
        }
        record
    }

    /// How many were lost since the last time.
    pub fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.waiting.lock().dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Level, Record};

    fn batch(count: usize, dropped: u64) -> LogBatch {
        let record = |number: usize| Record::new(Level::Info, "t", number.to_string()).into();
        LogBatch { records: (0..count).map(record).collect(), dropped }
    }

    #[test]
    fn beyond_the_limit_records_stay_with_whoever_brings_them() {
        let feed = LogFeed::new(8);
        let mut large = batch(10, 0);
        assert_eq!(feed.enter(&mut large), Entered { is_overflow: false, records: 8 });
        assert_eq!(large.records.len(), 2);
        assert_eq!(feed.enter(&mut large), Entered { is_overflow: false, records: 0 });
        assert_eq!(feed.leave().unwrap().message(), "0");
        assert_eq!(feed.enter(&mut large), Entered { is_overflow: false, records: 1 });
        assert_eq!(large.records[0].message(), "9");
    }

    #[test]
    fn what_was_dropped_is_told_once_and_counted_until_it_is_asked_for() {
        let feed = LogFeed::new(8);
        assert_eq!(feed.enter(&mut batch(1, 3)), Entered { is_overflow: true, records: 1 });
        assert_eq!(feed.enter(&mut batch(1, 2)), Entered { is_overflow: false, records: 1 });
        assert_eq!(feed.take_dropped(), 5);
        assert_eq!(feed.take_dropped(), 0);
        assert_eq!(feed.enter(&mut batch(0, 1)), Entered { is_overflow: true, records: 0 });
        assert!(feed.leave().is_some() && feed.leave().is_some() && feed.leave().is_none());
    }
}
