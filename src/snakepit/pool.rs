//! The pool as its owner sees it.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::adapter::Adapter;
use super::admission::{Home, NoPlace};
use super::backend::Backend;
use super::config::PoolConfig;
use super::error::PoolError;
use super::ids::WorkerId;
use super::lease::Lease;
use super::lifecycle::{SlotEvent, SlotState};
use super::shared::{Order, Phase, Shared, Slot, State};
use super::slot;
use super::stats::{PoolState, PoolStats};

/// Workers of one kind, kept alive. Dropping it without `stop` makes all of them leave.
pub struct Pool<A: Adapter> {
    shared: Arc<Shared<A>>,
}

impl<A: Adapter> Pool<A> {
    /// Returns at once; the workers start in the background, on `runtime`.
    pub fn start(
        config: PoolConfig,
        backend: Arc<dyn Backend>,
        adapter: Arc<A>,
        runtime: Handle,
    ) -> Arc<Pool<A>> {
        let workers = config.workers;
        let pool = Pool { shared: Arc::new(Shared::new(config, backend, adapter, runtime)) };
        pool.resize(workers);
        Arc::new(pool)
    }

    /// A lease, if a ready worker has room and nobody waits for it; `Ok(None)`: one must queue.
    /// With a `home`, the worker that served its key before; see `Affinity`.
    pub fn try_acquire(&self, home: Option<Home>) -> Result<Option<Lease<A>>, PoolError> {
        self.shared.take_free(home)
    }

    /// Waits in line for a lease. Refuses at once when the line is full, the pool is closed, or its
    /// workers cannot be started, and a strict caller when its home is gone. Dropping the future
    /// leaves the line.
    pub async fn acquire(
        &self,
        deadline: Option<Instant>,
        home: Option<Home>,
    ) -> Result<Lease<A>, PoolError> {
        let began = Instant::now();
        if deadline.is_some_and(|deadline| deadline <= began) {
            return Err(self.late(began));
        }
        let mut place = match self.take_or_queue(home)? {
            Place::Lease(lease) => return Ok(lease),
            Place::InLine(place) => place,
        };
        tokio::select! {
            biased;
            answer = &mut place.answer => answer.unwrap_or(Err(PoolError::Closed)),
            () = passed(deadline) => Err(self.late(began)),
        }
    }

    /// The key's home is no longer needed. To be called when no call of that key can come any more:
    /// until then each key takes a little memory.
    pub fn forget(&self, key: u64) {
        self.shared.lock().admission.forget(key);
    }

    /// Waits until so many workers are ready. Fails at once while starts keep failing.
    pub async fn wait_ready(
        &self,
        workers: usize,
        deadline: Option<Instant>,
    ) -> Result<(), PoolError> {
        let began = Instant::now();
        let mut changed = self.shared.changed.subscribe();
        loop {
            if let Some(result) = self.readiness(workers) {
                return result;
            }
            tokio::select! {
                _ = changed.changed() => {}
                () = passed(deadline) => {
                    return Err(PoolError::DeadlinePassed { waited: began.elapsed() });
                }
            }
        }
    }

    /// Wants so many workers from now on. More are started at once; those too many finish their
    /// work and leave.
    pub fn resize(&self, workers: usize) {
        {
            let mut state = self.shared.lock();
            if state.phase != Phase::Open {
                return;
            }
            state.wanted = workers;
            while state.slots.len() < workers {
                state.slots.push(Slot::new());
            }
            for (index, entry) in state.slots.iter_mut().enumerate() {
                if index < workers {
                    self.want(index, entry);
                } else {
                    entry.unwant(Order::Drain);
                }
            }
        }
        self.shared.settle();
    }

    pub fn stats(&self) -> PoolStats {
        self.shared.lock().stats()
    }

    pub fn state(&self) -> PoolState {
        self.shared.lock().pool_state()
    }

    /// Gives `worker` no more work and kills it, once all leases but those it was called for are
    /// back or the kill grace is over; another takes its place. To be called once per call that is
    /// stuck in it.
    pub fn recycle(&self, worker: WorkerId, reason: &str) {
        let seated = {
            let mut state = self.shared.lock();
            let Some(seated) = state.admission.give_up_one(worker) else { return };
            if state.admission.is_idle(worker) {
                seated.idle.notify_one();
            }
            seated
        };
        // The first reason stays.
        let _ = seated.recycle_reason.set(reason.to_owned());
        seated.recycle.notify_one();
        self.shared.settle();
    }

