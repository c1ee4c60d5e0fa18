//! What is written down of a slot's workers, under the pool's lock: who moves in, who becomes
//! ready, how they end.
//!
//! No waiting and no deciding when; the slot's task does that.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::error::StartFailure;
use super::super::journey::Journey;
use super::super::lease::Seated;
use super::*;

impl<A: Adapter> State<A> {
    /// A worker is being started in the slot, if that is still vacant.
    pub fn move_in(&mut self, slot: u32) -> Option<WorkerId> {
        let entry = self.slots.get_mut(slot as usize)?;
        if entry.state != SlotState::Vacant {
            return None;
        }
        entry.state = entry.state.step(SlotEvent::Started);
        self.counts.restarts += u64::from(entry.generation > 0);
        entry.generation += 1;
        let worker = WorkerId { slot, generation: entry.generation };
        entry.row = Some(Row {
            worker,
            state: WorkerState::Starting,
            pid: None,
            began: Instant::now(),
            chance: chance(),
            resident_bytes: None,
        });
        Some(worker)
    }

    /// The worker may be given work.
    pub fn welcome(&mut self, worker: WorkerId, seated: Arc<Seated<A>>) {
        self.intensity.succeeded();
        // What there was too little of is there again.
        self.last_failure = self.last_failure.take().filter(|last| !is_short(last.cause));
        self.admission.publish(worker, seated, Instant::now());
        if let Some(entry) = self.slots.get_mut(worker.slot as usize) {
            entry.trouble = None;
            entry.failures = 0;
        }
        self.relieve(worker);
    }

    /// The worker is gone. `rest`: before the pool's next start, if too many fail.
    pub fn move_out(&mut self, worker: WorkerId, ended: &Ended, rest: Duration) {
        self.admission.remove(worker);
        let now = Instant::now();
        if let Some(entry) = self.slots.get_mut(worker.slot as usize) {
            entry.row = None;
            entry.state = entry.state.step(SlotEvent::Ended(ended.ending));
            let faulty = ended.ending == Ending::FailedStart && !is_short(ended.exit.cause);
            entry.failures += usize::from(faulty);
            entry.trouble = match ended.ending {
                Ending::Asked => entry.trouble.take(),
                Ending::FailedStart => {
                    Some(format!("worker {worker} did not start: {}", ended.exit))
                }
                Ending::Lost => Some(format!("worker {worker} was lost: {}", ended.exit)),
            };
        }
        match ended.ending {
            Ending::Asked => {}
            Ending::Lost => self.counts.losses += 1,
            Ending::FailedStart => self.note_failure(start_failure(worker, ended), now, rest),
        }
        self.close_replacement(worker, now);
    }

    /// A slot that keeps failing while others work gets a long rest: true.
    pub fn condemn(&mut self, slot: u32, failures_max: usize) -> bool {
        let others_work = self.admission.open_seats() > 0;
        let Some(entry) = self.slots.get_mut(slot as usize) else { return false };
        if others_work && entry.failures >= failures_max {
            entry.state = entry.state.step(SlotEvent::Condemned);
        }
        entry.state == SlotState::Quarantined
    }

    /// The slot's task is gone, and its worker with it. After `rest` it is filled again.
    pub fn give_up_slot(&mut self, slot: u32, rest: Duration) {
        let now = Instant::now();
        let Some(entry) = self.slots.get_mut(slot as usize) else { return };
        let worker = WorkerId { slot, generation: entry.generation };
        entry.kept = false;
        entry.row = None;
        entry.state = SlotState::Retired;
        self.admission.remove(worker);
        self.close_replacement(worker, now);
        self.revive_at = now.checked_add(rest);
        let failure = StartFailure {
            worker,
            cause: Cause::NotReady,
            reason: "the pool's own task for it has failed".to_owned(),
            journey: Arc::new(Journey::begin()),
            stderr_tail: Arc::from(""),
        };
        self.note_failure(failure, now, rest);
    }

    fn note_failure(&mut self, failure: StartFailure, now: Instant, rest: Duration) {
        self.counts.start_failures += 1;
        if !is_short(failure.cause) {
            self.intensity.failed(now, rest);
        }
        self.last_failure = Some(Arc::new(failure));
    }
}

/// A shortage passes by itself, and says nothing against the worker.
fn is_short(cause: Cause) -> bool {
    cause == Cause::Exhausted
}

fn start_failure(worker: WorkerId, ended: &Ended) -> StartFailure {
    let exit = &ended.exit;
    let kind = exit.kind.to_string();
    StartFailure {
        worker,
        cause: exit.cause,
        reason: exit.reason.as_deref().map_or(kind, str::to_owned),
        journey: exit.journey.clone(),
        stderr_tail: exit.stderr_tail.clone(),
    }
}
