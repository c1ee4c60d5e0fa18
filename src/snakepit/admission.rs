//! Who gets the next free place: seats of ready workers, and those who wait.
//!
//! Pure and single-threaded; it lives under the pool's one lock, so everything here is short. `S`
//! is what the winner gets of a worker, `W` what is kept of one who waits. It must not know
//! processes, nor what a key or a group stands for; times come in.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::ids::WorkerId;

mod facts;
mod homes;
mod line;
mod seat;

use homes::Homes;
pub use homes::{Affinity, Aim, Home, NoHome};
use line::Line;
pub use line::{Claim, Group};
use seat::{Rank, Seat};

/// The seats of all workers that are ready or draining, and those who wait.
pub struct Admission<S, W> {
    limits: Limits,
    seats: Vec<Option<Seat<S>>>,
    /// Seats with room, the least loaded first; equals take turns.
    free: BTreeSet<Rank>,
    /// Seats with room for which someone waits: the first turn of each line, and its slot.
    called: BTreeSet<(u64, u32)>,
    /// Places ever taken.
    taken: u64,
    /// Everyone who waits, by ticket.
    waiters: BTreeMap<u64, Waiter<W>>,
    /// Those whom any worker can serve; the others stand at their worker's seat.
    anyone: Line,
    /// Of the next ticket or turn.
    next_number: u64,
    homes: Homes,
    /// Out of the line without a place, and not told yet.
    refused: Vec<(W, NoHome)>,
}

/// What a worker can take, and how many may wait.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Running leases of one worker.
    pub running_max: usize,
    /// Running and lent leases of one worker.
    pub held_max: usize,
    /// Further ones are refused, but for the first of a group, up to as many again.
    pub queue_max: usize,
}

/// Why one may not wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoPlace {
    Full,
    Home(NoHome),
}

struct Waiter<W> {
    waiting: W,
    since: Instant,
    home: Option<Home>,
    claim: Claim,
    /// The slot of the only worker that may serve it.
    at: Option<u32>,
}

impl<S: Clone, W> Admission<S, W> {
    pub fn new(limits: Limits) -> Self {
        Admission {
            limits,
            seats: Vec::new(),
            free: BTreeSet::new(),
            called: BTreeSet::new(),
            taken: 0,
            waiters: BTreeMap::new(),
            anyone: Line::default(),
            next_number: 0,
            homes: Homes::default(),
            refused: Vec::new(),
        }
    }

    /// A new worker takes its slot's seat.
    pub fn publish(&mut self, worker: WorkerId, payload: S, now: Instant) {
        self.clear(worker.slot);
        let index = worker.slot as usize;
        if self.seats.len() <= index {
            self.seats.resize_with(index + 1, || None);
        }
        if let Some(place) = self.seats.get_mut(index) {
            *place = Some(Seat::new(worker, payload, now));
        }
        self.list(worker.slot);
    }

    /// The worker gets nothing new; those who wait for it alone are refused.
    pub fn withdraw(&mut self, worker: WorkerId) {
        if self.seat(worker).is_some() {
            self.edit(worker.slot, |seat| seat.open = false);
            self.turn_away(worker.slot);
        }
    }

    /// One of the worker's leases will not come back; the worker is withdrawn. Its payload, if it
    /// is seated.
    pub fn give_up_one(&mut self, worker: WorkerId) -> Option<S> {
        self.seat(worker)?;
        self.withdraw(worker);
        self.edit(worker.slot, |seat| {
            seat.stuck += 1;
            seat.payload.clone()
        })
    }

    /// The worker is gone, and its leases with it.
    pub fn remove(&mut self, worker: WorkerId) {
        if self.seat(worker).is_some() {
            self.clear(worker.slot);
        }
    }

    /// A place for someone who has not queued: only if nobody who could have it waits.
    pub fn take_free(&mut self, home: Option<Home>) -> Result<Option<S>, NoHome> {
        let aim = self.aim(home)?;
        let nobody_waits = self.anyone.is_empty() && self.called.is_empty();
        let slot = if nobody_waits { self.pick(aim) } else { None };
        match (slot, aim, home) {
            (Some(slot), _, _) => Ok(self.take(slot, home)),
            (None, Aim::Only(worker), Some(Home { affinity: Affinity::StrictFailFast, .. })) => {
                Err(NoHome::Busy(worker))
            }
            (None, _, _) => Ok(None),
        }
    }

