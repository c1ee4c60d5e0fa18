//! Whether a lost call may be tried again, and how long it rests before: a number of attempts, a
//! growing rest with chance in it, and a budget for the pool, so that retries never become the
//! load. Pure: time and chance come in.
//!
//! Why not a crate's: `tower`'s budget takes percentages as whole divisors only (60 % is 100 %) and
//! takes a lock for every call that passes; here a call costs one atomic addition, and the lock is
//! taken by retries.

use std::time::Duration;

use tokio::time::Instant;

use crate::core::limits::RETRY_BUDGET_WINDOW;

/// How a pool retries.
#[derive(Clone, Copy, Debug)]
pub struct RetrySettings {
    /// The first attempt included. 1: no retries.
    pub attempts_max: u32,
    /// The first and the longest rest; it doubles in between.
    pub backoff_min: Duration,
    pub backoff_max: Duration,
    /// Retries in a hundred recent calls.
    pub budget_percent: u32,
    /// Retries that are allowed however few calls there are.
    pub budget_min_per_second: u32,
}

impl RetrySettings {
    /// The rest after the attempt of that number, which counts from 1: by `chance` (0 to 1) between
    /// half of the step and the whole, so that calls lost together do not come back together.
    pub fn rest_after(&self, attempt: u32, chance: f64) -> Duration {
        let factor = 2_u32.saturating_pow(attempt.saturating_sub(1).min(31));
        let step = self.backoff_min.saturating_mul(factor).min(self.backoff_max);
        step.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
    }
}

/// Retries that may still be made: a bucket that recent calls and time fill, and that forgets what
/// is older than `RETRY_BUDGET_WINDOW`.
pub struct RetryBudget {
    per_call: f64,
    per_second: f64,
    tokens: f64,
    looked_at: Instant,
    calls_seen: u64,
}

impl RetryBudget {
    /// One that starts with a window's worth of the least rate.
    pub fn new(settings: &RetrySettings, now: Instant) -> Self {
        let per_second = f64::from(settings.budget_min_per_second);
        RetryBudget {
            per_call: f64::from(settings.budget_percent) / 100.0,
            per_second,
            tokens: per_second * RETRY_BUDGET_WINDOW.as_secs_f64(),
            looked_at: now,
            calls_seen: 0,
        }
    }

    /// Takes one retry out, if there is one. `calls` is how many calls the pool was ever given.
    pub fn withdraw(&mut self, now: Instant, calls: u64) -> bool {
        self.fill(now, calls);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }

    /// Calls are taken as spread evenly over the time since the last look.
    fn fill(&mut self, now: Instant, calls: u64) {
        let window = RETRY_BUDGET_WINDOW.as_secs_f64();
        let elapsed = now.saturating_duration_since(self.looked_at).as_secs_f64();
        let recent = if elapsed > window { window / elapsed } else { 1.0 };
        let fresh_calls = calls.saturating_sub(self.calls_seen) as f64 * recent;
        let kept = self.tokens * (1.0 - elapsed / window).max(0.0);
        let fresh = fresh_calls * self.per_call + elapsed.min(window) * self.per_second;
        self.tokens = kept + fresh;
        self.looked_at = now;
        self.calls_seen = calls;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: RetrySettings = RetrySettings {
        attempts_max: 3,
        backoff_min: Duration::from_millis(20),
        backoff_max: Duration::from_millis(100),
        budget_percent: 20,
        budget_min_per_second: 3,
    };

    fn allowed(budget: &mut RetryBudget, now: Instant, calls: u64) -> usize {
        (0..10_000).take_while(|_| budget.withdraw(now, calls)).count()
    }

    #[test]
    fn rests_double_up_to_the_longest_and_chance_takes_up_to_half() {
        let ms = Duration::from_millis;
        let rests: Vec<_> = (1..=5).map(|attempt| SETTINGS.rest_after(attempt, 1.0)).collect();
        assert_eq!(rests, [20, 40, 80, 100, 100].map(ms));
        assert_eq!(SETTINGS.rest_after(1, 0.0), ms(10));
        assert_eq!(SETTINGS.rest_after(u32::MAX, 0.0), ms(50));
    }

    #[tokio::test(start_paused = true)]
    async fn the_least_rate_is_allowed_without_any_calls() {
        let start = Instant::now();
        let mut budget = RetryBudget::new(&SETTINGS, start);
        assert_eq!(allowed(&mut budget, start, 0), 30);
        assert_eq!(allowed(&mut budget, start + Duration::from_secs(2), 0), 6);
        // Time that nobody used is not saved up beyond the window.
        assert_eq!(allowed(&mut budget, start + Duration::from_secs(3600), 0), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_of_the_recent_calls_is_allowed_and_old_ones_are_forgotten() {
        let settings = RetrySettings { budget_min_per_second: 0, ..SETTINGS };
        let start = Instant::now();
        let mut budget = RetryBudget::new(&settings, start);
        assert_eq!(allowed(&mut budget, start, 0), 0);
        assert_eq!(allowed(&mut budget, start + Duration::from_secs(1), 100), 20);
        assert_eq!(allowed(&mut budget, start + Duration::from_secs(1), 100), 0);
        // A hundred calls in a hundred seconds: ten of them are recent.
        assert_eq!(allowed(&mut budget, start + Duration::from_secs(101), 200), 2);
        // What was earned and not used is forgotten with its window.
        let mut budget = RetryBudget::new(&settings, start);
        assert!(budget.withdraw(start + Duration::from_secs(1), 1000));
        assert_eq!(allowed(&mut budget, start + Duration::from_secs(12), 1000), 0);
    }
}
