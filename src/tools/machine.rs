//! The life of one tool call as a pure machine.
//!
//! ```text
//! open ──answer──▶ answered
//!   └───cancel──▶ cancelled      (Python, a deadline, a closing session or platform)
//! ```
//! Whoever comes second is told what happened first.

/// Where a tool call is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    Open,
    Answered,
    Cancelled,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// The host completes or fails it, or drops it.
    Answer,
    /// Nobody wants the answer any more.
    Cancel,
    /// The host sends a chunk.
    Emit,
}

/// What follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Send the answer to Python.
    SendAnswer,
    /// Tell the host, and Python.
    TellBoth,
    /// Send the chunk.
    SendChunk,
    /// It has been answered before.
    RefuseAnswered,
    /// It was cancelled before.
    RefuseCancelled,
}

/// The whole table.
pub const fn step(phase: Phase, event: Event) -> (Phase, Effect) {
    match (phase, event) {
        (Phase::Open, Event::Answer) => (Phase::Answered, Effect::SendAnswer),
        (Phase::Open, Event::Cancel) => (Phase::Cancelled, Effect::TellBoth),
        (Phase::Open, Event::Emit) => (Phase::Open, Effect::SendChunk),
        (Phase::Answered, _) => (Phase::Answered, Effect::RefuseAnswered),
        (Phase::Cancelled, _) => (Phase::Cancelled, Effect::RefuseCancelled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_as_drawn() {
        for event in [Event::Answer, Event::Cancel, Event::Emit] {
            assert_eq!(step(Phase::Answered, event), (Phase::Answered, Effect::RefuseAnswered));
            assert_eq!(step(Phase::Cancelled, event), (Phase::Cancelled, Effect::RefuseCancelled));
        }
        assert_eq!(step(Phase::Open, Event::Answer), (Phase::Answered, Effect::SendAnswer));
        assert_eq!(step(Phase::Open, Event::Cancel), (Phase::Cancelled, Effect::TellBoth));
        assert_eq!(step(Phase::Open, Event::Emit), (Phase::Open, Effect::SendChunk));
    }
}
