//! Who gets the next free place: seats of ready workers, and a queue of those who wait for one.
//!
//! Pure and single-threaded; it lives under the pool's one lock, so everything here is short. `S`
//! is what the winner gets of a worker, `W` what is kept of one who waits.

use std::collections::BTreeMap;

use super::ids::WorkerId;

/// The seats of all workers that are ready or draining, and the queue.
pub struct Admission<S, W> {
    limits: Limits,
    seats: Vec<Option<Seat<S>>>,
    /// Where the search for the least loaded begins, so that equals take turns.
    next_slot: usize,
    queue: BTreeMap<u64, W>,
    next_ticket: u64,
}

/// What a worker and the queue can take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Running leases of one worker.
    pub running_max: usize,
    /// Running and lent leases of one worker.
    pub held_max: usize,
    pub queue_max: usize,
}

struct Seat<S> {
    worker: WorkerId,
    payload: S,
    running: usize,
    lent: usize,
    /// Leases that nobody will return before the worker is gone.
    stuck: usize,
    open: bool,
}

impl<S: Clone, W> Admission<S, W> {
    pub fn new(limits: Limits) -> Self {
        Admission {
            limits,
            seats: Vec::new(),
            next_slot: 0,
            queue: BTreeMap::new(),
            next_ticket: 0,
        }
    }

    /// A new worker takes its slot's seat.
    pub fn publish(&mut self, worker: WorkerId, payload: S) {
        let slot = worker.slot as usize;
        if self.seats.len() <= slot {
            self.seats.resize_with(slot + 1, || None);
        }
        if let Some(seat) = self.seats.get_mut(slot) {
            *seat = Some(Seat { worker, payload, running: 0, lent: 0, stuck: 0, open: true });
        }
    }

    /// The worker gets nothing new.
    pub fn withdraw(&mut self, worker: WorkerId) {
        if let Some(seat) = self.seat_mut(worker) {
            seat.open = false;
        }
    }

    /// One of the worker's leases will not come back; the worker gets nothing new. Its payload, if
    /// it is seated.
    pub fn give_up_one(&mut self, worker: WorkerId) -> Option<S> {
        let seat = self.seat_mut(worker)?;
        seat.open = false;
        seat.stuck += 1;
        Some(seat.payload.clone())
    }

    /// The worker is gone, and its leases with it.
    pub fn remove(&mut self, worker: WorkerId) {
        if self.seat_mut(worker).is_some()
            && let Some(seat) = self.seats.get_mut(worker.slot as usize)
        {
            *seat = None;
        }
    }

    /// A place for someone who has not queued: only if nobody else waits.
    pub fn take_free(&mut self) -> Option<S> {
        if self.queue.is_empty() { self.take() } else { None }
    }

    /// Queues at the end. The ticket takes its owner out again; a full queue gives `waiting` back.
    pub fn enqueue(&mut self, waiting: W) -> Result<u64, W> {
        if self.queue.len() >= self.limits.queue_max {
            return Err(waiting);
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.queue.insert(ticket, waiting);
        Ok(ticket)
    }

    /// Out of the queue; `None` for one who has been served.
    pub fn leave(&mut self, ticket: u64) -> Option<W> {
        self.queue.remove(&ticket)
    }

    /// The first in the queue and the place it gets, if there is one.
    pub fn serve_next(&mut self) -> Option<(W, S)> {
        if self.queue.is_empty() {
            return None;
        }
        let place = self.take()?;
        let (_, waiting) = self.queue.pop_first()?;
        Some((waiting, place))
    }

    /// Everyone out of the queue, in order.
    pub fn dismiss_all(&mut self) -> Vec<W> {
        std::mem::take(&mut self.queue).into_values().collect()
    }

    /// A lease is returned. Its payload, if that leaves a withdrawn worker with nothing to do.
    pub fn release(&mut self, worker: WorkerId, lent: bool) -> Option<S> {
        let seat = self.seat_mut(worker)?;
        let count = if lent { &mut seat.lent } else { &mut seat.running };
        *count = count.saturating_sub(1);
        (!seat.open && seat.is_idle()).then(|| seat.payload.clone())
    }

    /// A running lease waits for the host: its place may be given to another.
    pub fn lend(&mut self, worker: WorkerId) {
        if let Some(seat) = self.seat_mut(worker) {
            seat.running = seat.running.saturating_sub(1);
            seat.lent += 1;
        }
    }

    /// A lent lease runs again, even if that makes one more than there are places: it never waits.
    pub fn reclaim(&mut self, worker: WorkerId) {
        if let Some(seat) = self.seat_mut(worker) {
            seat.lent = seat.lent.saturating_sub(1);
            seat.running += 1;
        }
    }

    /// True if nothing but stuck leases is out, also for a worker that has no seat.
    pub fn is_idle(&self, worker: WorkerId) -> bool {
        self.seat(worker).is_none_or(Seat::is_idle)
    }

    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Workers that may be given work, if they have room.
    pub fn open_seats(&self) -> usize {
        self.seats.iter().flatten().filter(|seat| seat.open).count()
    }

    /// Running and held leases of one worker.
    pub fn load(&self, worker: WorkerId) -> (usize, usize) {
        self.seat(worker).map_or((0, 0), |seat| (seat.running, seat.held()))
    }

    fn take(&mut self) -> Option<S> {
        let slot = self.least_loaded()?;
        self.next_slot = slot + 1;
        let seat = self.seats.get_mut(slot)?.as_mut()?;
        seat.running += 1;
        Some(seat.payload.clone())
    }

    fn least_loaded(&self) -> Option<usize> {
        let start = self.next_slot.min(self.seats.len());
        let (before, after) = self.seats.split_at_checked(start)?;
        let mut best: Option<(usize, usize)> = None;
        let turn = after.iter().zip(start..).chain(before.iter().zip(0..));
        for (seat, slot) in turn {
            let Some(seat) = seat else { continue };
            if !seat.has_room(self.limits) {
                continue;
            }
            if seat.running == 0 {
                return Some(slot);
            }
            if best.is_none_or(|(running, _)| seat.running < running) {
                best = Some((seat.running, slot));
            }
        }
        best.map(|(_, slot)| slot)
    }

    fn seat(&self, worker: WorkerId) -> Option<&Seat<S>> {
        let seat = self.seats.get(worker.slot as usize)?.as_ref()?;
        (seat.worker == worker).then_some(seat)
    }

    fn seat_mut(&mut self, worker: WorkerId) -> Option<&mut Seat<S>> {
        let seat = self.seats.get_mut(worker.slot as usize)?.as_mut()?;
        (seat.worker == worker).then_some(seat)
    }
}

impl<S> Seat<S> {
    fn held(&self) -> usize {
        self.running + self.lent
    }

    fn is_idle(&self) -> bool {
        self.held() <= self.stuck
    }

    fn has_room(&self, limits: Limits) -> bool {
        self.open && self.running < limits.running_max && self.held() < limits.held_max
    }
}

#[cfg(test)]
mod tests;
