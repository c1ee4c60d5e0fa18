//! The life of a pool as its callers feel it: whether it takes work, and how well it is.
//!
//! Pure: what the workers are like comes in as an event. It must not know slots or time.

/// Where a pool stands. The first four are open: they take work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Workers are missing, and nothing has failed.
    Starting,
    Healthy,
    /// Some workers are ready, others keep failing.
    Degraded,
    /// Starts keep failing and no worker is left.
    Failed,
    /// Takes no work; what runs is being finished.
    Draining,
    /// No process is left; a new size opens it again.
    Drained,
    /// Will not open again.
    Stopping,
    Stopped,
}

/// What can happen to a pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PoolEvent {
    /// As many workers are ready as there should be.
    Complete,
    /// Workers are missing, and nothing has failed.
    Short,
    /// Some are ready, others keep failing.
    Failing,
    /// None is ready, and starts keep failing.
    Hopeless,
    DrainAsked,
    SizeAsked,
    StopAsked,
    /// The last process has gone.
    Emptied,
}

impl Phase {
    pub fn is_open(self) -> bool {
        matches!(self, Phase::Starting | Phase::Healthy | Phase::Degraded | Phase::Failed)
    }

    /// The phase after `event`. Events that mean nothing in a phase change nothing.
    #[must_use]
    pub fn step(self, event: PoolEvent) -> Phase {
        match (self, event) {
            (Phase::Stopped, _) => Phase::Stopped,
            (Phase::Stopping, PoolEvent::Emptied) => Phase::Stopped,
            (Phase::Stopping, _) => Phase::Stopping,
            (_, PoolEvent::StopAsked) => Phase::Stopping,
            (Phase::Draining | Phase::Drained, PoolEvent::SizeAsked) => Phase::Starting,
            (Phase::Draining, PoolEvent::Emptied) => Phase::Drained,
            (Phase::Draining | Phase::Drained, _) => self,
            (_, PoolEvent::DrainAsked) => Phase::Draining,
            (_, PoolEvent::Complete) => Phase::Healthy,
            (_, PoolEvent::Short) => Phase::Starting,
            (_, PoolEvent::Failing) => Phase::Degraded,
            (_, PoolEvent::Hopeless) => Phase::Failed,
            (open, PoolEvent::SizeAsked | PoolEvent::Emptied) => open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_phase_and_event() {
        use Phase::{Degraded, Drained, Draining, Failed, Healthy, Starting, Stopped, Stopping};
        let events = [
            PoolEvent::Complete,
            PoolEvent::Short,
            PoolEvent::Failing,
            PoolEvent::Hopeless,
            PoolEvent::DrainAsked,
            PoolEvent::SizeAsked,
            PoolEvent::StopAsked,
            PoolEvent::Emptied,
        ];
        let open = |same| [Healthy, Starting, Degraded, Failed, Draining, same, Stopping, same];
        let shut = |same, sized, emptied| [same, same, same, same, same, sized, Stopping, emptied];
        let table = [
            (Starting, open(Starting)),
            (Healthy, open(Healthy)),
            (Degraded, open(Degraded)),
            (Failed, open(Failed)),
            (Draining, shut(Draining, Starting, Drained)),
            (Drained, shut(Drained, Starting, Drained)),
            (Stopping, shut(Stopping, Stopping, Stopped)),
            (Stopped, [Stopped; 8]),
        ];
        for (phase, row) in table {
            assert_eq!(
                phase.is_open(),
                row[6] == Stopping && row[4] == Draining && phase != Draining
            );
            for (event, expected) in events.into_iter().zip(row) {
                assert_eq!(phase.step(event), expected, "{phase:?} + {event:?}");
            }
        }
    }
}
