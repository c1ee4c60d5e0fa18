//! The log hub: where records of one platform go, and the bounded queues that hand them out.
//!
//! Publishing never blocks and never waits for a reader: a full queue drops the record and counts
//! it. While nobody listens, publishing costs one atomic load. Whoever reads is woken for the first
//! record and then for batches: a wake-up for each would cost more than all the rest. The hub never
//! calls into whoever reads, and it logs nothing itself, so it can be used from every thread and
//! under every lock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use prometheus_client::metrics::counter::Counter;
use smallvec::SmallVec;
use tokio::sync::Notify;

use super::record::{Level, Record};
use super::redact::Redactor;
use super::span::{FinishedSpan, SPAN_LEVEL, SPAN_TARGET, SpanPlace};
use super::told::Told;
use queue::{Queue, Taken};

mod queue;

/// What a subscriber wants to see.
#[derive(Clone, Debug)]
pub struct LogFilter {
    /// Records of this level and graver ones.
    pub level: Level,
    /// Records whose target starts with this; empty for all.
    pub target_prefix: String,
}

/// Where the records of one platform go.
pub struct LogHub {
    /// The least grave level that somebody listens to; `NOBODY` without subscribers. A hint read
    /// without the lock: a record that races with a subscription may be missed by it.
    floor: AtomicU8,
    subscribers: RwLock<Subscribers>,
    /// Subscriptions that have not been dropped.
    listeners: AtomicUsize,
    left: Notify,
    queue_max: usize,
    redactor: Redactor,
    dropped: Counter,
}

#[derive(Default)]
struct Subscribers {
    queues: Vec<Arc<Queue>>,
    is_closed: bool,
}

/// One subscriber's records. Dropping it ends the subscription.
pub struct LogSubscription {
    queue: Arc<Queue>,
    hub: Arc<LogHub>,
}

/// Records in their order, and how many were dropped since the last ones that this subscriber took.
#[derive(Debug, Default)]
pub struct LogBatch {
    /// Masked and cut.
    pub records: VecDeque<Told>,
    /// Thrown away since the last batch.
    pub dropped: u64,
}

impl LogBatch {
    /// Throws the records away, and says so to whoever gets the batch. How many they were.
    pub fn lose(&mut self) -> usize {
        let count = self.records.len();
        self.records.clear();
        self.dropped += count as u64;
        count
    }
}

impl LogHub {
    /// A hub whose subscribers each keep up to `queue_max` records; `dropped` counts what does not
    /// fit.
    pub fn new(queue_max: usize, dropped: Counter) -> Arc<Self> {
        Arc::new(LogHub {
            floor: AtomicU8::new(NOBODY),
            subscribers: RwLock::default(),
            listeners: AtomicUsize::new(0),
            left: Notify::new(),
            queue_max,
            redactor: Redactor::default(),
            dropped,
        })
    }

    /// The texts that no record may show.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Whether a record of `level` would reach anybody: ask before building one.
    pub fn listens(&self, level: Level) -> bool {
        level.number() >= self.floor.load(Ordering::Relaxed)
    }

    /// Hands `record` to those who want it. Never blocks.
    pub fn publish(&self, record: Record) {
        if !self.listens(record.level) {
            return;
        }
        let subscribers = self.subscribers.read();
        let wants = |queue: &&Arc<Queue>| queue.wants(record.level, &record.target);
        let mut wanted = subscribers.queues.iter().filter(wants).peekable();
        if wanted.peek().is_none() {
            return;
        }
        let wanted: SmallVec<[Arc<Queue>; 2]> = wanted.cloned().collect();
        drop(subscribers);
        let record = Told::from(record.finished(&self.redactor));
        for queue in wanted {
            self.count(queue.push(record.clone()));
        }
    }

