//! One embedded platform: its runtime, its pools, its sessions. Several may live in one process;
//! nothing here is shared between them or touches the process around them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::{Mutex, RwLock};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{Notify, watch};

use crate::config::PlatformConfig;
use crate::core::nearest::suggestion;
use crate::core::{Error, Result, Status};
use crate::operations::{CallPool, Operation, Services};
use crate::sessions::Sessions;
use crate::snakepit::Instance;
use crate::state::{Backend, ChangeSink, Pending, StoreLimits};
use crate::telemetry::{LogHub, Metrics};
use crate::transport::{Endpoint, Listener, WireSeats};

use super::assembly;
use super::pool::PoolRef;
use super::session::SessionOperations;
use super::shutdown::{Closing, Shutdown};
use super::stores;

/// One embedded platform. Shared; dropping the last reference without a shutdown ends its workers
/// at once.
pub struct Platform {
    pub(super) config: PlatformConfig,
    pub(super) handle: Handle,
    pub(super) services: Arc<Services>,
    pub(super) sessions: Arc<Sessions>,
    /// The operations of each session, by its number.
    pub(super) live: RwLock<HashMap<u64, Arc<SessionOperations>>>,
    /// Tells the keeper of a session with a time of its own.
    pub(super) keeper: Arc<Notify>,
    pub(super) pools: HashMap<String, Arc<CallPool>>,
    pub(super) logs: Arc<LogHub>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) closing: Mutex<Closing>,
    /// Whether `closing` is anything but open: every call asks, from every thread of the host.
    pub(super) is_closing: AtomicBool,
    /// `true` once nobody must wait for the store any more.
    pub(super) store_ended: watch::Sender<bool>,
    /// Taken apart by the shutdown.
    pub(super) machinery: Mutex<Option<Machinery>>,
}

/// What the shutdown ends last.
pub(super) struct Machinery {
    pub runtime: Runtime,
    pub instance: Arc<Instance>,
    pub listener: Listener,
    pub endpoint: Option<Endpoint>,
}

impl Platform {
    /// Opens a platform as `config_json` says (`{}`: all defaults). Returns at once: workers start
    /// in the background. Errors name the faulty key.
    pub fn open(config_json: &[u8]) -> Result<Arc<Self>> {
        let config = PlatformConfig::from_json(config_json)?;
        let of_store = config.clone();
        assembly::open(
            config,
            Box::new(move |limits, sink, runtime| {
                stores::configured(&of_store, limits, sink, runtime)
            }),
        )
    }

    /// The same on a store of the host's own, in place of the one that `state` names: anything that
    /// keeps the promises of `state::Backend`, which `state::conformance` checks. `make` is called
    /// once, with what a session may hold, whom the store tells of changes, and the runtime for its
    /// tasks. The platform's close ends with the store's.
    pub fn open_with_store(
        config_json: &[u8],
        make: impl FnOnce(StoreLimits, Arc<dyn ChangeSink>, Handle) -> Result<Arc<dyn Backend>>
        + 'static,
    ) -> Result<Arc<Self>> {
        assembly::open(PlatformConfig::from_json(config_json)?, Box::new(make))
    }

    /// The configuration in force.
    pub fn config(&self) -> &PlatformConfig {
        &self.config
    }

    /// Where the served endpoint listens, if there is one.
    pub fn served_address(&self) -> Option<String> {
        let machinery = self.machinery.lock();
        machinery.as_ref()?.endpoint.as_ref().map(Endpoint::address)
    }

    /// The pool of that name; the empty name is "default".
    pub fn pool(self: &Arc<Self>, name: &str) -> Result<PoolRef> {
        self.check_open()?;
        let pool = self.call_pool(name)?;
        Ok(PoolRef { platform: self.clone(), pool: pool.clone() })
    }

    /// What the frameworks of all pools can do, or one of them, as their workers announced it.
    pub fn schema(&self, framework: Option<&str>) -> Result<serde_json::Value> {
        let mut all = serde_json::Map::new();
        for pool in self.pools.values() {
            if let serde_json::Value::Object(known) = pool.catalog.document(None)? {
                all.extend(known);
            }
        }
        let Some(id) = framework else { return Ok(serde_json::Value::Object(all)) };
        all.remove(id).ok_or_else(|| {
            let hint = suggestion(id, all.keys().map(String::as_str));
            Error::new(Status::NotFound, format!("no pool has a framework {id:?}{hint}"))
        })
    }

