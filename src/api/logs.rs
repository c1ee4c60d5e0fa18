//! Log records for a host: pulled from the hub by a task and handed to the host's sink in batches,
//! never from inside the code that logs.
//!
//! It must not know what a sink does with a record.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::core::Result;
use crate::telemetry::{Level, LogBatch, LogFilter, LogSubscription};

use super::platform::Platform;

/// Where a host wants its records. Called on a library thread: enqueue and return.
pub trait LogSink: Send + Sync {
    /// Takes records from the front, as many as there is room for, and learns from `dropped` how
    /// many were lost before them, because some queue was full. What it leaves is offered again,
    /// for a while.
    fn take(&self, batch: &mut LogBatch);
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

    /// How many records may wait for one subscriber: the configuration's `logs.queue_max`.
    pub fn log_records_max(&self) -> usize {
        self.config.logs.queue_max
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
    let mut takes = true;
    let mut used = LogBatch::default();
    while let Some(mut batch) = subscription.next_batch(used).await {
        while !batch.records.is_empty() {
            let waits = takes;
            takes = takes_some(&*sink, &mut batch);
            if !takes && waits {
                takes = takes_soon(&*sink, &mut batch).await;
            }
            if !takes {
                subscription.count_dropped(batch.lose());
                sink.take(&mut batch);
            }
        }
        used = batch;
        subscription.gather().await;
    }
}

/// Batches come faster than a thread of the host that shares its core can take them. One that has
/// stopped taking is not waited for again.
async fn takes_soon(sink: &dyn LogSink, batch: &mut LogBatch) -> bool {
    for _ in 0..LOOKS_MAX {
        tokio::time::sleep(LOOK_EVERY).await;
        if takes_some(sink, batch) {
            return true;
        }
    }
    false
}

fn takes_some(sink: &dyn LogSink, batch: &mut LogBatch) -> bool {
    let count = batch.records.len();
    sink.take(batch);
    batch.records.len() < count
}

const LOOK_EVERY: Duration = Duration::from_millis(5);
const LOOKS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{LogHub, Record};
    use parking_lot::Mutex;
    use prometheus_client::metrics::counter::Counter;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    /// Takes one record at every third offer; how often it was offered some, and what it took.
    #[derive(Default)]
    struct Narrow {
        offers: AtomicUsize,
        taken: Mutex<Vec<String>>,
    }

    impl LogSink for Narrow {
        fn take(&self, batch: &mut LogBatch) {
            if self.offers.fetch_add(1, Ordering::Relaxed) % 3 == 2 {
                let record = batch.records.pop_front();
                self.taken.lock().extend(record.map(|record| record.message().to_owned()));
            }
        }
    }

    /// Never takes one; what it heard was dropped.
    #[derive(Default)]
    struct Full(AtomicU64);

    impl LogSink for Full {
        fn take(&self, batch: &mut LogBatch) {
            self.0.fetch_add(std::mem::take(&mut batch.dropped), Ordering::Relaxed);
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
        let sink = Arc::new(Narrow::default());
        pump(told(20), sink.clone()).await;
        let numbers: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        assert_eq!(*sink.taken.lock(), numbers);
        assert!(sink.offers.load(Ordering::Relaxed) > 40, "it was waited for");
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_waited_for_once() {
        let sink = Arc::new(Full::default());
        let began = tokio::time::Instant::now();
        let dropped = Counter::default();
        pump(told_and_counted(50, dropped.clone()), sink.clone()).await;
        assert_eq!(sink.0.load(Ordering::Relaxed), 50, "it hears of each");
        assert_eq!(dropped.get(), 50, "and so do the metrics");
        let waited = LOOK_EVERY * u32::try_from(LOOKS_MAX).unwrap();
        assert!(began.elapsed() < waited * 2, "{:?}", began.elapsed());
    }
}
