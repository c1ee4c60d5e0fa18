//! What all parts of one pool share: its one lock, and the short steps that are taken under it.
//!
//! Nothing waits while the lock is held, and nobody else's code runs: leases are sent and adapters
//! called outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::Instant;

use super::adapter::Adapter;
use super::admission::{Admission, Home, Limits};
use super::backend::Backend;
use super::backoff::Intensity;
use super::config::PoolConfig;
use super::error::{PoolError, StartFailure};
use super::ids::WorkerId;
use super::lease::{Lease, Seated};
use super::lifecycle::{SlotState, WorkerState};

/// One pool.
pub struct Shared<A: Adapter> {
    pub config: PoolConfig,
    pub backend: Arc<dyn Backend>,
    pub adapter: Arc<A>,
    pub runtime: Handle,
    /// Permits to start a worker.
    pub starts: Arc<Semaphore>,
    /// Told after every change that someone may wait for.
    pub changed: watch::Sender<()>,
    state: Mutex<State<A>>,
}

/// Behind the lock.
pub struct State<A: Adapter> {
    pub admission: Admission<Arc<Seated<A>>, Waiting<A>>,
    pub slots: Vec<Slot>,
    pub wanted: usize,
    pub phase: Phase,
    /// Once the pool stops: what a worker gets after TERM, if that is less than the kill grace.
    pub stop_grace: Option<Duration>,
    pub intensity: Intensity,
    pub last_failure: Option<Arc<StartFailure>>,
    pub counts: Counts,
}

/// What is kept of a caller in the queue.
pub type Waiting<A> = oneshot::Sender<Result<Lease<A>, PoolError>>;

/// One slot's entry.
pub struct Slot {
    pub state: SlotState,
    pub order: watch::Sender<Order>,
    /// Of the latest worker; 0 before the first.
    pub generation: u64,
    /// A task keeps it.
    pub kept: bool,
    pub row: Option<Row>,
    /// Why its latest worker failed, until one is ready.
    pub trouble: Option<String>,
}

/// What is to become of a slot's worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    Keep,
    /// Finish and leave.
    Drain,
    /// Leave now.
    Leave,
}

/// The worker in a slot, for the statistics.
pub struct Row {
    pub worker: WorkerId,
    pub state: WorkerState,
    pub pid: Option<u32>,
    pub began: Instant,
    /// What its whole tree has in memory; `None` until it was measured.
    pub resident_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    Open,
    Stopping,
    Stopped,
}

/// Totals; see `PoolStats`.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    pub acquired: u64,
    pub completed: u64,
    pub restarts: u64,
    pub start_failures: u64,
    pub losses: u64,
    pub refused: u64,
}

impl<A: Adapter> Shared<A> {
    pub fn new(
        config: PoolConfig,
        backend: Arc<dyn Backend>,
        adapter: Arc<A>,
        runtime: Handle,
    ) -> Self {
        let limits = Limits {
            running_max: config.calls_per_worker,
            held_max: config.held_max,
            queue_max: config.queue_max,
        };
        let state = State {
            admission: Admission::new(limits),
            slots: Vec::new(),
            wanted: 0,
            phase: Phase::Open,
            stop_grace: None,
            intensity: Intensity::new(config.restart_failures_max, config.restart_window),
            last_failure: None,
            counts: Counts::default(),
        };
        Shared {
            starts: Arc::new(Semaphore::new(config.concurrent_starts.max(1))),
            changed: watch::Sender::new(()),
            state: Mutex::new(state),
            config,
            backend,
            adapter,
            runtime,
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, State<A>> {
        self.state.lock()
    }

    /// A lease for someone who did not queue; `None` if they must.
    pub fn take_free(self: &Arc<Self>, home: Option<Home>) -> Result<Option<Lease<A>>, PoolError> {
        let seated = self.lock().take_free(home)?;
        Ok(seated.map(|seated| Lease::new(self.clone(), seated)))
    }

    /// A lease is over.
    pub fn give_back(self: &Arc<Self>, worker: WorkerId, lent: bool) {
        let (idle, next) = {
            let mut state = self.lock();
            state.counts.completed += 1;
            (state.admission.release(worker, lent), state.serve_next())
        };
        if let Some(seated) = idle {
            seated.idle.notify_one();
        }
        self.deliver(next);
    }

    pub fn lend(self: &Arc<Self>, worker: WorkerId, lent: &AtomicBool) {
        let next = {
            let mut state = self.lock();
            if lent.swap(true, Ordering::Relaxed) {
                return;
            }
            state.admission.lend(worker);
            state.serve_next()
        };
        self.deliver(next);
    }

    pub fn reclaim(&self, worker: WorkerId, lent: &AtomicBool) {
        let mut state = self.lock();
        if lent.swap(false, Ordering::Relaxed) {
            state.admission.reclaim(worker);
        }
    }

    /// Gives all there is to those who wait, or refuses them if nothing will come; and tells of the
    /// change.
    pub fn settle(self: &Arc<Self>) {
        loop {
            let next = self.lock().serve_next();
            if next.is_none() {
                break;
            }
            self.deliver(next);
        }
        self.refuse_homeless();
        self.refuse_if_failing();
        self.changed.send_replace(());
    }

    /// Strict callers whose home has gone are told so.
    fn refuse_homeless(&self) {
        let refused = {
            let mut state = self.lock();
            let refused = state.admission.take_refused();
            state.counts.refused += refused.len() as u64;
            refused
        };
        for (waiting, why) in refused {
            // One who has just given up needs no answer.
            let _ = waiting.send(Err(why.into()));
        }
    }

    /// Everyone who waits is told why there is no point in it.
    fn refuse_if_failing(&self) {
        let (dismissed, failure) = {
            let mut state = self.lock();
            let Some(failure) = state.failure() else { return };
            let dismissed = state.admission.dismiss_all();
            state.counts.refused += dismissed.len() as u64;
            (dismissed, failure)
        };
        for waiting in dismissed {
            // One who has just given up needs no answer.
            let _ = waiting.send(Err(PoolError::Failed(failure.clone())));
        }
    }

    /// Hands a place to the one it was taken for; if that one has left meanwhile, to the next.
    fn deliver(self: &Arc<Self>, place: Option<Place<A>>) {
        let Some((waiting, seated)) = place else { return };
        let lease = Lease::new(self.clone(), seated);
        // A lease that nobody takes is dropped here, and its drop serves the next in the queue.
        drop(waiting.send(Ok(lease)));
    }
}

type Place<A> = (Waiting<A>, Arc<Seated<A>>);

impl<A: Adapter> State<A> {
    pub fn take_free(&mut self, home: Option<Home>) -> Result<Option<Arc<Seated<A>>>, PoolError> {
        if self.phase != Phase::Open {
            return Err(PoolError::Closed);
        }
        let taken = self.admission.take_free(home);
        match &taken {
            Ok(Some(_)) => self.counts.acquired += 1,
            Ok(None) => {}
            Err(_) => self.counts.refused += 1,
        }
        Ok(taken?)
    }

    fn serve_next(&mut self) -> Option<Place<A>> {
        let place = self.admission.serve_next()?;
        self.counts.acquired += 1;
        Some(place)
    }

    /// Set while no worker can be expected soon.
    pub fn failure(&self) -> Option<Arc<StartFailure>> {
        let hopeless =
            self.admission.open_seats() == 0 && self.intensity.is_failing(Instant::now());
        if hopeless { self.last_failure.clone() } else { None }
    }
}
