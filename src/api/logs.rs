//! Log records for a host: pulled from the hub by a task and handed to the host's sink in batches,
//! never from inside the code that logs.
//!
//! It must not know what a sink does with a record.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::core::Result;
use crate::telemetry::{Level, LogFilter, LogSubscription, Record};

use super::platform::Platform;

/// Where a host wants its records. Called on a library thread: enqueue and return.
pub trait LogSink: Send + Sync {
    /// `dropped` records were lost before this one because the sink's queue was full. Whether this
    /// one was kept.
    fn record(&self, record: &Arc<Record>, dropped: u64) -> bool;

    /// Whether the next record would be kept. Where it would not, a moment is waited for the host
    /// to take some; then it comes all the same.
    fn has_room(&self) -> bool {
        true
    }
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
        Ok(LogWatch { task: self.handle.spawn(pump(subscription, sink)).abort_handle() })
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

async fn pump(subscription: LogSubscription, sink: Arc<dyn LogSink>) {
    let mut is_taken = true;
    while let Some(batch) = subscription.next_batch().await {
        let mut dropped = batch.dropped;
        for record in batch.records {
            is_taken = sink.has_room() || (is_taken && has_room_soon(&*sink).await);
            if !sink.record(&record, std::mem::take(&mut dropped)) {
                subscription.count_dropped();
            }
        }
        subscription.gather().await;
    }
}

/// Batches come faster than a thread of the host that shares its core can take them. One that has
/// stopped taking is not waited for again.
async fn has_room_soon(sink: &dyn LogSink) -> bool {
    for _ in 0..LOOKS_MAX {
        tokio::time::sleep(LOOK_EVERY).await;
        if sink.has_room() {
            return true;
        }
    }
    false
}

const LOOK_EVERY: Duration = Duration::from_millis(5);
const LOOKS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::LogHub;
    use parking_lot::Mutex;
    use prometheus_client::metrics::counter::Counter;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Has room for so many; how often it was looked at, and what it was given.
    struct Narrow {
        room: AtomicUsize,
        looks: AtomicUsize,
        given: Mutex<Vec<String>>,
    }

    impl LogSink for Narrow {
        fn record(&self, record: &Arc<Record>, _: u64) -> bool {
            self.room.fetch_sub(self.room.load(Ordering::Relaxed).min(1), Ordering::Relaxed);
            self.given.lock().push(record.message.clone());
            true
        }

        fn has_room(&self) -> bool {
            // Somebody takes one after every third look.
            if self.looks.fetch_add(1, Ordering::Relaxed) % 3 == 2 {
                self.room.fetch_add(1, Ordering::Relaxed);
            }
            self.room.load(Ordering::Relaxed) > 0
        }
    }

    /// Never taken from.
    #[derive(Default)]
    struct Full(AtomicUsize);

    impl LogSink for Full {
        fn record(&self, _: &Arc<Record>, _: u64) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed);
            false
        }

        fn has_room(&self) -> bool {
            false
        }
    }

    fn told(count: usize) -> LogSubscription {
        told_and_counted(count, Counter::default())
    }

    fn told_and_counted(count: usize, dropped: Counter) -> LogSubscription {
        let hub = LogHub::new(count, dropped);
        let filter = LogFilter { level: Level::Debug, target_prefix: String::new() };
        let subscription = hub.subscribe(filter);
        for number in 0..count {
            hub.publish(Record::new(Level::Info, "t", number.to_string()));
        }
        hub.close();
        subscription
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_gets_all_in_order() {
        let (room, looks) = (AtomicUsize::new(2), AtomicUsize::new(0));
        let sink = Arc::new(Narrow { room, looks, given: Mutex::default() });
        pump(told(20), sink.clone()).await;
        let numbers: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        assert_eq!(*sink.given.lock(), numbers);
        assert!(sink.looks.load(Ordering::Relaxed) > 40, "it was waited for");
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_waited_for_once() {
        let sink = Arc::new(Full::default());
        let began = tokio::time::Instant::now();
        let dropped = Counter::default();
        pump(told_and_counted(50, dropped.clone()), sink.clone()).await;
        assert_eq!(sink.0.load(Ordering::Relaxed), 50, "each came all the same");
        assert_eq!(dropped.get(), 50, "and none was kept");
        let waited = LOOK_EVERY * u32::try_from(LOOKS_MAX).unwrap();
        assert!(began.elapsed() < waited * 2, "{:?}", began.elapsed());
    }
}
