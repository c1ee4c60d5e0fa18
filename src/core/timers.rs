//! One list of everything that ends at a moment: operations, tool calls, handlers that ignore a
//! cancel.
//!
//! A timer costs one insertion into an ordered map, and taking it back costs one removal; no task
//! and no heap entry outlives the work it limits. `run` is the only waiter; whoever owns a runtime
//! drives it.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What happens when the moment has come.
pub trait Expire: Send + Sync {
    /// Called once, on the thread that drives the timers, with no lock held. Must not block.
    fn expire(self: Arc<Self>);
}

/// Timers that have not come due.
#[derive(Default)]
pub struct Timers {
    pending: Mutex<Pending>,
    earlier: Notify,
}

#[derive(Default)]
struct Pending {
    entries: BTreeMap<TimerKey, Weak<dyn Expire>>,
    next_number: u64,
    /// When `run` looks again by itself; none while there is nothing to look for.
    looks_at: Option<Instant>,
}

/// Names a timer, to take it back.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct TimerKey {
    at: Instant,
    number: u64,
}

impl Timers {
    /// Calls `target` at `at`, unless it is removed or dropped before.
    pub fn add(&self, at: Instant, target: Weak<dyn Expire>) -> TimerKey {
        let mut pending = self.pending.lock();
        pending.next_number += 1;
        let key = TimerKey { at, number: pending.next_number };
        pending.entries.insert(key, target);
        // One call after the other, each with the one timer, shall not wake its thread each time.
        let is_seen_in_time = pending.looks_at.is_some_and(|looks_at| looks_at <= at);
        drop(pending);
        if !is_seen_in_time {
            self.earlier.notify_one();
        }
        key
    }

    /// Takes a timer back; one that has fired is ignored.
    pub fn remove(&self, key: TimerKey) {
        self.pending.lock().entries.remove(&key);
    }

    /// How many are waiting.
    pub fn len(&self) -> usize {
        self.pending.lock().entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fires timers as they come due, for ever.
    pub async fn run(&self) {
        loop {
            let next = self.next_look();
            let due = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => self.fire(Instant::now()),
                () = self.earlier.notified() => {}
            }
        }
    }

    fn next_look(&self) -> Option<Instant> {
        let mut pending = self.pending.lock();
        pending.looks_at = pending.entries.first_key_value().map(|(key, _)| key.at);
        pending.looks_at
    }

    fn fire(&self, now: Instant) {
        while let Some(target) = self.pop_due(now) {
            if let Some(target) = target.upgrade() {
                target.expire();
            }
        }
    }

    fn pop_due(&self, now: Instant) -> Option<Weak<dyn Expire>> {
        let mut pending = self.pending.lock();
        let entry = pending.entries.first_entry()?;
        if entry.key().at > now {
            return None;
        }
        Some(entry.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::time::Duration;

    struct Note(Mutex<Vec<u32>>, u32, Arc<Notify>);

    impl Expire for Note {
        fn expire(self: Arc<Self>) {
            self.0.lock().push(self.1);
            self.2.notify_one();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn timers_fire_once_in_order_and_a_removed_one_never() {
        let timers = Timers::default();
        let fired = Arc::new(Notify::new());
        let notes: Vec<_> =
            (0..3).map(|n| Arc::new(Note(Mutex::default(), n, fired.clone()))).collect();
        let start = Instant::now();
        let weak = |n: usize| {
            let arc: Arc<dyn Expire> = notes[n].clone();
            Arc::downgrade(&arc)
        };
        timers.add(start + Duration::from_secs(2), weak(0));
        let taken_back = timers.add(start + Duration::from_secs(1), weak(1));
        timers.add(start + Duration::from_secs(3), weak(2));
        timers.remove(taken_back);
        tokio::select! {
            () = timers.run() => {}
            () = async { fired.notified().await; fired.notified().await } => {}
        }
        assert_eq!(notes.iter().map(|n| n.0.lock().len()).collect::<Vec<_>>(), [1, 0, 1]);
        assert!(timers.is_empty());
        assert_eq!(Instant::now() - start, Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_timer_that_would_be_missed_wakes_who_waits() {
        let timers = Timers::default();
        let note: Arc<dyn Expire> = Arc::new(Note(Mutex::default(), 0, Arc::default()));
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let add = |seconds| timers.add(at(seconds), Arc::downgrade(&note));
        let mut run = std::pin::pin!(timers.run());
        // Who was woken has looked again.
        let mut looks_at = || {
            assert!(run.as_mut().now_or_never().is_none());
            timers.pending.lock().looks_at
        };
        assert_eq!(looks_at(), None);
        let first = add(10);
        assert_eq!(looks_at(), Some(at(10)));
        timers.remove(first);
        add(20);
        assert_eq!(looks_at(), Some(at(10)), "it looks early enough as it is");
        add(5);
        assert_eq!(looks_at(), Some(at(5)));
    }
}
