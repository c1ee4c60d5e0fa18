//! The right to give one piece of work to one worker.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::adapter::Adapter;
use super::exit::{Cause, Exit, ExitKind, Verdict};
use super::ids::WorkerId;
use super::journey::Journey;
use super::shared::Shared;

/// A ready worker, shared by its leases and by the task that keeps it.
pub struct Seated<A: Adapter> {
    pub worker: WorkerId,
    pub link: A::Link,
    pub exit: watch::Receiver<Option<Exit>>,
    /// Set once the pool has given the worker up, before it is killed.
    pub verdict: watch::Sender<Option<Verdict>>,
    /// Set off when a worker that gets no new work has none left.
    pub idle: Notify,
    /// Set off when the worker is to be replaced, for the reason beside it.
    pub recycle: Notify,
    pub recycle_reason: OnceLock<String>,
}

/// One unit of a worker's capacity. Dropping it gives the unit back, at once and without waiting.
pub struct Lease<A: Adapter> {
    shared: Arc<Shared<A>>,
    seated: Arc<Seated<A>>,
    given_at: Instant,
    /// Read and written under the pool's lock only.
    lent: AtomicBool,
    /// It was lent at some time, so its duration says little about how long work takes.
    was_lent: AtomicBool,
}

impl<A: Adapter> Lease<A> {
    pub(super) fn new(shared: Arc<Shared<A>>, seated: Arc<Seated<A>>) -> Self {
        let given_at = Instant::now();
        let (lent, was_lent) = (AtomicBool::new(false), AtomicBool::new(false));
        Lease { shared, seated, given_at, lent, was_lent }
    }

    /// Through which the worker is spoken to.
    pub fn link(&self) -> &A::Link {
        &self.seated.link
    }

    pub fn worker(&self) -> WorkerId {
        self.seated.worker
    }

    /// Resolves when the worker and its process tree are gone, at once if they are already. It does
    /// not keep the lease.
    pub fn exited(&self) -> impl Future<Output = Exit> + Send + use<A> {
        let mut exit = self.seated.exit.clone();
        async move {
            let seen = exit.wait_for(Option::is_some).await.ok().and_then(|exit| exit.clone());
            seen.unwrap_or_else(unreported)
        }
    }

    /// Resolves as soon as the pool has given the worker up because it hangs, takes too much memory
    /// or has to go by force: nothing more will come from it, although its end is yet to come. For
    /// a worker that ends in another way it does not resolve. It does not keep the lease.
    pub fn failing(&self) -> impl Future<Output = Verdict> + Send + use<A> {
        let mut verdict = self.seated.verdict.subscribe();
        async move {
            let seen = verdict.wait_for(Option::is_some).await.ok().and_then(|seen| seen.clone());
            match seen {
                Some(verdict) => verdict,
                None => std::future::pending().await,
            }
        }
    }

    /// The work waits for the host: until `reclaim` the unit may be given to other work, so that
    /// what the host asks for meanwhile cannot starve. Lending what is lent changes nothing.
    pub fn lend(&self) {
        self.was_lent.store(true, Ordering::Relaxed);
        self.shared.lend(self.seated.worker, &self.lent);
    }

    /// The work runs again. Never waits: for a moment a worker may run more than its capacity.
    pub fn reclaim(&self) {
        self.shared.reclaim(self.seated.worker, &self.lent);
    }
}

impl<A: Adapter> Drop for Lease<A> {
    fn drop(&mut self) {
        let took = (!*self.was_lent.get_mut()).then(|| self.given_at.elapsed());
        self.shared.give_back(self.seated.worker, *self.lent.get_mut(), took);
    }
}

/// For a pool whose runtime was shut down under it: the guards end the workers, nobody is left to
/// say how.
fn unreported() -> Exit {
    Exit {
        kind: ExitKind::GuardLost,
        cause: Cause::Unasked,
        reason: None,
        stderr_tail: Arc::from(""),
        journey: Arc::new(Journey::begin()),
    }
}
