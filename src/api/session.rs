//! A session as a host holds it: a place for variables, tools and operations that end together.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::core::{Affinity, CallId, Deadline, Error, Result, SessionId, Status, Value};
use crate::operations::{Job, Operation};
use crate::sessions::{self, OpenSession};
use crate::state::{SessionCommand, SessionKey, WatchEnd};

use super::platform::Platform;

/// An open session. Clones are the same session; dropping them does not close it.
#[derive(Clone)]
pub struct Session {
    pub(super) platform: Arc<Platform>,
    pub(super) session: Arc<crate::sessions::Session>,
    pub(super) operations: Arc<SessionOperations>,
}

/// How a session is to be.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// None: generated.
    pub id: Option<String>,
    /// Kept and shown, never interpreted.
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// Closed when unused for so long. None: the configured time.
    pub ttl: Option<Duration>,
    /// Whether its calls keep to one worker. None: as configured.
    pub affinity: Option<Affinity>,
}

impl SessionOptions {
    /// The options in full, where `affinity` is the configured one.
    pub(super) fn or_affinity(self, affinity: Affinity) -> OpenSession {
        let SessionOptions { id, metadata, ttl, affinity: own } = self;
        OpenSession { id, metadata, ttl, affinity: own.unwrap_or(affinity) }
    }
}

/// The operations of a session that have not ended.
#[derive(Default)]
pub(super) struct SessionOperations {
    running: Mutex<FxHashMap<CallId, Weak<Operation>>>,
}

impl Session {
    pub fn id(&self) -> &SessionId {
        self.session.id()
    }

    pub(super) fn key(&self) -> &SessionKey {
        self.session.key()
    }

    /// Id, metadata, ages, and how much it holds.
    pub fn info(&self) -> Result<serde_json::Value> {
        self.check_open()?;
        let mut info = self.session.info();
        if let Some(fields) = info.as_object_mut() {
            fields.insert("operations_running".to_owned(), self.operations.len().into());
        }
        Ok(info)
    }

    /// An operation that closes the session: its operations are cancelled, its tools and variables
    /// go. One that is closed already is `Closed`.
    pub fn close(&self) -> Result<Arc<Operation>> {
        self.check_open()?;
        let session = self.clone();
        let close = async move {
            session.platform.end_session(session.id()).await?;
            Ok(Value::null())
        };
        Ok(Job::operation(self.platform.handle.clone(), Deadline::NEVER, close))
    }

    pub(super) fn check_open(&self) -> Result<()> {
        self.platform.check_open()?;
        if self.session.is_closed() {
            return Err(Error::new(Status::Closed, format!("session {} is closed", self.id())));
        }
        self.session.touch();
        Ok(())
    }
}

impl Platform {
    /// Closes a session and ends everything that belongs to it, once.
    pub(super) async fn end_session(&self, id: &SessionId) -> Result<()> {
        match self.sessions.close(id) {
            None => Ok(()),
            Some(session) => self.clear_session(&session).await,
        }
    }

    /// Ends what belongs to a session that has just been closed or has expired.
    pub(super) async fn clear_session(&self, session: &sessions::Session) -> Result<()> {
        let id = session.id();
        self.metrics.sessions().dec();
        let operations = self.live.write().remove(id);
        if let Some(operations) = operations {
            operations.stop_all(|| {
                Error::new(Status::Cancelled, "the session was closed while the operation ran")
            });
        }
        self.pools.values().for_each(|pool| pool.workers.forget(session.number()));
        self.services.tools.close_session(id);
        let incarnation = session.key().incarnation;
        self.services.watches.end(incarnation, WatchEnd::SessionClosed);
        let close = SessionCommand::Close { session: session.key() };
        self.services.store.session(close).resolve().await.map(drop)
    }
}

impl SessionOperations {
    pub fn add(&self, id: CallId, operation: &Arc<Operation>) {
        self.running.lock().insert(id, Arc::downgrade(operation));
    }

    pub fn remove(&self, id: CallId) {
        self.running.lock().remove(&id);
    }

    pub fn len(&self) -> usize {
        self.running.lock().len()
    }

    /// One that has not ended.
    pub fn any(&self) -> Option<Arc<Operation>> {
        self.running.lock().values().find_map(Weak::upgrade)
    }

    /// Ends each with its own copy of the error.
    pub fn stop_all(&self, error: impl Fn() -> Error) {
        let all: Vec<_> = self.running.lock().values().filter_map(Weak::upgrade).collect();
        for operation in all {
            operation.stop(error());
        }
    }
}