    /// Queues as its claim says. The ticket takes its owner out again.
    pub fn enqueue(
        &mut self,
        waiting: W,
        home: Option<Home>,
        claim: Claim,
        now: Instant,
    ) -> Result<u64, NoPlace> {
        if self.is_full(home, claim) {
            return Err(NoPlace::Full);
        }
        let at = match self.aim(home).map_err(NoPlace::Home)? {
            Aim::Only(worker) => Some(worker.slot),
            Aim::Any | Aim::Rather(_) => None,
        };
        let ticket = self.number();
        match at {
            Some(slot) => self.stand_at(slot, claim, ticket),
            None => {
                self.anyone.enter(claim, ticket);
                self.homes.seek(home, ticket);
            }
        }
        self.waiters.insert(ticket, Waiter { waiting, since: now, home, claim, at });
        Ok(ticket)
    }

    /// Waits no more; `None` for one who does not wait any more.
    pub fn leave(&mut self, ticket: u64) -> Option<W> {
        self.step_out(ticket, None)
    }

    /// Whose turn it is among those who can be served, and the place it gets.
    pub fn serve_next(&mut self) -> Option<(W, S)> {
        let any = if self.free.is_empty() { None } else { self.anyone.first() };
        let called = self.called.first().and_then(|(_, slot)| {
            let seat = self.seats.get(*slot as usize)?.as_ref()?;
            Some((seat.waiting.first()?, *slot))
        });
        let (first, called) = match (any, called) {
            (Some(any), Some((here, _))) if any.precedes(here) => (any, None),
            (_, Some((here, slot))) => (here, Some(slot)),
            (Some(any), None) => (any, None),
            (None, None) => return None,
        };
        let home = self.waiters.get(&first.ticket)?.home;
        let slot = match called {
            Some(slot) => slot,
            None => self.pick(self.homes.rather(home))?,
        };
        let next_turn = self.number();
        let waiting = self.step_out(first.ticket, Some(next_turn))?;
        let place = self.take(slot, home)?;
        Some((waiting, place))
    }

    /// Nobody waits any more. Those who did, in order of arrival.
    pub fn dismiss_all(&mut self) -> Vec<W> {
        let tickets: Vec<u64> = self.waiters.keys().copied().collect();
        tickets.into_iter().filter_map(|ticket| self.leave(ticket)).collect()
    }

    /// Those whose home is gone or busy since the last time this was asked.
    pub fn take_refused(&mut self) -> Vec<(W, NoHome)> {
        std::mem::take(&mut self.refused)
    }

    /// A lease is returned. Its payload, if that leaves a withdrawn worker with nothing to do.
    pub fn release(&mut self, worker: WorkerId, lent: bool, now: Instant) -> Option<S> {
        self.seat(worker)?;
        self.edit(worker.slot, |seat| {
            let count = if lent { &mut seat.lent } else { &mut seat.running };
            *count = count.saturating_sub(1);
            if seat.held() == 0 {
                seat.idle_since = Some(now);
            }
            (!seat.open && seat.is_idle()).then(|| seat.payload.clone())
        })?
    }

    /// A running lease waits for the host: its place may be given to another.
    pub fn lend(&mut self, worker: WorkerId) {
        if self.seat(worker).is_some() {
            self.edit(worker.slot, |seat| {
                seat.running = seat.running.saturating_sub(1);
                seat.lent += 1;
            });
        }
    }

    /// A lent lease runs again, even if that makes one more than there are places: it never waits.
    pub fn reclaim(&mut self, worker: WorkerId) {
        if self.seat(worker).is_some() {
            self.edit(worker.slot, |seat| {
                seat.lent = seat.lent.saturating_sub(1);
                seat.running += 1;
            });
        }
    }

    /// The key's home is no longer needed.
    pub fn forget(&mut self, key: u64) {
        self.homes.forget(key);
    }
}

/// What the functions above are made of.
impl<S: Clone, W> Admission<S, W> {
    /// Where `home` sends its caller. A strict home that is gone is told of once.
    fn aim(&mut self, home: Option<Home>) -> Result<Aim, NoHome> {
        let seats = &self.seats;
        let is_open = |worker: WorkerId| {
            let seat = seats.get(worker.slot as usize).and_then(Option::as_ref);
            seat.is_some_and(|seat| seat.worker == worker && seat.open)
        };
        self.homes.aim(home, is_open)
    }

