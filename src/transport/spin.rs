//! Whether a thread that waits looks for a while before it sleeps: it burns its core meanwhile, and
//! is spared being woken.
//!
//! It does so as long as what it waits for mostly comes in that time; otherwise it tries again now
//! and then. Knows nothing of what is waited for; the worker's link mounts this file, too.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The habit of those who wait in one place.
#[derive(Debug, Default)]
pub struct Spin {
    limit: Duration,
    /// Waits since one was worth it.
    in_vain: AtomicU32,
}

impl Spin {
    /// Looks for `limit` at most; never, if that is zero.
    pub fn new(limit: Duration) -> Self {
        Spin { limit, in_vain: AtomicU32::new(0) }
    }

    /// Whether to look now, and for how long.
    pub fn begin(&self) -> Option<Duration> {
        if self.limit.is_zero() {
            return None;
        }
        let in_vain = self.in_vain.load(Ordering::Relaxed);
        let is_worth_it = in_vain < IN_VAIN_MAX || in_vain.is_multiple_of(TRY_EACH);
        if !is_worth_it {
            self.in_vain.fetch_add(1, Ordering::Relaxed);
        }
        is_worth_it.then_some(self.limit)
    }

    /// What came of it.
    pub fn end(&self, came: bool) {
        match came {
            true => self.in_vain.store(0, Ordering::Relaxed),
            false => {
                self.in_vain.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Waits in vain after which it is not worth it.
const IN_VAIN_MAX: u32 = 4;
/// From then on one of so many waits is a try.
const TRY_EACH: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_micros(50);

    #[test]
    fn zero_is_never() {
        let spin = Spin::default();
        assert!((0..200).all(|_| spin.begin().is_none()));
    }

    #[test]
    fn it_stops_when_it_is_in_vain_and_tries_again_now_and_then() {
        let spin = Spin::new(LIMIT);
        for _ in 0..10 {
            assert_eq!(spin.begin(), Some(LIMIT));
            spin.end(true);
        }
        let mut tries = 0;
        for _ in 0..IN_VAIN_MAX + 3 * TRY_EACH {
            if spin.begin().is_some() {
                tries += 1;
                spin.end(false);
            }
        }
        assert_eq!(tries, IN_VAIN_MAX + 3);
        while spin.begin().is_none() {}
        spin.end(true);
        assert_eq!(spin.begin(), Some(LIMIT), "once is enough");
    }
}
