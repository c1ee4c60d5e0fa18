//! Which calls have killed their workers: a call that does so again and again is refused for a
//! while, instead of killing one worker after the other. A pure table; time comes in.
//!
//! Calls are known by two numbers, one for the operation and one for its parameters. Whose crash a
//! death was is decided elsewhere. Where several calls share a worker, all of them are suspects; an
//! innocent one clears itself by its next success.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::core::limits::BARRIER_CALLS_MAX;

/// How patient a barrier is.
#[derive(Clone, Copy, Debug)]
pub struct BarrierSettings {
    /// Crashes within the window that taint a call. 0: none is ever tainted.
    pub crashes_max: usize,
    pub window: Duration,
    /// How long a tainted call is refused.
    pub taint: Duration,
}

/// An operation with its parameters, as two hashes; calls of one operation stand together.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CallKey {
    pub operation: u64,
    pub parameters: u64,
}

/// The calls under suspicion.
pub struct Barrier {
    settings: BarrierSettings,
    suspects: BTreeMap<CallKey, Suspect>,
}

struct Suspect {
    /// The latest, at most as many as taint.
    crashes: Vec<Instant>,
    tainted_until: Option<Instant>,
    /// When there is nothing left to know about it.
    forgotten_at: Instant,
}

impl Barrier {
    pub fn new(settings: BarrierSettings) -> Self {
        Barrier { settings, suspects: BTreeMap::new() }
    }

    /// Nobody is under suspicion.
    pub fn is_empty(&self) -> bool {
        self.suspects.is_empty()
    }

    /// Whether any call of that operation is under suspicion; if not, its parameters need not be
    /// looked at.
    pub fn suspects(&self, operation: u64) -> bool {
        let first = CallKey { operation, parameters: 0 };
        let last = CallKey { operation, parameters: u64::MAX };
        self.suspects.range(first..=last).next().is_some()
    }

    /// For how long `call` is still refused, if it is.
    pub fn refuses(&self, call: CallKey, now: Instant) -> Option<Duration> {
        let until = self.suspects.get(&call)?.tainted_until?;
        (until > now).then(|| until - now)
    }

    /// `call` was running in a worker that crashed.
    pub fn crashed(&mut self, call: CallKey, now: Instant) {
        let BarrierSettings { crashes_max, window, taint } = self.settings;
        if crashes_max == 0 {
            return;
        }
        self.forget_old(now);
        self.make_room(call);
        let suspect = self.suspects.entry(call).or_insert_with(|| Suspect {
            crashes: Vec::new(),
            tainted_until: None,
            forgotten_at: now,
        });
        suspect.crashes.retain(|at| now.saturating_duration_since(*at) <= window);
        suspect.crashes.push(now);
        let lasts = if suspect.crashes.len() < crashes_max {
            window
        } else {
            suspect.crashes.clear();
            suspect.tainted_until = Some(now + taint);
            taint
        };
        suspect.forgotten_at = (now + lasts).max(suspect.tainted_until.unwrap_or(now));
    }

    /// `call` ran and its worker lives.
    pub fn succeeded(&mut self, call: CallKey) {
        self.suspects.remove(&call);
    }

    /// Drops those about whom there is nothing left to know.
    pub fn forget_old(&mut self, now: Instant) {
        self.suspects.retain(|_, suspect| suspect.forgotten_at > now);
    }

    /// Calls that are refused now.
    pub fn tainted(&self, now: Instant) -> usize {
        self.suspects.keys().filter(|call| self.refuses(**call, now).is_some()).count()
    }

    /// The table is bounded: the one to be forgotten first makes room.
    fn make_room(&mut self, call: CallKey) {
        if self.suspects.len() < BARRIER_CALLS_MAX || self.suspects.contains_key(&call) {
            return;
        }
        let oldest = self.suspects.iter().min_by_key(|(_, suspect)| suspect.forgotten_at);
        if let Some(oldest) = oldest.map(|(call, _)| *call) {
            self.suspects.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: BarrierSettings = BarrierSettings {
        crashes_max: 3,
        window: Duration::from_secs(10),
        taint: Duration::from_secs(60),
    };

    fn call(parameters: u64) -> CallKey {
        CallKey { operation: 7, parameters }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn the_third_crash_within_the_window_taints_that_call_and_no_other() {
        let (start, mut barrier) = (Instant::now(), Barrier::new(SETTINGS));
        assert!(!barrier.suspects(7));
        for second in 0..3 {
            assert_eq!(barrier.refuses(call(1), start + at(second)), None);
            barrier.crashed(call(1), start + at(second));
        }
        assert!(barrier.suspects(7) && !barrier.suspects(6) && !barrier.suspects(8));
        assert_eq!(barrier.refuses(call(1), start + at(2)), Some(at(60)));
        assert_eq!(barrier.refuses(call(2), start + at(2)), None);
        assert_eq!(barrier.tainted(start + at(61)), 1);
        // The time is over, and it is a call like any other.
        assert_eq!(barrier.refuses(call(1), start + at(62)), None);
        barrier.crashed(call(1), start + at(62));
        assert_eq!(barrier.refuses(call(1), start + at(62)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn crashes_that_lie_far_apart_or_before_a_success_do_not_count() {
        let (start, mut barrier) = (Instant::now(), Barrier::new(SETTINGS));
        for second in [0, 8, 16, 24] {
            barrier.crashed(call(1), start + at(second));
            assert_eq!(barrier.refuses(call(1), start + at(second)), None, "{second}");
        }
        barrier.crashed(call(2), start + at(24));
        barrier.crashed(call(2), start + at(24));
        barrier.succeeded(call(2));
        barrier.crashed(call(2), start + at(25));
        assert_eq!(barrier.refuses(call(2), start + at(25)), None);
        barrier.forget_old(start + at(36));
        assert!(barrier.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_is_bounded_and_keeps_the_tainted() {
        let (start, mut barrier) = (Instant::now(), Barrier::new(SETTINGS));
        (0..3).for_each(|_| barrier.crashed(call(0), start));
        for parameters in 1..=2 * BARRIER_CALLS_MAX as u64 {
            barrier.crashed(call(parameters), start);
        }
        assert_eq!(barrier.suspects.len(), BARRIER_CALLS_MAX);
        assert!(barrier.refuses(call(0), start).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_switched_off_knows_nobody() {
        let mut barrier = Barrier::new(BarrierSettings { crashes_max: 0, ..SETTINGS });
        (0..9).for_each(|_| barrier.crashed(call(1), Instant::now()));
        assert!(barrier.is_empty());
    }
}
