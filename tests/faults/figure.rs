//! What a scenario measured: how often it was tried, the worst that was seen, and what was
//! promised.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One line of the table.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Figure {
    pub trials: usize,
    /// In words, with its unit: "14 ms", "0 lost of 10,000".
    pub worst: String,
    pub limit: String,
    pub held: bool,
}

impl Figure {
    /// The longest time of several trials against the longest allowed.
    pub fn time(trials: usize, worst: Duration, limit: Duration) -> Figure {
        Figure { trials, worst: millis(worst), limit: millis(limit), held: worst <= limit }
    }

    /// The highest count of several trials against the highest allowed. `what` names the things
    /// that were counted, with their adjective: "processes left".
    pub fn count(trials: usize, worst: u64, limit: u64, what: &str) -> Figure {
        let text = |count: u64| format!("{count} {what}");
        Figure { trials, worst: text(worst), limit: text(limit), held: worst <= limit }
    }

    /// A measure without a unit, such as a ratio. `held` compares as the promise does.
    pub fn other(trials: usize, worst: String, limit: String, held: bool) -> Figure {
        Figure { trials, worst, limit, held }
    }
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
