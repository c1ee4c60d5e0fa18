//! Which slots are filled: makes the number of slots follow the number of workers that is wanted.
//!
//! Short steps under the pool's lock. How many are wanted is decided elsewhere, and so is what a
//! slot's task does.

use std::cmp::Reverse;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::adapter::Adapter;
use super::lifecycle::{SlotEvent, SlotState};
use super::shared::{Order, Shared, Slot, State};
use super::slot;

impl<A: Adapter> Shared<A> {
    /// Fills slots or gives some up, until as many are filled as are wanted.
    pub fn arrange(self: &Arc<Self>, state: &mut State<A>) {
        if state.filled() > state.wanted {
            state.call_replacements_off();
        }
        for _ in state.filled()..state.wanted {
            let slot = state.slot_to_fill(true);
            self.fill(state, slot);
        }
        for _ in state.wanted..state.filled() {
            if let Some(entry) = state.slot_to_give_up().and_then(|at| state.slots.get_mut(at)) {
                entry.unwant(Order::Drain);
            }
        }
    }

    /// Has the slot filled from now on, by a task of its own.
    pub fn fill(self: &Arc<Self>, state: &mut State<A>, slot: usize) {
        let Some(entry) = state.slots.get_mut(slot) else { return };
        entry.state = entry.state.step(SlotEvent::WantedAgain);
        entry.failures = 0;
        entry.trouble = None;
        entry.order.send_replace(Order::Keep);
        if !entry.kept {
            entry.kept = true;
            let slot = u32::try_from(slot).unwrap_or(u32::MAX);
            let order = entry.order.subscribe();
            self.runtime.spawn(slot::keep(self.clone(), slot, order));
        }
    }
}

impl<A: Adapter> State<A> {
    /// Slots that are to hold a worker, those not counted whose worker is to replace another's.
    pub fn filled(&self) -> usize {
        let wanted = self.slots.iter().filter(|slot| slot.state.is_wanted()).count();
        wanted.saturating_sub(self.replacing.pending())
    }

    /// A slot without a worker, an existing one if there is; or, where `leaving` will do, one whose
    /// worker is on its way out.
    pub fn slot_to_fill(&mut self, leaving: bool) -> usize {
        let find = |state| self.slots.iter().position(|slot| slot.state == state);
        let free = find(SlotState::Retired);
        let found = free.or_else(|| if leaving { find(SlotState::Leaving) } else { None });
        found.unwrap_or_else(|| {
            self.slots.push(Slot::new());
            self.slots.len() - 1
        })
    }

    /// All workers are to go, and none is to come.
    pub fn order_all(&mut self, order: Order) {
        self.wanted = 0;
        self.replacing.forget_all();
        for entry in &mut self.slots {
            entry.unwant(order);
        }
    }

    /// Since when the worker with the longest rest has had nothing to do.
    pub fn idle_since(&self) -> Option<Instant> {
        let rows = self.slots.iter().filter(|slot| slot.state == SlotState::Occupied);
        let work = rows.filter_map(|slot| self.admission.work(slot.row.as_ref()?.worker));
        work.filter(|work| work.open).filter_map(|work| work.idle_since).min()
    }

    /// The one that is missed the least.
    fn slot_to_give_up(&self) -> Option<usize> {
        let wanted = self.slots.iter().enumerate().filter(|(_, slot)| slot.state.is_wanted());
        wanted.min_by_key(|(at, slot)| (self.use_of(slot), Reverse(*at))).map(|(at, _)| at)
    }

    fn use_of(&self, slot: &Slot) -> Use {
        let Some(row) = &slot.row else { return Use::Empty };
        match self.admission.work(row.worker) {
            None => Use::Starting,
            Some(work) => match work.idle_since {
                Some(since) => Use::Idle(since),
                None => Use::Busy(work.running),
            },
        }
    }
}

/// What a slot is good for at the moment, the least first.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
enum Use {
    Empty,
    Starting,
    Idle(Instant),
    Busy(usize),
}

impl Slot {
    /// Fresh, and not wanted yet.
    fn new() -> Slot {
        Slot {
            state: SlotState::Retired,
            order: watch::Sender::new(Order::Keep),
            generation: 0,
            kept: false,
            row: None,
            trouble: None,
            failures: 0,
        }
    }

    /// Its worker is to go, if it has one, and no other is to come.
    pub fn unwant(&mut self, order: Order) {
        self.state = self.state.step(SlotEvent::Unwanted);
        if *self.order.borrow() != order {
            self.order.send_replace(order);
        }
    }
}
