//! One worker's seat: what it holds, and who waits for it alone.
//!
//! Pure data with its questions. It must not know the other seats.

use tokio::time::Instant;

use super::super::ids::WorkerId;
use super::Limits;
use super::line::Line;

/// A ready or draining worker.
pub struct Seat<S> {
    pub worker: WorkerId,
    pub payload: S,
    pub running: usize,
    pub lent: usize,
    /// Leases that nobody will return before the worker is gone.
    pub stuck: usize,
    pub open: bool,
    /// Leases ever given.
    pub given: u64,
    /// Since when no lease is out.
    pub idle_since: Option<Instant>,
    /// When it was last taken, counted in takings.
    pub turn: u64,
    /// Those whom it alone can serve.
    pub waiting: Line,
}

/// The order in which seats are taken: the least loaded, and among equals the one that was taken
/// the longest ago.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Rank {
    pub running: usize,
    pub turn: u64,
    pub slot: u32,
}

impl<S> Seat<S> {
    pub fn new(worker: WorkerId, payload: S, now: Instant) -> Self {
        Seat {
            worker,
            payload,
            running: 0,
            lent: 0,
            stuck: 0,
            open: true,
            given: 0,
            idle_since: Some(now),
            turn: 0,
            waiting: Line::default(),
        }
    }

    pub fn held(&self) -> usize {
        self.running + self.lent
    }

    pub fn is_idle(&self) -> bool {
        self.held() <= self.stuck
    }

    pub fn has_room(&self, limits: Limits) -> bool {
        self.open && self.running < limits.running_max && self.held() < limits.held_max
    }

    pub fn rank(&self) -> Rank {
        Rank { running: self.running, turn: self.turn, slot: self.worker.slot }
    }
}