    /// Hands `span` to those who want it. Never blocks.
    pub(super) fn publish_span(&self, span: &FinishedSpan, place: &SpanPlace<'_>) {
        let subscribers = self.subscribers.read();
        let wants = |queue: &&Arc<Queue>| queue.wants(SPAN_LEVEL, SPAN_TARGET);
        for queue in subscribers.queues.iter().filter(wants) {
            self.count(queue.push_span(span, place, &self.redactor));
        }
    }

    fn count(&self, is_kept: bool) {
        if !is_kept {
            self.dropped.inc();
        }
    }

    /// Starts a subscription. After `close` it has ended from the start.
    pub fn subscribe(self: &Arc<Self>, filter: LogFilter) -> LogSubscription {
        let queue = Arc::new(Queue::new(filter, self.queue_max));
        let mut subscribers = self.subscribers.write();
        if subscribers.is_closed {
            queue.close();
        } else {
            subscribers.queues.push(queue.clone());
            self.set_floor(&subscribers);
        }
        drop(subscribers);
        self.listeners.fetch_add(1, Ordering::AcqRel);
        LogSubscription { queue, hub: self.clone() }
    }

    /// Ends all subscriptions once they have handed out what they hold.
    pub fn close(&self) {
        let mut subscribers = self.subscribers.write();
        subscribers.is_closed = true;
        let queues = std::mem::take(&mut subscribers.queues);
        self.set_floor(&subscribers);
        drop(subscribers);
        queues.iter().for_each(|queue| queue.close());
    }

    /// Waits until nobody subscribes any more: after `close`, until everybody has taken what was
    /// left.
    pub async fn drained(&self) {
        loop {
            let left = self.left.notified();
            if self.listeners.load(Ordering::Acquire) == 0 {
                return;
            }
            left.await;
        }
    }

    fn unsubscribe(&self, queue: &Arc<Queue>) {
        let mut subscribers = self.subscribers.write();
        subscribers.queues.retain(|other| !Arc::ptr_eq(other, queue));
        self.set_floor(&subscribers);
        drop(subscribers);
        self.listeners.fetch_sub(1, Ordering::AcqRel);
        self.left.notify_waiters();
    }

    fn set_floor(&self, subscribers: &Subscribers) {
        let levels = subscribers.queues.iter().map(|queue| queue.level().number());
        self.floor.store(levels.min().unwrap_or(NOBODY), Ordering::Relaxed);
    }
}

impl LogSubscription {
    /// All that waits, as soon as there is something; `None` once the hub is closed and everything
    /// has been taken. `used` is the batch before it, or an empty one: its memory is used again,
    /// records that are left in it are thrown away. Only one task may wait on a subscription at a
    /// time. Cancelling the wait loses nothing.
    pub async fn next_batch(&self, used: LogBatch) -> Option<LogBatch> {
        let mut memory = used.records;
        loop {
            match self.queue.take_all(&mut memory) {
                Taken::Batch(batch) => return Some(batch),
                Taken::Ended => return None,
                Taken::Nothing => self.queue.arrived().await,
            }
        }
    }

    /// Lets records come together after a batch: for a few milliseconds, but no longer than until
    /// the queue is half full or the hub is closed.
    pub async fn gather(&self) {
        let _ = tokio::time::timeout(GATHER, self.queue.crowded()).await;
    }

    /// So many records that were taken could not be kept.
    pub fn count_dropped(&self, count: usize) {
        self.hub.dropped.inc_by(count as u64);
    }

    /// All that waits, if something does.
    pub fn try_next(&self) -> Option<LogBatch> {
        match self.queue.take_all(&mut VecDeque::new()) {
            Taken::Batch(batch) => Some(batch),
            Taken::Nothing | Taken::Ended => None,
        }
    }
}

impl Drop for LogSubscription {
    fn drop(&mut self) {
        self.hub.unsubscribe(&self.queue);
    }
}

/// Above every level.
const NOBODY: u8 = u8::MAX;
/// A person does not see it. Each time whoever reads is woken, it takes a core from others that are
/// busy, and what those do together stops for a moment: fifty times a second is nothing.
const GATHER: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests;
