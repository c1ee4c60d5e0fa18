//! The pool as its owner sees it.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::adapter::Adapter;
use super::admission::{Claim, Home, NoPlace};
use super::backend::Backend;
use super::config::PoolConfig;
use super::error::PoolError;
use super::ids::WorkerId;
use super::lease::Lease;
use super::lifecycle::PoolEvent;
use super::moment::passed;
use super::shared::Shared;
use super::sizing::Size;
use super::stats::{PoolState, PoolStats};
use super::steward;

/// Workers of one kind, kept alive. Dropping it without `stop` makes all of them leave.
pub struct Pool<A: Adapter> {
    pub(super) shared: Arc<Shared<A>>,
}

impl<A: Adapter> Pool<A> {
    /// Returns at once; the workers start in the background, on `runtime`.
    pub fn start(
        config: PoolConfig,
        backend: Arc<dyn Backend>,
        adapter: Arc<A>,
        runtime: Handle,
    ) -> Arc<Pool<A>> {
        let (min, max) = (config.workers, config.workers_max);
        let pool = Pool { shared: Arc::new(Shared::new(config, backend, adapter, runtime)) };
        pool.shared.runtime.spawn(steward::keep_house(pool.shared.clone()));
        pool.resize(min, max);
        Arc::new(pool)
    }

    /// A lease, if a ready worker has room and nobody waits for it; `Ok(None)`: one must queue.
    /// With a `home`, the worker that served its key before; see `Affinity`.
    pub fn try_acquire(&self, home: Option<Home>) -> Result<Option<Lease<A>>, PoolError> {
        self.shared.take_free(home)
    }

    /// Waits for a lease; groups take turns at that, see `Claim`. Refuses at once when too many
    /// wait, the pool is closed or its workers cannot be started; when the wait, by what recent
    /// leases took, would be more than twice as long as there is time; and a strict caller when
    /// its home is gone. Dropping the future ends the waiting.
    pub async fn acquire(
        &self,
        deadline: Option<Instant>,
        home: Option<Home>,
        claim: Claim,
    ) -> Result<Lease<A>, PoolError> {
        let began = Instant::now();
        if deadline.is_some_and(|deadline| deadline <= began) {
            return Err(self.late(began));
        }
        let mut place = match self.take_or_queue(deadline, home, claim, began)? {
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

    /// Wants at least `min` workers from now on, and under load up to `max`; a `max` below `min`
    /// counts as `min`. More are started at once; those too many finish their work and leave. A
    /// drained pool takes work again.
    pub fn resize(&self, min: usize, max: usize) {
        {
            let mut state = self.shared.lock();
            let state = &mut *state;
            state.phase = state.phase.step(PoolEvent::SizeAsked);
            if !state.phase.is_open() {
                return;
            }
            state.size = Size { min, max: max.max(min) };
            state.wanted = state.wanted.clamp(state.size.min, state.size.max);
            self.shared.arrange(state);
        }
        self.shared.settle();
    }

    /// Has `worker` replaced for `reason`: another one is made ready, then this one finishes its
    /// work and leaves. Nothing happens if it is leaving already.
    pub fn replace(&self, worker: WorkerId, reason: &str) {
        self.shared.lock().ask_replacement(worker, reason);
        self.shared.nudge.notify_one();
    }

    pub fn stats(&self) -> PoolStats {
        self.shared.lock().stats()
    }

    pub fn state(&self) -> PoolState {
        let mut state = self.shared.lock();
        state.assess();
        state.pool_state()
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

    /// Under one lock, so that a place that becomes free meanwhile is not missed.
    fn take_or_queue(
        &self,
        deadline: Option<Instant>,
        home: Option<Home>,
        claim: Claim,
        now: Instant,
    ) -> Result<Place<'_, A>, PoolError> {
        let mut state = self.shared.lock();
        if let Some(seated) = state.take_free(home)? {
            drop(state);
            return Ok(Place::Lease(Lease::new(self.shared.clone(), seated)));
        }
        let (waiting, answer) = oneshot::channel();
        let queued = match state.failure() {
            Some(failure) => Err(PoolError::Failed(failure)),
            None => state.check_deadline(home, claim, deadline, now),
        };
        let queued = queued.and_then(|()| {
            state.admission.enqueue(waiting, home, claim, now).map_err(|why| match why {
                NoPlace::Full => PoolError::Full { queue_max: self.shared.config.queue_max },
                NoPlace::Home(why) => why.into(),
            })
        });
        state.counts.refused += u64::from(queued.is_err());
        if state.admission.queued() == 1 {
            // Waiting may be a reason to grow.
            self.shared.nudge.notify_one();
        }
        Ok(Place::InLine(InLine { shared: &self.shared, ticket: queued?, answer }))
    }

    fn late(&self, began: Instant) -> PoolError {
        self.shared.lock().counts.refused += 1;
        PoolError::DeadlinePassed { waited: began.elapsed() }
    }

    fn readiness(&self, workers: usize) -> Option<Result<(), PoolError>> {
        let state = self.shared.lock();
        if let Err(refusal) = state.check_open() {
            return Some(Err(refusal));
        }
        if state.admission.open_seats() >= workers {
            return Some(Ok(()));
        }
        let failing = state.intensity.is_failing(Instant::now());
        let failure = state.last_failure.clone().filter(|_| failing);
        failure.map(|failure| Err(PoolError::Failed(failure)))
    }
}

impl<A: Adapter> Drop for Pool<A> {
    fn drop(&mut self) {
        self.abandon();
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
