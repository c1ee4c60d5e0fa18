//! The log hub: where records of one platform go, and the bounded queues that hand them out.
//!
//! Publishing never blocks and never waits for a reader: a full queue drops the record and counts
//! it. While nobody listens, publishing costs one atomic load. The hub never calls into whoever
//! reads, and it logs nothing itself, so it can be used from every thread and under every lock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::Notify;

use super::record::{Level, Record};
use super::redact::Redactor;

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

/// A record, and how many were dropped since the last one that this subscriber took.
#[derive(Clone, Debug)]
pub struct LogItem {
    /// Masked and cut; shared with the other subscribers.
    pub record: Arc<Record>,
    /// Thrown away since the last item.
    pub dropped: u64,
}

struct Queue {
    filter: LogFilter,
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    records: VecDeque<Arc<Record>>,
    dropped: u64,
    is_closed: bool,
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
        let mut wanted = subscribers.queues.iter().filter(|queue| queue.wants(&record)).peekable();
        if wanted.peek().is_none() {
            return;
        }
        let wanted: Vec<_> = wanted.cloned().collect();
        drop(subscribers);
        let record = Arc::new(record.finished(&self.redactor));
        for queue in wanted {
            if !queue.push(record.clone(), self.queue_max) {
                self.dropped.inc();
            }
        }
    }

    /// Starts a subscription. After `close` it has ended from the start.
    pub fn subscribe(self: &Arc<Self>, filter: LogFilter) -> LogSubscription {
        let queue = Arc::new(Queue::new(filter));
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
        let levels = subscribers.queues.iter().map(|queue| queue.filter.level.number());
        self.floor.store(levels.min().unwrap_or(NOBODY), Ordering::Relaxed);
    }
}

impl LogSubscription {
    /// The next record, when there is one; `None` once the hub is closed and everything has been
    /// taken. Only one task may wait on a subscription at a time. Cancelling the wait loses
    /// nothing.
    pub async fn next(&self) -> Option<LogItem> {
        loop {
            match self.queue.pop() {
                Popped::Item(item) => return Some(item),
                Popped::Ended => return None,
                Popped::Nothing => self.queue.arrived.notified().await,
            }
        }
    }

    /// The next record if one waits.
    pub fn try_next(&self) -> Option<LogItem> {
        match self.queue.pop() {
            Popped::Item(item) => Some(item),
            Popped::Nothing | Popped::Ended => None,
        }
    }
}

impl Drop for LogSubscription {
    fn drop(&mut self) {
        self.hub.unsubscribe(&self.queue);
    }
}

enum Popped {
    Item(LogItem),
    Nothing,
    Ended,
}

impl Queue {
    fn new(filter: LogFilter) -> Self {
        Queue { filter, waiting: Mutex::default(), arrived: Notify::new() }
    }

    fn wants(&self, record: &Record) -> bool {
        record.level >= self.filter.level && record.target.starts_with(&self.filter.target_prefix)
    }

    /// False when the record was dropped because the queue is full.
    fn push(&self, record: Arc<Record>, queue_max: usize) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.is_closed {
            return true;
        }
        if waiting.records.len() >= queue_max {
            waiting.dropped += 1;
            return false;
        }
        waiting.records.push_back(record);
        drop(waiting);
        self.arrived.notify_one();
        true
    }

    fn pop(&self) -> Popped {
        let mut waiting = self.waiting.lock();
        match waiting.records.pop_front() {
            Some(record) => {
                let dropped = std::mem::take(&mut waiting.dropped);
                Popped::Item(LogItem { record, dropped })
            }
            None if waiting.is_closed => Popped::Ended,
            None => Popped::Nothing,
        }
    }

    fn close(&self) {
        self.waiting.lock().is_closed = true;
        self.arrived.notify_one();
    }
}

/// Above every level.
const NOBODY: u8 = u8::MAX;

#[cfg(test)]
mod tests;
