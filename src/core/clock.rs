//! Time, monotonic only: no wall clock decides anything in this library.

use std::time::Duration;

use tokio::time::Instant;

/// The moment at which something is given up, or never. Copied along with the work it limits, so
/// that queueing, running and nested calls all spend from the same budget.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// No limit.
    pub const NEVER: Deadline = Deadline(None);

    /// `timeout` from now; one too long to represent is `NEVER`.
    pub fn after(timeout: Duration) -> Self {
        Deadline(Instant::now().checked_add(timeout))
    }

    pub fn at(instant: Instant) -> Self {
        Deadline(Some(instant))
    }

    pub fn instant(self) -> Option<Instant> {
        self.0
    }

    /// The nearer of two.
    #[must_use]
    pub fn min(self, other: Deadline) -> Deadline {
        match (self.0, other.0) {
            (Some(a), Some(b)) => Deadline(Some(a.min(b))),
            (Some(a), None) | (None, Some(a)) => Deadline(Some(a)),
            (None, None) => Deadline::NEVER,
        }
    }

    /// Time left: `None` without a limit, zero when it has passed.
    pub fn remaining(self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(Instant::now()))
    }

    pub fn has_passed(self) -> bool {
        self.remaining() == Some(Duration::ZERO)
    }

    /// What the wire carries: milliseconds left, rounded up, at least 1; 0 stands for no limit.
    pub fn remaining_ms(self) -> u64 {
        match self.remaining() {
            None => 0,
            Some(left) => u64::try_from(left.as_micros().div_ceil(1000)).unwrap_or(u64::MAX).max(1),
        }
    }

    /// Waits until it has passed; for ever without a limit.
    pub async fn passed(self) {
        match self.0 {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}
