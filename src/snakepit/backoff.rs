//! How long a slot rests after a failure, and when a pool counts as failing. Pure: time and chance
//! come in.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The growing rests of one slot.
pub struct Backoff {
    min: Duration,
    max: Duration,
    failures: u32,
}

/// `time`, up to a fifth longer by `chance` (0 to 1).
pub fn jittered(time: Duration, chance: f64) -> Duration {
    time.mul_f64(1.0 + JITTER * chance.clamp(0.0, 1.0))
}

impl Backoff {
    pub fn new(min: Duration, max: Duration) -> Backoff {
        Backoff { min, max: max.max(min), failures: 0 }
    }

    /// Counts a failure and returns the rest after it: doubled with each in a row, and up to a
    /// fifth longer by `chance` (0 to 1), so that slots that failed together do not start together.
    pub fn after_failure(&mut self, chance: f64) -> Duration {
        let factor = 2_u32.saturating_pow(self.failures.min(31));
        self.failures = self.failures.saturating_add(1);
        jittered(self.min.saturating_mul(factor).min(self.max), chance)
    }

    /// All is forgiven.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// The failed starts of a whole pool.
pub struct Intensity {
    failures_max: usize,
    window: Duration,
    /// The latest, at most as many as count.
    times: VecDeque<Instant>,
    in_a_row: usize,
    /// While failing: the moment of the pool's next start.
    next_start: Option<Instant>,
}

impl Intensity {
    pub fn new(failures_max: usize, window: Duration) -> Intensity {
        Intensity {
            failures_max: failures_max.max(1),
            window,
            times: VecDeque::new(),
            in_a_row: 0,
            next_start: None,
        }
    }

    /// A start has failed. If that makes the pool a failing one, the next start comes after `rest`.
    pub fn failed(&mut self, now: Instant, rest: Duration) {
        if self.times.len() == self.failures_max {
            self.times.pop_front();
        }
        self.times.push_back(now);
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.is_failing(now) && self.next_start.is_none() {
            self.next_start = now.checked_add(rest);
        }
    }

    pub fn succeeded(&mut self) {
        self.in_a_row = 0;
        self.next_start = None;
    }

    /// Permission for one start, or the moment to ask again. While the pool is failing there is one
    /// start per `rest`, whichever slot it is for.
    pub fn ask_start(&mut self, now: Instant, rest: Duration) -> Result<(), Instant> {
        match self.next_start {
            Some(at) if at > now => return Err(at),
            Some(_) => self.next_start = now.checked_add(rest),
            None => {}
        }
        Ok(())
    }

    /// Too many failed within the window, or, where a start takes long, in a row.
    pub fn is_failing(&self, now: Instant) -> bool {
        let many = self.times.len() == self.failures_max;
        let recent = self.times.front().is_some_and(|first| now - *first <= self.window);
        (many && recent) || self.in_a_row >= self.failures_max
    }
}

const JITTER: f64 = 0.2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_the_longest_and_start_over_after_a_success() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(50), ms(300));
        let rests: Vec<Duration> = (0..5).map(|_| backoff.after_failure(0.0)).collect();
        assert_eq!(rests, [50, 100, 200, 300, 300].map(ms));
        backoff.reset();
        assert_eq!(backoff.after_failure(0.0), ms(50));
        assert_eq!(backoff.after_failure(1.0), ms(120));
        for _ in 0..100 {
            assert!(backoff.after_failure(1.0) <= ms(360));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pool_is_failing_after_enough_failures_until_starts_succeed() {
        let mut intensity = Intensity::new(3, Duration::from_secs(10));
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        intensity.failed(at(0), Duration::ZERO);
        intensity.failed(at(1), Duration::ZERO);
        assert!(!intensity.is_failing(at(1)));
        intensity.failed(at(2), Duration::ZERO);
        assert!(intensity.is_failing(at(2)));
        // Nothing has succeeded since: waiting alone does not heal.
        assert!(intensity.is_failing(at(60)));
        intensity.succeeded();
        assert!(intensity.is_failing(at(9)), "one success among so many failures is no health");
        assert!(!intensity.is_failing(at(60)));
        // Slow failures count in a row.
        for seconds in [100, 120, 140] {
            assert!(!intensity.is_failing(at(seconds)));
            intensity.failed(at(seconds), Duration::ZERO);
        }
        assert!(intensity.is_failing(at(140)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_pool_starts_one_worker_per_rest_until_one_succeeds() {
        let rest = Duration::from_secs(5);
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut intensity = Intensity::new(2, Duration::from_secs(10));
        intensity.failed(at(0), rest);
        assert_eq!(intensity.ask_start(at(0), rest), Ok(()), "one failure is no pattern");
        intensity.failed(at(1), rest);
        for second in 1..6 {
            assert_eq!(intensity.ask_start(at(second), rest), Err(at(6)));
        }
        assert_eq!(intensity.ask_start(at(6), rest), Ok(()));
        assert_eq!(intensity.ask_start(at(6), rest), Err(at(11)), "for all slots together");
        intensity.failed(at(7), rest);
        assert_eq!(intensity.ask_start(at(8), rest), Err(at(11)));
        intensity.succeeded();
        assert_eq!(intensity.ask_start(at(8), rest), Ok(()));
    }
}
