//! One embedded platform: its runtime, its pools, its sessions. Several may live in one process;
//! nothing here is shared between them or touches the process around them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::runtime::{Handle, Runtime};

use crate::config::PlatformConfig;
use crate::core::nearest::suggestion;
use crate::core::{Error, Result, SessionId, Status};
use crate::operations::{CallPool, Operation, Services};
use crate::sessions::Sessions;
use crate::snakepit::Instance;
use crate::state::{Pending, SessionCommand, SessionReply};
use crate::telemetry::{LogHub, Metrics};
use crate::transport::{Endpoint, Listener};

use super::assembly;
use super::pool::PoolRef;
use super::session::{Session, SessionOperations, SessionOptions};
use super::shutdown::{Closing, Shutdown};

/// One embedded platform. Shared; dropping the last reference without a shutdown ends its workers
/// at once.
pub struct Platform {
    pub(super) config: PlatformConfig,
    pub(super) handle: Handle,
    pub(super) services: Arc<Services>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) live: RwLock<HashMap<SessionId, Arc<SessionOperations>>>,
    pub(super) pools: HashMap<String, CallPool>,
    pub(super) logs: Arc<LogHub>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) closing: Mutex<Closing>,
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
        assembly::open(config)
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

    /// Opens a session. `AlreadyExists` for an id in use, `ResourceExhausted` at the quota.
    pub fn open_session(self: &Arc<Self>, options: SessionOptions) -> Result<Session> {
        self.check_open()?;
        let options = options.or_affinity(self.config.sessions.affinity);
        let session = self.sessions.open(options, |id, about| {
            let opened = self.services.store.session(SessionCommand::Open { id, about });
            match self.wait(opened)? {
                SessionReply::Opened(row) => Ok(row.key),
                _ => Err(Error::new(Status::Store, "the store did not open the session")),
            }
        })?;
        let operations = Arc::new(SessionOperations::default());
        self.live.write().insert(session.id().clone(), operations.clone());
        self.metrics.sessions().inc();
        Ok(Session { platform: self.clone(), session, operations })
    }

    /// The open session of that name.
    pub fn session(self: &Arc<Self>, id: &str) -> Result<Session> {
        self.check_open()?;
        let id = SessionId::new(id)?;
        let session = self.sessions.get(&id);
        let operations = self.live.read().get(&id).cloned();
        match (session, operations) {
            (Some(session), Some(operations)) => {
                Ok(Session { platform: self.clone(), session, operations })
            }
            _ => Err(Error::new(Status::NotFound, format!("no session {id} is open"))),
        }
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

    /// The outcome of something that a store may do later. Blocks the calling thread, which must
    /// not be one of the runtime's.
    pub(super) fn wait<T>(&self, pending: Pending<T>) -> T {
        match pending {
            Pending::Ready(outcome) => outcome,
            Pending::Later(later) => self.handle.block_on(later),
        }
    }

    /// `Closed` once a shutdown has begun.
    pub(super) fn check_open(&self) -> Result<()> {
        match &*self.closing.lock() {
            Closing::Open { .. } => Ok(()),
            Closing::Under { .. } | Closing::Closed => {
                Err(Error::new(Status::Closed, "the platform is closing or closed"))
            }
        }
    }

    pub(super) fn call_pool(&self, name: &str) -> Result<&CallPool> {
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

/// What the empty name stands for.
const DEFAULT_POOL: &str = "default";
