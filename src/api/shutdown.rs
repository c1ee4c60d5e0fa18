//! The end of a platform, in order and within a bound: no new work, a grace for what runs, typed
//! ends for the rest, workers gone, threads gone, and only then the word that it is over.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::core::limits::STORE_CLOSE_GRACE;
use crate::core::{Error, Result, Status, Value};
use crate::operations::{Operation, Work};
use crate::sessions::SessionEnd;

use super::platform::{Machinery, Platform};
use super::stuck_tools::StuckTools;

/// How far the end has come.
pub(super) enum Closing {
    Open { hooks: Hooks },
    Under { hooks: Hooks, waiting: Vec<Arc<Operation>> },
    Closed,
}

type Hooks = Vec<Box<dyn FnOnce() + Send>>;

/// The work of a shutdown operation.
pub(super) struct Shutdown {
    platform: Arc<Platform>,
    grace: Duration,
    me: Weak<Shutdown>,
}

impl Shutdown {
    pub fn operation(platform: Arc<Platform>, grace: Duration) -> Arc<Operation> {
        Operation::new(Arc::new_cyclic(|me| Shutdown { platform, grace, me: me.clone() }))
    }

    /// Joins a shutdown under way, or begins it. `true`: the caller has to carry it out.
    fn join(&self, operation: &Arc<Operation>) -> bool {
        let mut closing = self.platform.closing.lock();
        match &mut *closing {
            Closing::Open { hooks } => {
                let hooks = std::mem::take(hooks);
                self.platform.is_closing.store(true, Ordering::Release);
                *closing = Closing::Under { hooks, waiting: vec![operation.clone()] };
                true
            }
            Closing::Under { waiting, .. } => {
                waiting.push(operation.clone());
                false
            }
            Closing::Closed => {
                drop(closing);
                operation.finish(Ok(Value::null()));
                false
            }
        }
    }

    /// Runs on a thread of its own, because it ends the runtime that everything else runs on.
    fn carry_out(&self) {
        let platform = &self.platform;
        let until = Instant::now() + self.grace;
        platform.handle.block_on(async {
            platform.drain(until).await;
            let stuck = StuckTools::of(&platform.services.tools);
            platform.stop_operations(&stuck);
            platform.services.tools.close();
            platform.end_sessions();
            platform.services.watches.close();
            let stops = platform.pools.values().map(|pool| pool.workers.stop(STOP_GRACE));
            let workers = futures_util::future::join_all(stops);
            futures_util::future::join(workers, platform.end_store(until)).await;
            stuck.tell(&platform.logs);
            platform.logs.close();
            // Subscribers still get what they have not been handed.
            let _ = tokio::time::timeout(LOGS_GRACE, platform.logs.drained()).await;
        });
        if let Some(machinery) = platform.machinery.lock().take() {
            dismantle(machinery);
        }
        self.tell();
    }

    fn tell(&self) {
        let last = std::mem::replace(&mut *self.platform.closing.lock(), Closing::Closed);
        if let Closing::Under { hooks, waiting } = last {
            for operation in waiting {
                operation.finish(Ok(Value::null()));
            }
            hooks.into_iter().for_each(|hook| hook());
        }
    }
}

impl Work for Shutdown {
    fn start(&self, operation: &Arc<Operation>) {
        operation.assigned();
        if !self.join(operation) {
            return;
        }
        let Some(me) = self.me.upgrade() else { return };
        let thread = std::thread::Builder::new().name("spb-close".to_owned());
        let platform = self.platform.clone();
        let spawned = thread.spawn(move || {
            crate::snakepit::os::block_signals_on_this_thread();
            me.carry_out();
        });
        if let Err(error) = spawned {
            let message = format!("no thread for the shutdown: {error}");
            let failed = Error::new(Status::ResourceExhausted, message);
            let mut closing = platform.closing.lock();
            *closing = Closing::Open { hooks: Vec::new() };
            platform.is_closing.store(false, Ordering::Release);
            drop(closing);
            operation.finish(Err(failed));
        }
    }

    /// A shutdown that has begun goes on: only the waiting for it is given up.
    fn stop(&self, _: Status) {}

    fn ended(&self, _: &Result<Value>) {}
}

impl Platform {
    /// Waits until nothing is in flight, at most until `until`.
    async fn drain(&self, until: Instant) {
        while self.services.in_flight.count() > 0 {
            let Some(operation) = self.any_operation() else { return };
            if tokio::time::timeout_at(until, operation.done()).await.is_err() {
                return;
            }
        }
    }

    /// Ends every session on this host. What the store has of them is the store's matter: a lasting
    /// one keeps it.
    fn end_sessions(&self) {
        for session in self.sessions.list() {
            self.end_here(&session, SessionEnd::Shutdown);
        }
    }

    /// Closes the store, and ends the wait of whoever still waits for it.
    async fn end_store(&self, until: Instant) {
        let until = until.max(Instant::now() + STORE_CLOSE_GRACE);
        if tokio::time::timeout_at(until, self.services.store.close()).await.is_err() {
            let name = self.services.store.name();
            tracing::warn!("the {name} store was still closing when the close's time was over");
        }
        self.store_ended.send_replace(true);
    }

    fn any_operation(&self) -> Option<Arc<Operation>> {
        self.live.read().values().find_map(|operations| operations.any())
    }

    fn stop_operations(&self, stuck: &StuckTools) {
        let all: Vec<_> = self.live.read().values().cloned().collect();
        for operations in all {
            operations.stop_all(|| {
                let message = "the platform was closed while the operation ran";
                let error = Error::new(Status::Cancelled, message);
                match stuck.unanswered().as_slice() {
                    [] => error,
                    names => error.with("tools_unanswered", names),
                }
            });
        }
    }
}

/// Ends the doors first, then the threads.
fn dismantle(machinery: Machinery) {
    let Machinery { runtime, instance, listener, endpoint } = machinery;
    drop(endpoint);
    drop(listener);
    instance.close();
    runtime.shutdown_timeout(RUNTIME_GRACE);
}

/// Before TERM, and after TERM before KILL.
const STOP_GRACE: Duration = Duration::from_millis(500);
/// Log records on their way to their subscribers.
const LOGS_GRACE: Duration = Duration::from_millis(200);
/// Tasks of the runtime that are in the middle of something.
const RUNTIME_GRACE: Duration = Duration::from_secs(1);
