//! Keeps one slot filled: starts a worker when it is its turn, waits for its end, rests after
//! failures.
//!
//! One task per slot. Whether the slot is wanted is decided elsewhere, under the lock; here it is
//! heeded.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::adapter::Adapter;
use super::backoff::{Backoff, jittered};
use super::chance::chance;
use super::exit::Cause;
use super::ids::WorkerId;
use super::lifecycle::{Ending, SlotEvent, SlotState, WorkerState};
use super::shared::{Order, Row, Shared, State};
use super::worker::{self, Ended};

mod accounting;

/// Runs until the slot is not wanted any more and its last worker is gone.
pub async fn keep<A: Adapter>(
    shared: Arc<Shared<A>>,
    slot: u32,
    mut order: watch::Receiver<Order>,
) {
    let mut keeper = Keeper { shared: shared.clone(), slot, has_left: false };
    let config = &shared.config;
    let mut backoff = Backoff::new(config.restart_backoff_min, config.restart_backoff_max);
    let mut rest = Duration::ZERO;
    loop {
        order.mark_unchanged();
        match keeper.state_or_leave() {
            SlotState::Vacant => {
                let Some((worker, permit)) = turn(&shared, slot, &mut order).await else {
                    continue;
                };
                let ended = worker::live(shared.clone(), worker, order.clone(), permit).await;
                rest = account(&shared, worker, &ended, &mut backoff);
            }
            SlotState::Resting => tokio::select! {
                () = tokio::time::sleep(rest) => step(&shared, slot, SlotEvent::Rested),
                _ = order.changed() => {}
            },
            SlotState::Quarantined => tokio::select! {
                () = tokio::time::sleep(rest) => step(&shared, slot, SlotEvent::Rested),
                // Better a slot that fails than no worker at all.
                () = nobody_serves(&shared) => step(&shared, slot, SlotEvent::Rested),
                _ = order.changed() => {}
            },
            SlotState::Retired | SlotState::Occupied | SlotState::Leaving => break,
        }
    }
}

/// The task's hold on its slot. If the task comes to an end that nobody planned, because something
/// in it panics or its runtime goes away, the slot is given up here; its worker went with the task.
struct Keeper<A: Adapter> {
    shared: Arc<Shared<A>>,
    slot: u32,
    has_left: bool,
}

impl<A: Adapter> Keeper<A> {
    /// The slot's state; a task that finds it retired no longer keeps it, which is settled under
    /// the same lock.
    fn state_or_leave(&mut self) -> SlotState {
        let mut state = self.shared.lock();
        let entry = state.slots.get_mut(self.slot as usize);
        let now = entry.as_ref().map_or(SlotState::Retired, |entry| entry.state);
        self.has_left =
            matches!(now, SlotState::Retired | SlotState::Occupied | SlotState::Leaving);
        if let Some(entry) = entry {
            entry.kept = !self.has_left;
        }
        now
    }
}

impl<A: Adapter> Drop for Keeper<A> {
    fn drop(&mut self) {
        if !self.has_left {
            let rest = self.shared.config.restart_backoff_max;
            self.shared.lock().give_up_slot(self.slot, rest);
        }
        self.shared.settle();
    }
}

/// Waits for the permission to start; `None` if the slot's orders have changed meanwhile.
async fn turn<A: Adapter>(
    shared: &Arc<Shared<A>>,
    slot: u32,
    order: &mut watch::Receiver<Order>,
) -> Option<(WorkerId, OwnedSemaphorePermit)> {
    let permit = tokio::select! {
        permit = shared.starts.clone().acquire_owned() => permit.ok()?,
        _ = order.changed() => return None,
    };
    let mut changed = shared.changed.subscribe();
    loop {
        let rest = jittered(shared.config.restart_backoff_max, chance());
        let asked = shared.lock().intensity.ask_start(Instant::now(), rest);
        let Err(at) = asked else { break };
        tokio::select! {
            () = tokio::time::sleep_until(at) => {}
            // Another slot's success ends the waiting.
            _ = changed.changed() => {}
            _ = order.changed() => return None,
        }
    }
    shared.lock().move_in(slot).map(|worker| (worker, permit))
}

/// Resolves when no worker of the pool is ready.
async fn nobody_serves<A: Adapter>(shared: &Shared<A>) {
    let mut changed = shared.changed.subscribe();
    while shared.lock().admission.open_seats() > 0 {
        if changed.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// Notes how a worker ended, and returns how long the slot has to rest.
fn account<A: Adapter>(
    shared: &Arc<Shared<A>>,
    worker: WorkerId,
    ended: &Ended,
    backoff: &mut Backoff,
) -> Duration {
    let config = &shared.config;
    let rest = {
        let mut state = shared.lock();
        // A worker that has done more than it can hold at once has finished some of it.
        let work = state.admission.work(worker);
        let proven = work.is_some_and(|work| work.given > config.calls_per_worker as u64);
        if proven || ended.served.is_some_and(|served| served >= config.restart_window) {
            backoff.reset();
        }
        let rest = match ended.ending {
            // It passes by itself, and is not the worker's fault.
            Ending::FailedStart if ended.exit.cause == Cause::Exhausted => config.exhaustion_rest,
            Ending::Asked => Duration::ZERO,
            Ending::FailedStart | Ending::Lost => backoff.after_failure(chance()),
        };
        state.move_out(worker, ended, jittered(config.restart_backoff_max, chance()));
        let condemned = state.condemn(worker.slot, config.restart_failures_max);
        if condemned { jittered(config.quarantine, chance()) } else { rest }
    };
    shared.settle();
    rest
}

fn step<A: Adapter>(shared: &Shared<A>, slot: u32, event: SlotEvent) {
    if let Some(entry) = shared.lock().slots.get_mut(slot as usize) {
        entry.state = entry.state.step(event);
    }
}
