//! The ways in which a pool empties: drained for a while, stopped for good.
//!
//! Both are bounded, and go on when whoever asked for them goes away. What happens to one worker on
//! its way out is not known here.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::adapter::Adapter;
use super::error::PoolError;
use super::lifecycle::{Phase, PoolEvent};
use super::pool::Pool;
use super::shared::{Order, Shared};

impl<A: Adapter> Pool<A> {
    /// Takes no new work, refuses those who wait, and lets the workers leave: at once when they
    /// have finished what runs, with TERM after `grace`. Resolves when no worker is left; the next
    /// `resize` opens the pool again, and before that calls the drain off.
    pub async fn drain(&self, grace: Duration) -> Result<(), PoolError> {
        if self.shared.begin(PoolEvent::DrainAsked, Order::Drain, &PoolError::Drained) {
            let shared = self.shared.clone();
            // A task of its own: a caller who gives up does not stop the draining.
            self.shared.runtime.spawn(async move { shared.drained(grace).await });
        }
        match self.shared.leaves(Phase::Draining).await {
            Phase::Drained => Ok(()),
            Phase::Stopping | Phase::Stopped => Err(PoolError::Closed),
            _ => Err(PoolError::CalledOff),
        }
    }

    /// Ends all workers: asks them to finish, after `grace` with TERM, and soon after that with
    /// KILL. Takes at most two seconds longer than `grace`. Everyone who calls it waits for the
    /// same end; the first grace counts.
    pub async fn stop(&self, grace: Duration) {
        if self.shared.begin(PoolEvent::StopAsked, Order::Drain, &PoolError::Closed) {
            self.finish(grace);
        }
        self.shared.leaves(Phase::Stopping).await;
    }

    /// Lets all workers leave at once; nobody waits for it.
    pub(super) fn abandon(&self) {
        if self.shared.begin(PoolEvent::StopAsked, Order::Leave, &PoolError::Closed) {
            self.finish(Duration::ZERO);
        }
    }

    fn finish(&self, grace: Duration) {
        let end = End(self.shared.clone());
        // A task of its own: a caller who gives up does not stop the stopping.
        self.shared.runtime.spawn(async move {
            let bound = grace.saturating_add(OVERTIME);
            if tokio::time::timeout(bound, end.0.ended(grace)).await.is_err() {
                let pool = &end.0.config.name;
                tracing::error!(pool, "not all workers have gone in time; their guards end them");
            }
        });
    }
}

/// Whatever becomes of the stopping, also if its runtime is gone: in the end the pool has stopped.
struct End<A: Adapter>(Arc<Shared<A>>);

impl<A: Adapter> Drop for End<A> {
    fn drop(&mut self) {
        self.0.enter(Phase::Stopping, PoolEvent::Emptied);
    }
}

impl<A: Adapter> Shared<A> {
    /// Begins to empty the pool; true for the first.
    fn begin(self: &Arc<Self>, event: PoolEvent, order: Order, refusal: &PoolError) -> bool {
        let dismissed = {
            let mut state = self.lock();
            let phase = state.phase.step(event);
            if phase == state.phase {
                return false;
            }
            state.phase = phase;
            state.order_all(order);
            let dismissed = state.admission.dismiss_all();
            state.counts.refused += dismissed.len() as u64;
            dismissed
        };
        for waiting in dismissed {
            // One who has just given up needs no answer.
            let _ = waiting.send(Err(refusal.clone()));
        }
        self.changed.send_replace(());
        self.nudge.notify_one();
        true
    }

    async fn drained(self: &Arc<Self>, grace: Duration) {
        if tokio::time::timeout(grace, self.emptied(Phase::Draining)).await.is_err() {
            let mut state = self.lock();
            if state.phase == Phase::Draining {
                state.order_all(Order::Leave);
            }
        }
        if self.emptied(Phase::Draining).await {
            self.enter(Phase::Draining, PoolEvent::Emptied);
        }
    }

    /// Waits for the last worker's end, and ends what the backend keeps.
    async fn ended(self: &Arc<Self>, grace: Duration) {
        if tokio::time::timeout(grace, self.emptied(Phase::Stopping)).await.is_err() {
            self.hurried.store(true, Ordering::Relaxed);
            self.lock().order_all(Order::Leave);
            self.emptied(Phase::Stopping).await;
        }
        self.backend.close().await;
    }

    /// Resolves when no slot has a task any more, and so no process: true. Or when the pool is in
    /// another phase.
    async fn emptied(&self, phase: Phase) -> bool {
        let mut changed = self.changed.subscribe();
        loop {
            {
                let state = self.lock();
                if state.phase != phase {
                    return false;
                }
                if !state.slots.iter().any(|slot| slot.kept) {
                    return true;
                }
            }
            if changed.changed().await.is_err() {
                return false;
            }
        }
    }

    /// The phase that follows `phase`.
    async fn leaves(&self, phase: Phase) -> Phase {
        let mut changed = self.changed.subscribe();
        loop {
            let now = self.lock().phase;
            if now != phase || changed.changed().await.is_err() {
                return now;
            }
        }
    }

    fn enter(&self, from: Phase, event: PoolEvent) {
        {
            let mut state = self.lock();
            if state.phase == from {
                state.phase = state.phase.step(event);
            }
        }
        self.changed.send_replace(());
    }
}

/// What a stop may take beyond its grace. After that its workers' guards are still at work, and the
/// end of the runtime ends what they keep.
const OVERTIME: Duration = Duration::from_secs(2);