    /// The slot whose worker is to be taken, if that has room.
    fn pick(&self, aim: Aim) -> Option<u32> {
        let with_room = |worker: WorkerId| {
            let seat = self.seat(worker)?;
            seat.has_room(self.limits).then_some(worker.slot)
        };
        let least_loaded = || self.free.first().map(|rank| rank.slot);
        match aim {
            Aim::Any => least_loaded(),
            Aim::Rather(worker) => with_room(worker).or_else(least_loaded),
            Aim::Only(worker) => with_room(worker),
        }
    }

    /// Takes a place of the worker in `slot`, which becomes the home.
    fn take(&mut self, slot: u32, home: Option<Home>) -> Option<S> {
        self.taken += 1;
        let turn = self.taken;
        let (worker, payload) = self.edit(slot, |seat| {
            seat.running += 1;
            seat.given += 1;
            seat.idle_since = None;
            seat.turn = turn;
            (seat.worker, seat.payload.clone())
        })?;
        if let Some(home) = home {
            for ticket in self.homes.bind(home, worker) {
                self.send_home(ticket, worker);
            }
        }
        Some(payload)
    }

    /// One who waited for any worker has a home now: it stands there, as old as it is.
    fn send_home(&mut self, ticket: u64, worker: WorkerId) {
        let has_room = self.seat(worker).is_some_and(|seat| seat.has_room(self.limits));
        let Some(waiter) = self.waiters.get_mut(&ticket) else { return };
        let claim = waiter.claim;
        self.anyone.leave(claim, ticket, None);
        let in_haste = waiter.home.is_some_and(|home| home.affinity == Affinity::StrictFailFast);
        if has_room || !in_haste {
            waiter.at = Some(worker.slot);
            self.stand_at(worker.slot, claim, ticket);
        } else if let Some(waiter) = self.waiters.remove(&ticket) {
            self.refused.push((waiter.waiting, NoHome::Busy(worker)));
        }
    }

    fn stand_at(&mut self, slot: u32, claim: Claim, ticket: u64) {
        self.edit(slot, |seat| seat.waiting.enter(claim, ticket));
    }

    /// Out of its line. With `next_turn` it has had its group's turn.
    fn step_out(&mut self, ticket: u64, next_turn: Option<u64>) -> Option<W> {
        let Waiter { waiting, home, claim, at, .. } = self.waiters.remove(&ticket)?;
        match at {
            Some(slot) => {
                self.edit(slot, |seat| seat.waiting.leave(claim, ticket, next_turn));
            }
            None => {
                self.anyone.leave(claim, ticket, next_turn);
                self.homes.sought(home, ticket);
            }
        }
        Some(waiting)
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Everyone who waits for this worker alone is refused, and has no home any more.
    fn turn_away(&mut self, slot: u32) {
        let left = self.edit(slot, |seat| (seat.worker, std::mem::take(&mut seat.waiting)));
        let Some((worker, line)) = left else { return };
        for ticket in line.into_tickets() {
            let Some(waiter) = self.waiters.remove(&ticket) else { continue };
            if let Some(home) = waiter.home {
                self.homes.part(home.key, worker);
            }
            self.refused.push((waiter.waiting, NoHome::Gone(worker)));
        }
    }

    /// Empties a seat.
    fn clear(&mut self, slot: u32) {
        self.turn_away(slot);
        self.unlist(slot);
        if let Some(place) = self.seats.get_mut(slot as usize) {
            *place = None;
        }
    }

    fn seat(&self, worker: WorkerId) -> Option<&Seat<S>> {
        let seat = self.seats.get(worker.slot as usize)?.as_ref()?;
        (seat.worker == worker).then_some(seat)
    }

    /// Every change of a seat, so that `free` and `called` follow it.
    fn edit<R>(&mut self, slot: u32, change: impl FnOnce(&mut Seat<S>) -> R) -> Option<R> {
        self.unlist(slot);
        let seat = self.seats.get_mut(slot as usize)?.as_mut()?;
        let result = change(seat);
        self.list(slot);
        Some(result)
    }

    fn list(&mut self, slot: u32) {
        let Some(Some(seat)) = self.seats.get(slot as usize) else { return };
        if seat.has_room(self.limits) {
            self.free.insert(seat.rank());
            self.called.extend(seat.waiting.first().map(|first| (first.turn, slot)));
        }
    }

    fn unlist(&mut self, slot: u32) {
        let Some(Some(seat)) = self.seats.get(slot as usize) else { return };
        self.free.remove(&seat.rank());
        if let Some(first) = seat.waiting.first() {
            self.called.remove(&(first.turn, slot));
        }
    }
}

#[cfg(test)]
mod tests;
