//! The named steps of a worker's start, with their times: what a start error shows to say how far
//! it came.

use std::time::Duration;

use tokio::time::Instant;

/// One worker's way from its description to readiness.
#[derive(Clone, Debug, PartialEq)]
pub struct Journey {
    began: Instant,
    reached: Vec<(Step, Duration)>,
}

/// The steps, in their order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// The adapter said what to start.
    Described,
    GuardSpawned,
    /// The worker's program runs.
    ProcessStarted,
    /// It may take work.
    Ready,
    /// The process and its tree are gone.
    Ended,
}

impl Journey {
    pub(super) fn begin() -> Journey {
        Journey { began: Instant::now(), reached: Vec::new() }
    }

    pub(super) fn reach(&mut self, step: Step) {
        self.reached.push((step, self.began.elapsed()));
    }

    /// The steps reached, each with the time since the beginning.
    pub fn steps(&self) -> &[(Step, Duration)] {
        &self.reached
    }

    /// The time at which `step` was reached.
    pub fn at(&self, step: Step) -> Option<Duration> {
        self.reached.iter().find(|(reached, _)| *reached == step).map(|(_, at)| *at)
    }
}

impl std::fmt::Display for Journey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for step in [Step::Described, Step::GuardSpawned, Step::ProcessStarted, Step::Ready] {
            match self.at(step) {
                Some(at) => write!(f, "{} after {} ms, ", step.name(), at.as_millis())?,
                None => write!(f, "{} never, ", step.name())?,
            }
        }
        match self.at(Step::Ended) {
            Some(at) => write!(f, "ended after {} ms", at.as_millis()),
            None => f.write_str("not ended"),
        }
    }
}

impl Step {
    pub fn name(self) -> &'static str {
        match self {
            Step::Described => "described",
            Step::GuardSpawned => "guard spawned",
            Step::ProcessStarted => "process started",
            Step::Ready => "ready",
            Step::Ended => "ended",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_tells_how_far_a_start_came() {
        let mut journey = Journey::begin();
        journey.reach(Step::Described);
        tokio::time::advance(Duration::from_millis(3)).await;
        journey.reach(Step::GuardSpawned);
        tokio::time::advance(Duration::from_millis(40)).await;
        journey.reach(Step::Ended);
        let text = "described after 0 ms, guard spawned after 3 ms, process started never, \
                    ready never, ended after 43 ms";
        assert_eq!(journey.to_string(), text);
        assert_eq!(journey.at(Step::Ready), None);
    }
}
