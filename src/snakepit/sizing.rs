//! How many workers a pool wants: one more when callers wait too long, one fewer when a worker has
//! nothing to do for too long.
//!
//! Pure: facts come in, a number goes out. Which slot is filled or given up is decided elsewhere.

use std::time::Duration;

/// The bounds of a pool's size; equal bounds mean a fixed one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Size {
    pub min: usize,
    pub max: usize,
}

/// How fast a pool follows its load.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// One more worker when a caller has waited for so long, and again each time it has passed.
    pub grow_after: Duration,
    /// One fewer when a worker has been idle for so long.
    pub shrink_after: Duration,
}

/// How a pool is at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub wanted: usize,
    /// The longest that anyone has waited whom any worker could serve.
    pub waited: Option<Duration>,
    /// Since the pool last wanted one more.
    pub since_growth: Option<Duration>,
    /// How long the worker with the longest rest has had nothing to do.
    pub idle: Option<Duration>,
    /// Starts keep failing: one more would not help.
    pub failing: bool,
}

/// The number of workers to want from now on.
pub fn wanted(size: Size, pace: Pace, facts: Facts) -> usize {
    let now = facts.wanted.clamp(size.min, size.max);
    let is_late = facts.waited.is_some_and(|waited| waited >= pace.grow_after);
    let has_paused = facts.since_growth.is_none_or(|since| since >= pace.grow_after);
    if is_late && has_paused && !facts.failing {
        return (now + 1).min(size.max);
    }
    let is_idle = facts.idle.is_some_and(|idle| idle >= pace.shrink_after);
    if is_idle && facts.waited.is_none() {
        return now.saturating_sub(1).max(size.min);
    }
    now
}

/// When to look again, counted from these facts; `None`: not before something happens.
pub fn look_again(size: Size, pace: Pace, facts: Facts) -> Option<Duration> {
    let grow = facts.waited.filter(|_| facts.wanted < size.max).map(|waited| {
        let paused = facts.since_growth.unwrap_or(pace.grow_after);
        // While starts fail there is nothing to be early for.
        let passed = if facts.failing { Duration::ZERO } else { waited.min(paused) };
        pace.grow_after.saturating_sub(passed)
    });
    let idle = facts.idle.unwrap_or_default();
    let shrink = (facts.wanted > size.min).then(|| pace.shrink_after.saturating_sub(idle));
    grow.into_iter().chain(shrink).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const PACE: Pace = Pace { grow_after: SECOND, shrink_after: Duration::from_secs(10) };
    const QUIET: Facts =
        Facts { wanted: 2, waited: None, since_growth: None, idle: None, failing: false };

    #[test]
    fn the_size_follows_waiting_and_idling_within_its_bounds() {
        let (fixed, room) = (Size { min: 2, max: 2 }, Size { min: 1, max: 3 });
        let late = Facts { waited: Some(SECOND), ..QUIET };
        let idle = Facts { idle: Some(SECOND * 10), ..QUIET };
        let table = [
            ("nothing happens", room, QUIET, 2),
            ("a caller has waited", room, late, 3),
            ("not long enough", room, Facts { waited: Some(SECOND / 2), ..QUIET }, 2),
            ("just grown", room, Facts { since_growth: Some(SECOND / 2), ..late }, 2),
            ("grown a while ago", room, Facts { since_growth: Some(SECOND), ..late }, 3),
            ("starts fail", room, Facts { failing: true, ..late }, 2),
            ("as many as may be", room, Facts { wanted: 3, ..late }, 3),
            ("a worker idles", room, idle, 1),
            ("not long enough", room, Facts { idle: Some(SECOND * 9), ..QUIET }, 2),
            ("someone waits beside it", room, Facts { waited: Some(SECOND / 2), ..idle }, 2),
            ("as few as may be", room, Facts { wanted: 1, ..idle }, 1),
            ("fixed, waiting", fixed, late, 2),
            ("fixed, idle", fixed, idle, 2),
            ("a new upper bound", Size { min: 1, max: 1 }, QUIET, 1),
            ("a new lower bound", Size { min: 5, max: 9 }, QUIET, 5),
        ];
        for (what, size, facts, expected) in table {
            assert_eq!(wanted(size, PACE, facts), expected, "{what}");
        }
    }

    #[test]
    fn it_looks_again_when_the_next_step_may_be_due() {
        let room = Size { min: 1, max: 3 };
        let late = |ms: u64| Some(Duration::from_millis(ms));
        let table = [
            ("above the least", QUIET, late(10_000)),
            ("idle for a while", Facts { idle: late(9_000), ..QUIET }, late(1_000)),
            ("the least, nobody waits", Facts { wanted: 1, ..QUIET }, None),
            ("one waits", Facts { wanted: 1, waited: late(300), ..QUIET }, late(700)),
            (
                "one waits, just grown",
                Facts { waited: late(900), since_growth: late(100), ..QUIET },
                late(900),
            ),
            ("full", Facts { wanted: 3, waited: late(300), ..QUIET }, late(10_000)),
        ];
        for (what, facts, expected) in table {
            assert_eq!(look_again(room, PACE, facts), expected, "{what}");
        }
    }
}
