//! The life of one operation as a pure machine: what may happen next, and what the caller is told.
//!
//! ```text
//! prepared ──start──▶ queued ──assigned──▶ running ──finished──▶ ended
//!     │                  │ ◀────again──────── │
//!     └──────cancel/deadline/lost──┴────────────────┴───────────────▶ ended
//! ```
//! `again` is for a call whose worker was lost and that may run in another one.
//! `ended` is entered once; everything after it is `Ignored`.

/// Where an operation is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Made, and not yet started: nobody is told anything.
    Prepared,
    /// Waiting for a worker, or for its own turn.
    Queued,
    /// Its worker has it.
    Running,
    /// It has its one outcome.
    Ended,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    Start,
    Assigned,
    Chunk,
    /// Its worker is gone, and it goes to another one.
    Again,
    /// A result, an error, a cancel, a passed deadline: whichever comes first.
    Outcome,
}

/// What follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Nothing but the new phase.
    None,
    /// Hand the chunk to the consumer.
    DeliverChunk,
    /// Hand the outcome to the consumer: the one terminal event.
    DeliverOutcome,
    /// It came too late, or too early: drop it.
    Ignored,
}

/// The whole table.
pub const fn step(phase: Phase, event: Event) -> (Phase, Effect) {
    match (phase, event) {
        (Phase::Prepared, Event::Start) => (Phase::Queued, Effect::None),
        (Phase::Queued, Event::Assigned) => (Phase::Running, Effect::None),
        (Phase::Running, Event::Chunk) => (Phase::Running, Effect::DeliverChunk),
        (Phase::Running, Event::Again) => (Phase::Queued, Effect::None),
        (Phase::Prepared | Phase::Queued | Phase::Running, Event::Outcome) => {
            (Phase::Ended, Effect::DeliverOutcome)
        }
        (phase, _) => (phase, Effect::Ignored),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_as_drawn() {
        use {Effect::*, Event::*, Phase::*};
        let dropped = |phase| (phase, Ignored);
        let end = (Ended, DeliverOutcome);
        let table = [
            (
                Prepared,
                [(Queued, None), dropped(Prepared), dropped(Prepared), dropped(Prepared), end],
            ),
            (Queued, [dropped(Queued), (Running, None), dropped(Queued), dropped(Queued), end]),
            (
                Running,
                [dropped(Running), dropped(Running), (Running, DeliverChunk), (Queued, None), end],
            ),
            (Ended, [Ended; 5].map(dropped)),
        ];
        for (phase, row) in table {
            for (event, expected) in [Start, Assigned, Chunk, Again, Outcome].into_iter().zip(row) {
                assert_eq!(step(phase, event), expected, "{phase:?} {event:?}");
            }
        }
    }
}
