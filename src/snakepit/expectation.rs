//! How long a caller at the end of the line can expect to wait, by what recent work took.
//!
//! Pure. It is an estimate for refusing hopeless callers early, so it errs on the short side: the
//! median of the last leases, which a few long ones do not move, and nothing for those that are
//! being served already. It knows nothing until it has seen enough.

use std::time::Duration;

/// The durations of the latest leases.
pub struct Expectation {
    recent: [Duration; RECENT],
    /// Ever observed.
    observed: usize,
}

impl Expectation {
    pub fn new() -> Expectation {
        Expectation { recent: [Duration::ZERO; RECENT], observed: 0 }
    }

    /// A lease was out for so long. Cheap: it comes for every lease, the question only for those
    /// that have to wait.
    pub fn observe(&mut self, duration: Duration) {
        if let Some(oldest) = self.recent.get_mut(self.observed % RECENT) {
            *oldest = duration;
        }
        self.observed = self.observed.saturating_add(1);
    }

    /// The time until one with `ahead` others before it is served by `places`. `None`: unknown.
    pub fn wait(&self, ahead: usize, places: usize) -> Option<Duration> {
        let turns = f64_of(ahead) / f64_of(places.max(1));
        (places > 0).then_some(self.median()?.mul_f64(turns))
    }

    fn median(&self) -> Option<Duration> {
        if self.observed < SAMPLES_MIN {
            return None;
        }
        let mut recent = self.recent;
        let seen = recent.get_mut(..self.observed.min(RECENT))?;
        let middle = seen.len() / 2;
        Some(*seen.select_nth_unstable(middle).1)
    }
}

/// True if one who expects to wait for `expected` has no chance with `remaining` time: only when it
/// is off by more than a factor of two, because a wrong refusal is worse than a late one.
pub fn is_hopeless(expected: Duration, remaining: Duration) -> bool {
    expected > remaining.saturating_mul(2)
}

fn f64_of(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

const RECENT: usize = 64;
const SAMPLES_MIN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_the_median_lease_times_the_turns_before_one() {
        let ms = Duration::from_millis;
        let mut expectation = Expectation::new();
        for _ in 0..19 {
            expectation.observe(ms(100));
        }
        assert_eq!(expectation.wait(10, 1), None, "too few are known");
        expectation.observe(ms(100));
        assert_eq!(expectation.wait(10, 1), Some(ms(1000)));
        assert_eq!(expectation.wait(10, 4), Some(ms(250)));
        assert_eq!(expectation.wait(0, 4), Some(ms(0)));
        assert_eq!(expectation.wait(10, 0), None, "no worker is ready");
        // A few long ones do not move it; a lasting change does.
        (0..8).for_each(|_| expectation.observe(ms(60_000)));
        assert_eq!(expectation.wait(10, 1), Some(ms(1000)));
        (0..64).for_each(|_| expectation.observe(ms(1)));
        assert_eq!(expectation.wait(10, 1), Some(ms(10)));
    }

    #[test]
    fn only_a_wide_miss_is_hopeless() {
        let ms = Duration::from_millis;
        assert!(!is_hopeless(ms(100), ms(50)));
        assert!(is_hopeless(ms(101), ms(50)));
        assert!(!is_hopeless(ms(0), ms(0)));
    }
}
