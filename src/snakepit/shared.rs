//! What all parts of one pool share: its one lock, and the short steps that are taken under it.
//!
//! Nothing waits while the lock is held, and nobody else's code runs: leases are sent and adapters
//! called outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tokio::time::Instant;

use super::adapter::Adapter;
use super::admission::{Admission, Home, Limits};
use super::backend::Backend;
use super::backoff::Intensity;
use super::config::PoolConfig;
use super::error::{PoolError, StartFailure};
use super::expectation::Expectation;
use super::ids::WorkerId;
use super::lease::{Lease, Seated};
use super::lifecycle::{Phase, SlotState, WorkerState};
use super::replacing::Replacing;
use super::sizing::Size;

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
    /// Set off when the steward has something to look at.
    pub nudge: Notify,
    /// The pool is being stopped and its patience is over: workers get less time after TERM.
    pub hurried: AtomicBool,
    state: Mutex<State<A>>,
}

/// Behind the lock.
pub struct State<A: Adapter> {
    pub admission: Admission<Arc<Seated<A>>, Waiting<A>>,
    pub slots: Vec<Slot>,
    pub size: Size,
    /// Workers to have now, within `size`; 0 while nothing is wanted.
    pub wanted: usize,
    /// When the pool last wanted one more because callers waited.
    pub grown_at: Option<Instant>,
    pub replacing: Replacing,
    /// When slots whose tasks have failed are to be filled again.
    pub revive_at: Option<Instant>,
    pub phase: Phase,
    pub expectation: Expectation,
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
    /// Starts that failed since one succeeded.
    pub failures: usize,
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
    /// Between 0 and 1; spreads what is done to workers that started together.
    pub chance: f64,
    /// What its whole tree has in memory; `None` until it was measured.
    pub resident_bytes: Option<u64>,
}

/// Totals; see `PoolStats`.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    pub acquired: u64,
    pub completed: u64,
    pub restarts: u64,
    pub start_failures: u64,
    pub losses: u64,
    pub recycled: u64,
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
            size: Size { min: 0, max: 0 },
            wanted: 0,
            grown_at: None,
            replacing: Replacing::new(&config),
            revive_at: None,
            phase: Phase::Starting,
            expectation: Expectation::new(),
            intensity: Intensity::new(config.restart_failures_max, config.restart_window),
            last_failure: None,
            counts: Counts::default(),
        };
        Shared {
            starts: Arc::new(Semaphore::new(config.concurrent_starts.max(1))),
            changed: watch::Sender::new(()),
            nudge: Notify::new(),
            hurried: AtomicBool::new(false),
            state: Mutex::new(state),
            config,
            backend,
            adapter,
            runtime,
        }
    }

    /// What a worker gets after TERM.
    pub fn patience(&self) -> Duration {
        let grace = self.config.kill_grace;
        if self.hurried.load(Ordering::Relaxed) { grace.min(HURRIED_STEP) } else { grace }
    }

    pub fn lock(&self) -> MutexGuard<'_, State<A>> {
        self.state.lock()
    }

    /// A lease for someone who did not queue; `None` if they must.
    pub fn take_free(self: &Arc<Self>, home: Option<Home>) -> Result<Option<Lease<A>>, PoolError> {
        let seated = self.lock().take_free(home)?;
        Ok(seated.map(|seated| Lease::new(self.clone(), seated)))
    }

    /// A lease is over. `took`: how long it was out, where that says how long work takes.
    pub fn give_back(self: &Arc<Self>, worker: WorkerId, lent: bool, took: Option<Duration>) {
        let now = Instant::now();
        let (idle, next, worn) = {
            let mut state = self.lock();
            state.counts.completed += 1;
            if let Some(took) = took {
                state.expectation.observe(took);
            }
            let idle = state.admission.release(worker, lent, now);
            let worn = self.config.terms.leases_max.is_some_and(|max| state.is_worn(worker, max));
            (idle, state.serve_next(), worn)
        };
        if worn {
            self.nudge.notify_one();
        }
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
        self.nudge.notify_one();
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
            state.assess();
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
        self.check_open()?;
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
}

/// After TERM, when a stop's grace is over: of the two seconds that it may still take, KILL gets
/// the most, because a whole tree has to go.
const HURRIED_STEP: Duration = Duration::from_millis(600);
