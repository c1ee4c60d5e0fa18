//! A session as a host holds it: a place for variables, tools and operations that end together.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::core::{Affinity, CallId, Deadline, Error, Result, SessionId, Status, Value};
use crate::operations::{Job, Operation, Roster};
use crate::sessions::OpenSession;
use crate::state::SessionKey;

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

    /// Id, metadata, ages, and how much it holds: what `sessions::Session::info` tells, and
    /// `operations_running`, `store`, `variables`, `bytes` and `revision`. It counts as a use.
    /// Waits for the store.
    pub fn info(&self) -> Result<serde_json::Value> {
        self.check_open()?;
        let services = &self.platform.services;
        let measure = self.platform.wait(services.variables.measure(self.key()))?;
        let mut info = self.session.info();
        if let Some(fields) = info.as_object_mut() {
            fields.insert("operations_running".to_owned(), self.operations.len().into());
            fields.insert("store".to_owned(), services.store.name().into());
            fields.insert("variables".to_owned(), measure.variables.into());
            fields.insert("bytes".to_owned(), measure.bytes.into());
            fields.insert("revision".to_owned(), measure.revision.into());
        }
        Ok(info)
    }

    /// Counts as a use: its time to live starts again. `Closed`, `LeaseLost`.
    pub fn touch(&self) -> Result<()> {
        self.check_open()
    }

    /// An operation that closes the session, for every host: its operations are cancelled, its
    /// tools and variables go. One that is closed already is `Closed`. What it began is done even
    /// if nobody waits for it.
    pub fn close(&self) -> Result<Arc<Operation>> {
        self.check_open()?;
        let Session { platform, session, .. } = self.clone();
        let handle = platform.handle.clone();
        let close = async move {
            let handle = platform.handle.clone();
            let ending = handle.spawn(async move { platform.close_session(&session).await });
            ending.await.map_err(|_| Error::new(Status::Internal, "the close broke off"))??;
            Ok(Value::null())
        };
        Ok(Job::operation(handle, Deadline::NEVER, close))
    }

    /// `Closed` or `LeaseLost` once it has ended; otherwise a use of it.
    pub(super) fn check_open(&self) -> Result<()> {
        self.platform.check_open()?;
        if let Some(end) = self.session.ended() {
            return Err(end.refusal(self.id()));
        }
        self.session.touch();
        Ok(())
    }
}

impl Roster for SessionOperations {
    fn ended(&self, call: CallId) {
        self.running.lock().remove(&call);
    }
}

impl SessionOperations {
    pub fn add(&self, id: CallId, operation: &Arc<Operation>) {
        self.running.lock().insert(id, Arc::downgrade(operation));
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
