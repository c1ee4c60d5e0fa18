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
use super::backoff::Backoff;
use super::error::StartFailure;
use super::ids::WorkerId;
use super::lifecycle::{Ending, SlotEvent, SlotState, WorkerState};
use super::shared::{Order, Row, Shared, Slot};
use super::worker::{self, Ended};

/// Runs until the slot is not wanted any more and its last worker is gone.
pub async fn keep<A: Adapter>(
    shared: Arc<Shared<A>>,
    slot: u32,
    mut order: watch::Receiver<Order>,
) {
    let config = &shared.config;
    let mut backoff = Backoff::new(config.restart_backoff_min, config.restart_backoff_max);
    let mut rest = Duration::ZERO;
    loop {
        order.mark_unchanged();
        match state_or_leave(&shared, slot) {
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
            SlotState::Retired | SlotState::Occupied | SlotState::Leaving => break,
        }
    }
    shared.settle();
}

/// The slot's state; a task that finds it retired no longer keeps it, which is settled under the
/// same lock.
fn state_or_leave<A: Adapter>(shared: &Shared<A>, slot: u32) -> SlotState {
    let mut state = shared.lock();
    let Some(entry) = state.slots.get_mut(slot as usize) else { return SlotState::Retired };
    entry.kept = entry.state != SlotState::Retired;
    entry.state
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
    let mut state = shared.lock();
    let state = &mut *state;
    let entry = state.slots.get_mut(slot as usize)?;
    if entry.state != SlotState::Vacant {
        return None;
    }
    entry.state = entry.state.step(SlotEvent::Started);
    state.counts.restarts += u64::from(entry.generation > 0);
    entry.generation += 1;
    let worker = WorkerId { slot, generation: entry.generation };
    let began = Instant::now();
    entry.row =
        Some(Row { worker, state: WorkerState::Starting, pid: None, began, resident_bytes: None });
    Some((worker, permit))
}

/// Notes how a worker ended, and returns how long the slot has to rest.
fn account<A: Adapter>(
    shared: &Arc<Shared<A>>,
    worker: WorkerId,
    ended: &Ended,
    backoff: &mut Backoff,
) -> Duration {
    if ended.served.is_some_and(|served| served >= shared.config.restart_window) {
        backoff.reset();
    }
    let rest = match ended.ending {
        Ending::Asked => Duration::ZERO,
        Ending::FailedStart | Ending::Lost => backoff.after_failure(chance()),
    };
    {
        let mut state = shared.lock();
        let state = &mut *state;
        state.admission.remove(worker);
        if let Some(entry) = state.slots.get_mut(worker.slot as usize) {
            entry.row = None;
            entry.state = entry.state.step(SlotEvent::Ended(ended.ending));
            note_trouble(entry, worker, ended);
        }
        match ended.ending {
            Ending::Asked => {}
            Ending::Lost => state.counts.losses += 1,
            Ending::FailedStart => {
                state.counts.start_failures += 1;
                state.intensity.failed(Instant::now());
                state.last_failure = Some(Arc::new(start_failure(worker, ended)));
            }
        }
    }
    shared.settle();
    rest
}

fn note_trouble(entry: &mut Slot, worker: WorkerId, ended: &Ended) {
    let what = match ended.ending {
        Ending::Asked => return,
        Ending::FailedStart => "did not start",
        Ending::Lost => "was lost",
    };
    entry.trouble = Some(format!("worker {worker} {what}: {}", ended.exit));
}

fn start_failure(worker: WorkerId, ended: &Ended) -> StartFailure {
    let exit = &ended.exit;
    let kind = exit.kind.to_string();
    StartFailure {
        worker,
        reason: exit.reason.as_deref().map_or(kind, str::to_owned),
        journey: exit.journey.clone(),
        stderr_tail: exit.stderr_tail.clone(),
    }
}

fn step<A: Adapter>(shared: &Shared<A>, slot: u32, event: SlotEvent) {
    if let Some(entry) = shared.lock().slots.get_mut(slot as usize) {
        entry.state = entry.state.step(event);
    }
}

/// Between 0 and 1. Without randomness slots merely lose their spread.
fn chance() -> f64 {
    let random = getrandom::u32().unwrap_or(0);
    f64::from(random) / f64::from(u32::MAX)
}
