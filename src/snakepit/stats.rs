//! What a pool tells about itself.

use tokio::time::Instant;

use super::adapter::Adapter;
use super::lifecycle::{Phase, SlotState, WorkerState};
use super::shared::{Row, Slot, State};

/// How a pool is.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum PoolState {
    /// Workers start; none, or not all, have become ready yet and nothing has failed.
    Starting,
    /// All workers are ready.
    Healthy,
    /// Some workers are ready, others are failing.
    Degraded {
        reasons: Vec<String>,
    },
    /// Starts keep failing and no worker is ready. The pool goes on trying, slowly.
    Failed {
        reason: String,
    },
    /// Takes no work; what runs is being finished.
    Draining,
    /// No process is left; a new size opens the pool again.
    Drained,
    Stopping,
    /// No process is left.
    Stopped,
}

/// Counters and rows, all read at one moment.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PoolStats {
    /// Workers to have now.
    pub wanted: usize,
    /// The bounds of `wanted`.
    pub workers_min: usize,
    pub workers_max: usize,
    pub starting: usize,
    pub ready: usize,
    pub draining: usize,
    /// Asked or forced to end, still there.
    pub stopping: usize,
    /// Slots that keep failing while others work, and rest for long.
    pub quarantined: usize,
    /// Callers in the queue.
    pub queued: usize,
    /// Leases running, lent ones not counted.
    pub running: usize,
    /// Leases out, lent ones included.
    pub held: usize,
    /// Leases ever given and ever returned.
    pub acquired: u64,
    pub completed: u64,
    /// Workers started in place of an earlier one of the same slot.
    pub restarts: u64,
    /// Starts that failed.
    pub start_failures: u64,
    /// Workers that ended unasked after they had been ready.
    pub losses: u64,
    /// Workers that left because another one took their place.
    pub recycled: u64,
    /// Callers refused: queue full, deadline passed or hopeless, home gone or busy, pool failed,
    /// drained or stopped.
    pub refused: u64,
    pub workers: Vec<WorkerRow>,
}

/// One worker.
#[derive(Clone, Debug, serde::Serialize)]
pub struct WorkerRow {
    pub slot: u32,
    pub generation: u64,
    /// `None` until its program runs.
    pub pid: Option<u32>,
    pub state: WorkerState,
    pub running: usize,
    pub held: usize,
    /// Leases ever given.
    pub leases: u64,
    /// What its whole process tree has in memory, measured once per probe interval; `None` before.
    pub resident_bytes: Option<u64>,
    /// Since its description.
    pub age_ms: u64,
}

impl<A: Adapter> State<A> {
    /// How the pool is.
    pub(super) fn pool_state(&self) -> PoolState {
        match self.phase {
            Phase::Starting => PoolState::Starting,
            Phase::Healthy => PoolState::Healthy,
            Phase::Degraded => PoolState::Degraded { reasons: self.reasons() },
            Phase::Failed => PoolState::Failed { reason: self.last_reason() },
            Phase::Draining => PoolState::Draining,
            Phase::Drained => PoolState::Drained,
            Phase::Stopping => PoolState::Stopping,
            Phase::Stopped => PoolState::Stopped,
        }
    }

    fn reasons(&self) -> Vec<String> {
        let slots = self.slots.iter().filter(|slot| slot.state.is_wanted());
        slots.filter_map(Slot::complaint).chain(self.replacing.trouble.clone()).collect()
    }

    fn last_reason(&self) -> String {
        self.last_failure.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    pub(super) fn stats(&self) -> PoolStats {
        use WorkerState::{Abandoning, Aborting, Killing, Stopping};
        let now = Instant::now();
        let rows = self.slots.iter().filter_map(|slot| slot.row.as_ref());
        let workers: Vec<WorkerRow> = rows.map(|row| self.worker_row(row, now)).collect();
        let count = |states: fn(WorkerState) -> bool| {
            workers.iter().filter(|row| states(row.state)).count()
        };
        let counts = self.counts;
        PoolStats {
            wanted: self.wanted,
            workers_min: self.size.min,
            workers_max: self.size.max,
            starting: count(|state| state == WorkerState::Starting),
            ready: count(|state| state == WorkerState::Ready),
            draining: count(|state| matches!(state, WorkerState::Draining(_))),
            stopping: count(|state| matches!(state, Stopping | Aborting | Killing | Abandoning)),
            quarantined: self
                .slots
                .iter()
                .filter(|slot| slot.state == SlotState::Quarantined)
                .count(),
            queued: self.admission.queued(),
            running: workers.iter().map(|row| row.running).sum(),
            held: workers.iter().map(|row| row.held).sum(),
            acquired: counts.acquired,
            completed: counts.completed,
            restarts: counts.restarts,
            start_failures: counts.start_failures,
            losses: counts.losses,
            recycled: counts.recycled,
            refused: counts.refused,
            workers,
        }
    }

    fn worker_row(&self, row: &Row, now: Instant) -> WorkerRow {
        let (running, held) = self.admission.load(row.worker);
        WorkerRow {
            slot: row.worker.slot,
            generation: row.worker.generation,
            pid: row.pid,
            state: row.state,
            running,
            held,
            leases: self.admission.work(row.worker).map_or(0, |work| work.given),
            resident_bytes: row.resident_bytes,
            age_ms: u64::try_from((now - row.began).as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl Slot {
    /// What is wrong with it, if anything is.
    fn complaint(&self) -> Option<String> {
        let trouble = self.trouble.as_deref()?;
        if self.state != SlotState::Quarantined {
            return Some(trouble.to_owned());
        }
        Some(format!("quarantined after {} failed starts: {trouble}", self.failures))
    }
}