    /// Ends all workers: asks them to finish, after `grace` with TERM, after as long again, the
    /// kill grace at most, with KILL. When it returns no process is left. Everyone who calls it
    /// waits for the same end; the first grace counts.
    pub async fn stop(&self, grace: Duration) {
        if self.begin_stop(Order::Drain, Some(grace)) {
            let shared = self.shared.clone();
            // A task of its own: a caller who gives up does not stop the stopping.
            self.shared.runtime.spawn(async move {
                if tokio::time::timeout(grace, shared.all_left()).await.is_err() {
                    shared.lock().order_all(Order::Leave);
                }
                shared.end().await;
            });
        }
        let mut changed = self.shared.changed.subscribe();
        while self.shared.lock().phase != Phase::Stopped {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// True for the first.
    fn begin_stop(&self, order: Order, grace: Option<Duration>) -> bool {
        let dismissed = {
            let mut state = self.shared.lock();
            if state.phase != Phase::Open {
                return false;
            }
            state.phase = Phase::Stopping;
            state.stop_grace = grace;
            state.wanted = 0;
            state.order_all(order);
            state.admission.dismiss_all()
        };
        for waiting in dismissed {
            let _ = waiting.send(Err(PoolError::Closed));
        }
        self.shared.changed.send_replace(());
        true
    }

    /// Under one lock, so that a place that becomes free meanwhile is not missed.
    fn take_or_queue(&self, home: Option<Home>) -> Result<Place<'_, A>, PoolError> {
        let mut state = self.shared.lock();
        if let Some(seated) = state.take_free(home)? {
            drop(state);
            return Ok(Place::Lease(Lease::new(self.shared.clone(), seated)));
        }
        let (waiting, answer) = oneshot::channel();
        let queued = match state.failure() {
            Some(failure) => Err(PoolError::Failed(failure)),
            None => state.admission.enqueue(waiting, home).map_err(|why| match why {
                NoPlace::Full => PoolError::Full { queue_max: self.shared.config.queue_max },
                NoPlace::Home(why) => why.into(),
            }),
        };
        if queued.is_err() {
            state.counts.refused += 1;
        }
        Ok(Place::InLine(InLine { shared: &self.shared, ticket: queued?, answer }))
    }

    fn late(&self, began: Instant) -> PoolError {
        self.shared.lock().counts.refused += 1;
        PoolError::DeadlinePassed { waited: began.elapsed() }
    }

    fn readiness(&self, workers: usize) -> Option<Result<(), PoolError>> {
        let state = self.shared.lock();
        if state.phase != Phase::Open {
            return Some(Err(PoolError::Closed));
        }
        if state.admission.open_seats() >= workers {
            return Some(Ok(()));
        }
        let failing = state.intensity.is_failing(Instant::now());
        let failure = state.last_failure.clone().filter(|_| failing);
        failure.map(|failure| Err(PoolError::Failed(failure)))
    }

    fn want(&self, index: usize, entry: &mut Slot) {
        entry.state = entry.state.step(SlotEvent::WantedAgain);
        entry.order.send_replace(Order::Keep);
        if !entry.kept {
            entry.kept = true;
            let slot = u32::try_from(index).unwrap_or(u32::MAX);
            let order = entry.order.subscribe();
            self.shared.runtime.spawn(slot::keep(self.shared.clone(), slot, order));
        }
    }
}

impl<A: Adapter> Drop for Pool<A> {
    fn drop(&mut self) {
        if self.begin_stop(Order::Leave, None) {
            let shared = self.shared.clone();
            self.shared.runtime.spawn(async move { shared.end().await });
        }
    }
}

/// What a caller gets at first.
enum Place<'a, A: Adapter> {
    Lease(Lease<A>),
    InLine(InLine<'a, A>),
}

/// A place in the queue; dropping it leaves the queue, or gives back the lease that has just
/// arrived.
struct InLine<'a, A: Adapter> {
    shared: &'a Shared<A>,
    ticket: u64,
    answer: oneshot::Receiver<Result<Lease<A>, PoolError>>,
}

impl<A: Adapter> Drop for InLine<'_, A> {
    fn drop(&mut self) {
        // Dropped after the lock is released: a sender's drop wakes the other side.
        let waiting = self.shared.lock().admission.leave(self.ticket);
        drop(waiting);
    }
}

impl<A: Adapter> Shared<A> {
    /// Waits for the last worker's end, and ends what the backend keeps.
    async fn end(&self) {
        self.all_left().await;
        self.backend.close().await;
        self.lock().phase = Phase::Stopped;
        self.changed.send_replace(());
    }

    /// Resolves when no slot has a task any more, and so no process.
    async fn all_left(&self) {
        let mut changed = self.changed.subscribe();
        while self.lock().slots.iter().any(|slot| slot.kept) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }
}

impl<A: Adapter> State<A> {
    fn order_all(&mut self, order: Order) {
        for entry in &mut self.slots {
            entry.unwant(order);
        }
    }
}

impl Slot {
    fn new() -> Slot {
        Slot {
            state: SlotState::Vacant,
            order: tokio::sync::watch::Sender::new(Order::Keep),
            generation: 0,
            kept: false,
            row: None,
            trouble: None,
        }
    }

    fn unwant(&mut self, order: Order) {
        self.state = self.state.step(SlotEvent::Unwanted);
        if *self.order.borrow() != order {
            self.order.send_replace(order);
        }
    }
}

async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
