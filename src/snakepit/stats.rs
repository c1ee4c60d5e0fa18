//! What a pool tells about itself.

use tokio::time::Instant;

use super::adapter::Adapter;
use super::lifecycle::WorkerState;
use super::shared::{Phase, Row, State};

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
    Stopping,
    /// No process is left.
    Stopped,
}

/// Counters and rows, all read at one moment.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PoolStats {
    /// Workers to keep.
    pub wanted: usize,
    pub starting: usize,
    pub ready: usize,
    pub draining: usize,
    /// Asked or forced to end, still there.
    pub stopping: usize,
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
    /// Callers refused: queue full, deadline passed while waiting, pool failed.
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
    /// Since its description.
    pub age_ms: u64,
    /// What its whole process tree has in memory, measured once per probe interval; `None` before.
    pub resident_bytes: Option<u64>,
}

impl<A: Adapter> State<A> {
    /// How the pool is.
    pub(super) fn pool_state(&self) -> PoolState {
        match self.phase {
            Phase::Open => self.open_state(),
            Phase::Stopping => PoolState::Stopping,
            Phase::Stopped => PoolState::Stopped,
        }
    }

    fn open_state(&self) -> PoolState {
        if let Some(failure) = self.failure() {
            return PoolState::Failed { reason: failure.to_string() };
        }
        let ready = self.admission.open_seats();
        if ready >= self.wanted {
            return PoolState::Healthy;
        }
        let reasons: Vec<String> =
            self.slots.iter().filter_map(|slot| slot.trouble.clone()).collect();
        if ready == 0 || reasons.is_empty() {
            return PoolState::Starting;
        }
        PoolState::Degraded { reasons }
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
            starting: count(|state| state == WorkerState::Starting),
            ready: count(|state| state == WorkerState::Ready),
            draining: count(|state| matches!(state, WorkerState::Draining(_))),
            stopping: count(|state| matches!(state, Stopping | Aborting | Killing | Abandoning)),
            queued: self.admission.queued(),
            running: workers.iter().map(|row| row.running).sum(),
            held: workers.iter().map(|row| row.held).sum(),
            acquired: counts.acquired,
            completed: counts.completed,
            restarts: counts.restarts,
            start_failures: counts.start_failures,
            losses: counts.losses,
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
            age_ms: u64::try_from((now - row.began).as_millis()).unwrap_or(u64::MAX),
            resident_bytes: row.resident_bytes,
        }
    }
}
