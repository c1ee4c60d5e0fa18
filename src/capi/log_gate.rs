//! Keeps one log subscription's records from filling a queue: beyond a limit they are dropped and
//! counted.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::core::limits::LOG_QUEUE_MAX;

/// Counts the records of one subscription that nobody has taken.
#[derive(Default)]
pub struct LogGate {
    waiting: AtomicUsize,
    dropped: AtomicU64,
}

/// What becomes of a record.
#[derive(Debug, Eq, PartialEq)]
pub enum Admission {
    Enter,
    /// Dropped, and the first since the host was last told: tell it.
    DropAndTell,
    Drop,
}

impl LogGate {
    pub fn admit(&self) -> Admission {
        let room = |waiting| (waiting < LOG_QUEUE_MAX).then_some(waiting + 1);
        let entered = self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, room);
        match entered {
            Ok(_) => Admission::Enter,
            Err(_) => self.count_dropped(1),
        }
    }

    /// Whether a record would enter.
    pub fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Acquire) < LOG_QUEUE_MAX
    }

    /// Records lost on the way here.
    pub fn count_dropped(&self, count: u64) -> Admission {
        match self.dropped.fetch_add(count, Ordering::AcqRel) {
            0 => Admission::DropAndTell,
            _ => Admission::Drop,
        }
    }

    /// A record was handed out.
    pub fn leave(&self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }

    /// How many were lost since the last time.
    pub fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_records_are_counted_and_told_once() {
        let gate = LogGate::default();
        for _ in 0..LOG_QUEUE_MAX {
            assert_eq!(gate.admit(), Admission::Enter);
        }
        assert!(!gate.has_room());
        assert_eq!(gate.admit(), Admission::DropAndTell);
        assert_eq!(gate.admit(), Admission::Drop);
        assert_eq!(gate.take_dropped(), 2);
        gate.leave();
        assert!(gate.has_room());
        assert_eq!(gate.admit(), Admission::Enter);
        assert_eq!(gate.admit(), Admission::DropAndTell);
    }
}