    /// All metrics as text that Prometheus reads.
    pub fn metrics_text(&self) -> String {
        self.refresh_gauges();
        self.metrics.render()
    }

    /// Threads that a host's callbacks may run on.
    pub fn callback_threads(&self) -> usize {
        self.config.callback_threads
    }

    /// Where a thread of the host that waits for workers can do their reading meanwhile.
    pub fn seats(&self) -> &Arc<WireSeats> {
        &self.services.seats
    }

    /// The log hub, for threads of the library that are not the platform's own.
    pub fn log_hub(&self) -> &Arc<LogHub> {
        &self.logs
    }

    /// An operation that closes the platform: work in flight may end within `grace` (none: the
    /// configured one), the rest is cancelled, workers leave. Idempotent: later ones share the
    /// first one's end.
    pub fn shutdown(self: &Arc<Self>, grace: Option<Duration>) -> Arc<Operation> {
        let grace = grace.unwrap_or(self.config.close_grace);
        Shutdown::operation(self.clone(), grace)
    }

    /// Calls `hook` once the platform has closed; at once if it has.
    pub fn on_closed(&self, hook: Box<dyn FnOnce() + Send>) {
        let mut closing = self.closing.lock();
        match &mut *closing {
            Closing::Open { hooks } | Closing::Under { hooks, .. } => hooks.push(hook),
            Closing::Closed => {
                drop(closing);
                hook();
            }
        }
    }

    /// The outcome of something that a store may do later. Blocks the calling thread; on a thread
    /// of an asynchronous runtime, which must not wait, it is `WouldDeadlock` where it would.
    pub(super) fn wait<T>(&self, pending: Pending<Result<T>>) -> Result<T> {
        match pending {
            Pending::Ready(outcome) => outcome,
            Pending::Later(later) => self.run(later),
        }
    }

    /// The outcome of several steps with the store, as `wait`. The platform's close ends it.
    pub(super) fn run<T>(&self, steps: impl Future<Output = Result<T>>) -> Result<T> {
        let mut steps = std::pin::pin!(steps);
        if Handle::try_current().is_ok() {
            return steps.as_mut().now_or_never().unwrap_or_else(|| Err(would_block()));
        }
        let mut ended = self.store_ended.subscribe();
        self.handle.block_on(async {
            tokio::select! {
                biased;
                outcome = steps => outcome,
                _ = ended.wait_for(|ended| *ended) => {
                    Err(Error::new(Status::Closed, "the platform was closed meanwhile"))
                }
            }
        })
    }

    /// `Closed` once a shutdown has begun.
    pub(super) fn check_open(&self) -> Result<()> {
        match self.is_closing.load(Ordering::Acquire) {
            false => Ok(()),
            true => Err(Error::new(Status::Closed, "the platform is closing or closed")),
        }
    }

    pub(super) fn call_pool(&self, name: &str) -> Result<&Arc<CallPool>> {
        let name = if name.is_empty() { DEFAULT_POOL } else { name };
        self.pools.get(name).ok_or_else(|| {
            let hint = suggestion(name, self.pools.keys().map(String::as_str));
            let message = format!("no pool {name:?} is configured{hint}");
            Error::new(Status::NotFound, message).with("pool", name)
        })
    }
}

/// A platform that nobody shut down: its doors close, and its workers die with their guards' pipes.
impl Drop for Platform {
    fn drop(&mut self) {
        let machinery = self.machinery.lock().take();
        if let Some(Machinery { runtime, instance, listener, endpoint }) = machinery {
            drop((endpoint, listener));
            runtime.shutdown_background();
            // Its directory goes with the last pool that records guards in it.
            drop(instance);
        }
    }
}

/// What a call gets that must not wait where it is.
pub(super) fn would_block() -> Error {
    let message = "a thread of an asynchronous runtime would wait for the store: call this from \
                   another one";
    Error::new(Status::WouldDeadlock, message)
}

/// What the empty name stands for.
const DEFAULT_POOL: &str = "default";
