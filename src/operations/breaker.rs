//! When a pool is given no more calls for a while: a circuit breaker, as a pure machine. Time comes
//! in.
//!
//! ```text
//! closed ──failures in a row──▶ open ──its time over, a call comes──▶ half open
//!   ▲                            ▲                                       │
//!   │                            └──────────────── failed ───────────────┤
//!   └──────────────────────────── succeeded ─────────────────────────────┘
//! ```
//! What counts as a failure is decided by whoever feeds it; workers and calls are unknown here.

use std::time::Duration;

use tokio::time::Instant;

/// How patient a breaker is.
#[derive(Clone, Copy, Debug)]
pub struct BreakerSettings {
    /// Failures in a row that open it. 0: it never opens.
    pub failures_max: u32,
    /// How long it stays open, and how long a probe may take before another one is let through.
    pub open: Duration,
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Circuit {
    /// Calls pass. `failures` came in a row.
    Closed { failures: u32 },
    /// None pass before `until`.
    Open { until: Instant },
    /// One call is under way as a probe; without its outcome the next one passes at `until`.
    HalfOpen { until: Instant },
}

/// What can happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CircuitEvent {
    /// A call wants to pass.
    Asked,
    /// A worker has answered a call.
    Succeeded,
    /// A worker was lost or hung.
    Failed,
    /// The probe ended and says nothing: cancelled, or out of time.
    ProbeGaveUp,
}

/// What the asking call is told. The other events have no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pass {
    Free,
    /// It goes as the probe.
    AsProbe,
    /// Not before so long.
    Refused(Duration),
    Unasked,
}

impl Circuit {
    pub const NEW: Circuit = Circuit::Closed { failures: 0 };

    /// The whole table.
    #[must_use]
    pub fn step(
        self,
        event: CircuitEvent,
        now: Instant,
        settings: &BreakerSettings,
    ) -> (Circuit, Pass) {
        match event {
            CircuitEvent::Asked => self.asked(now, now + settings.open),
            CircuitEvent::Succeeded => (self.succeeded(), Pass::Unasked),
            CircuitEvent::Failed => (self.failed(now, settings), Pass::Unasked),
            CircuitEvent::ProbeGaveUp => (self.probe_gave_up(now), Pass::Unasked),
        }
    }

    /// It lets no call pass, or one only.
    pub const fn is_open(self) -> bool {
        !matches!(self, Circuit::Closed { .. })
    }

    /// The name that statistics show.
    pub const fn name(self) -> &'static str {
        match self {
            Circuit::Closed { .. } => "closed",
            Circuit::Open { .. } => "open",
            Circuit::HalfOpen { .. } => "half_open",
        }
    }

    fn asked(self, now: Instant, probe_until: Instant) -> (Circuit, Pass) {
        match self {
            Circuit::Closed { .. } => (self, Pass::Free),
            Circuit::Open { until } | Circuit::HalfOpen { until } if until > now => {
                (self, Pass::Refused(until - now))
            }
            Circuit::Open { .. } | Circuit::HalfOpen { .. } => {
                (Circuit::HalfOpen { until: probe_until }, Pass::AsProbe)
            }
        }
    }

    /// A call that began before the circuit opened says nothing about the time since.
    fn succeeded(self) -> Circuit {
        match self {
            Circuit::Closed { .. } | Circuit::HalfOpen { .. } => Circuit::NEW,
            Circuit::Open { .. } => self,
        }
    }

    fn failed(self, now: Instant, settings: &BreakerSettings) -> Circuit {
        let opened = Circuit::Open { until: now + settings.open };
        match self {
            Circuit::Closed { .. } if settings.failures_max == 0 => self,
            Circuit::Closed { failures } if failures + 1 >= settings.failures_max => opened,
            Circuit::Closed { failures } => Circuit::Closed { failures: failures + 1 },
            Circuit::HalfOpen { .. } => opened,
            Circuit::Open { .. } => self,
        }
    }

    fn probe_gave_up(self, now: Instant) -> Circuit {
        match self {
            Circuit::HalfOpen { .. } => Circuit::HalfOpen { until: now },
            Circuit::Closed { .. } | Circuit::Open { .. } => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Duration = Duration::from_secs(5);
    const SETTINGS: BreakerSettings = BreakerSettings { failures_max: 2, open: OPEN };

    #[tokio::test(start_paused = true)]
    async fn every_pair_is_as_drawn() {
        use {CircuitEvent::*, Pass::*};
        let now = Instant::now();
        let (past, later) = (now, now + Duration::from_secs(1));
        let over = now + OPEN;
        let (closed, shaken) = (Circuit::NEW, Circuit::Closed { failures: 1 });
        let open = Circuit::Open { until: later };
        let rested = Circuit::Open { until: past };
        let probing = Circuit::HalfOpen { until: later };
        let overdue = Circuit::HalfOpen { until: past };
        let opened = Circuit::Open { until: over };
        let probe = (Circuit::HalfOpen { until: over }, AsProbe);
        let wait = Refused(Duration::from_secs(1));
        let says = |circuit| (circuit, Unasked);
        let table = [
            (closed, [(closed, Free), says(closed), says(shaken), says(closed)]),
            (shaken, [(shaken, Free), says(closed), says(opened), says(shaken)]),
            (open, [(open, wait), says(open), says(open), says(open)]),
            (rested, [probe, says(rested), says(rested), says(rested)]),
            (probing, [(probing, wait), says(closed), says(opened), says(overdue)]),
            (overdue, [probe, says(closed), says(opened), says(overdue)]),
        ];
        for (circuit, row) in table {
            for (event, expected) in [Asked, Succeeded, Failed, ProbeGaveUp].into_iter().zip(row) {
                assert_eq!(circuit.step(event, now, &SETTINGS), expected, "{circuit:?} {event:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_switched_off_never_opens() {
        let settings = BreakerSettings { failures_max: 0, open: OPEN };
        let mut circuit = Circuit::NEW;
        for _ in 0..1000 {
            circuit = circuit.step(CircuitEvent::Failed, Instant::now(), &settings).0;
        }
        assert_eq!(circuit, Circuit::NEW);
    }
}
