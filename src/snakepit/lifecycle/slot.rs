//! The life of a slot: a place that is to be filled with a worker again and again, until it is no
//! longer wanted.

/// Where a slot stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SlotState {
    /// To be filled; waits for its turn to start.
    Vacant,
    /// A worker lives in it.
    Occupied,
    /// As `Occupied`, and not to be filled again.
    Leaving,
    /// A worker failed; the next start comes after a rest.
    Resting,
    /// Its workers fail while others work: a long rest.
    Quarantined,
    /// Not wanted any more.
    Retired,
}

/// What can happen to a slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SlotEvent {
    /// It is its turn: a worker is being started.
    Started,
    Ended(Ending),
    /// It has failed too often in a row.
    Condemned,
    /// The rest is over.
    Rested,
    Unwanted,
    WantedAgain,
}

/// How a worker ended, as far as the next one is concerned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// The pool wanted it.
    Asked,
    /// It never became ready.
    FailedStart,
    /// It had been ready.
    Lost,
}

impl SlotState {
    /// To be kept filled.
    pub fn is_wanted(self) -> bool {
        !matches!(self, SlotState::Leaving | SlotState::Retired)
    }

    /// The state after `event`. Events that mean nothing in a state change nothing.
    #[must_use]
    pub fn step(self, event: SlotEvent) -> SlotState {
        use SlotState::{Leaving, Occupied, Quarantined, Resting, Retired, Vacant};
        match (self, event) {
            (Vacant, SlotEvent::Started) => Occupied,
            (Vacant | Resting | Quarantined, SlotEvent::Unwanted) => Retired,
            (Occupied, SlotEvent::Ended(Ending::Asked)) => Vacant,
            (Occupied, SlotEvent::Ended(Ending::FailedStart | Ending::Lost)) => Resting,
            (Occupied, SlotEvent::Unwanted) => Leaving,
            (Leaving, SlotEvent::Ended(_)) => Retired,
            (Leaving, SlotEvent::WantedAgain) => Occupied,
            (Resting, SlotEvent::Condemned) => Quarantined,
            (Resting | Quarantined, SlotEvent::Rested) => Vacant,
            (Retired, SlotEvent::WantedAgain) => Vacant,
            (same, _) => same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_state_and_event() {
        use SlotState::{Leaving, Occupied, Quarantined, Resting, Retired, Vacant};
        let events = [
            SlotEvent::Started,
            SlotEvent::Ended(Ending::Asked),
            SlotEvent::Ended(Ending::FailedStart),
            SlotEvent::Ended(Ending::Lost),
            SlotEvent::Condemned,
            SlotEvent::Rested,
            SlotEvent::Unwanted,
            SlotEvent::WantedAgain,
        ];
        let table = [
            (Vacant, [Occupied, Vacant, Vacant, Vacant, Vacant, Vacant, Retired, Vacant]),
            (Occupied, [Occupied, Vacant, Resting, Resting, Occupied, Occupied, Leaving, Occupied]),
            (Leaving, [Leaving, Retired, Retired, Retired, Leaving, Leaving, Leaving, Occupied]),
            (Resting, [Resting, Resting, Resting, Resting, Quarantined, Vacant, Retired, Resting]),
            (
                Quarantined,
                [
                    Quarantined,
                    Quarantined,
                    Quarantined,
                    Quarantined,
                    Quarantined,
                    Vacant,
                    Retired,
                    Quarantined,
                ],
            ),
            (Retired, [Retired, Retired, Retired, Retired, Retired, Retired, Retired, Vacant]),
        ];
        for (state, row) in table {
            for (event, expected) in events.into_iter().zip(row) {
                assert_eq!(state.step(event), expected, "{state:?} + {event:?}");
            }
        }
    }
}
