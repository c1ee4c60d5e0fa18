//! What can be asked of an admission without changing it.
//!
//! Pure questions; what follows from the answers is decided elsewhere.

use tokio::time::Instant;

use super::super::ids::WorkerId;
use super::seat::Seat;
use super::{Admission, Aim, Claim, Group, Home};

/// What a seated worker has done and does.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// It may be given more.
    pub open: bool,
    pub running: usize,
    /// Leases ever given.
    pub given: u64,
    /// `None` while any lease is out.
    pub idle_since: Option<Instant>,
}

impl<S: Clone, W> Admission<S, W> {
    /// True if nothing but stuck leases is out, also for a worker that has no seat.
    pub fn is_idle(&self, worker: WorkerId) -> bool {
        self.seat(worker).is_none_or(Seat::is_idle)
    }

    pub fn queued(&self) -> usize {
        self.waiters.len()
    }

    /// Whether one may not wait because too many do. A group that nobody waits of has a place
    /// beyond the limit, so that one that fills the queue does not have all others refused.
    pub fn is_full(&self, home: Option<Home>, claim: Claim) -> bool {
        let (waiting, max) = (self.waiters.len(), self.limits.queue_max);
        waiting >= max && (waiting >= max.saturating_mul(2) || self.has_waiting(home, claim.group))
    }

    /// How many are served before one who would queue now, at least, and the places that serve
    /// them.
    pub fn ahead(&self, home: Option<Home>, claim: Claim) -> (usize, usize) {
        let at_home = home.filter(|home| home.is_strict()).map(|_| self.homes.rather(home));
        if let Some(Aim::Rather(worker)) = at_home
            && let Some(seat) = self.seat(worker)
        {
            return (seat.waiting.ahead(claim), self.limits.running_max);
        }
        (self.anyone.ahead(claim), self.open_seats().saturating_mul(self.limits.running_max))
    }

    /// Since when the one waits who has waited the longest of those whom any worker could serve.
    pub fn waiting_since(&self) -> Option<Instant> {
        let oldest = self.anyone.oldest()?;
        self.waiters.get(&oldest).map(|waiter| waiter.since)
    }

    fn has_waiting(&self, home: Option<Home>, group: Group) -> bool {
        let at_home = match self.homes.rather(home) {
            Aim::Rather(worker) => self.seat(worker),
            Aim::Any | Aim::Only(_) => None,
        };
        self.anyone.has(group) || at_home.is_some_and(|seat| seat.waiting.has(group))
    }

    /// The payload of a seated worker.
    pub fn payload(&self, worker: WorkerId) -> Option<S> {
        self.seat(worker).map(|seat| seat.payload.clone())
    }

    /// What a seated worker has done and does.
    pub fn work(&self, worker: WorkerId) -> Option<Work> {
        let seat = self.seat(worker)?;
        let Seat { open, running, given, idle_since, .. } = *seat;
        Some(Work { open, running, given, idle_since })
    }

    /// Workers that may be given work, if they have room.
    pub fn open_seats(&self) -> usize {
        self.seats.iter().flatten().filter(|seat| seat.open).count()
    }

    /// Running and held leases of one worker.
    pub fn load(&self, worker: WorkerId) -> (usize, usize) {
        self.seat(worker).map_or((0, 0), |seat| (seat.running, seat.held()))
    }
}
