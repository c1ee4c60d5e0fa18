//! The sessions of one platform by name, within a quota. Closing takes a session out of here once;
//! ending what belongs to it is up to the one who closed it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use serde_json::{Map, Value as Json};
use tokio::time::Instant;

use crate::core::limits::METADATA_BYTES_MAX;
use crate::core::{Affinity, Error, Result, SessionId, Status};
use crate::state::{SessionAbout, SessionKey};

use super::session::Session;

/// How a session is to be.
#[derive(Clone, Debug, Default)]
pub struct OpenSession {
    /// None: a random one.
    pub id: Option<String>,
    /// Kept and shown, never interpreted; at most `METADATA_BYTES_MAX` as JSON.
    pub metadata: Option<Map<String, Json>>,
    /// None: the registry's own.
    pub ttl: Option<Duration>,
    pub affinity: Affinity,
}

/// The open sessions.
#[derive(Debug)]
pub struct Sessions {
    open: RwLock<HashMap<SessionId, Arc<Session>>>,
    sessions_max: usize,
    ttl: Duration,
    next_number: AtomicU64,
}

impl Sessions {
    /// At most `sessions_max` are open at once; those that name no time of their own live for `ttl`
    /// after their last use.
    pub fn new(sessions_max: usize, ttl: Duration) -> Self {
        Sessions { open: RwLock::default(), sessions_max, ttl, next_number: AtomicU64::new(1) }
    }

    /// Opens a session; `in_store` opens it in the store. `InvalidArgument` for a bad id, too much
    /// metadata or a time of zero, `AlreadyExists` for an id in use, `ResourceExhausted` at the
    /// quota.
    pub fn open(
        &self,
        options: OpenSession,
        in_store: impl FnOnce(&SessionId, SessionAbout) -> Result<SessionKey>,
    ) -> Result<Arc<Session>> {
        let id = match &options.id {
            Some(id) => SessionId::new(id)?,
            None => SessionId::generate()?,
        };
        let ttl = options.ttl.unwrap_or(self.ttl);
        if ttl.is_zero() {
            let message = "session time to live is 0, expected at least 1 ms";
            return Err(Error::invalid(message).with("field", "ttl_ms"));
        }
        let metadata = options.metadata.unwrap_or_default();
        check_metadata(&metadata)?;
        let kept = serde_json::Value::Object(metadata.clone()).to_string().into();
        let about = SessionAbout { metadata: kept, ttl, affinity: options.affinity };
        let key = in_store(&id, about)?;
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        self.insert(Arc::new(Session::new(key, number, metadata, ttl, options.affinity)))
    }

    /// The open session of that name. Looking it up is no use of it.
    pub fn get(&self, id: &SessionId) -> Option<Arc<Session>> {
        self.open.read().get(id).cloned()
    }

    /// All open sessions, ordered by name.
    pub fn list(&self) -> Vec<Arc<Session>> {
        let mut all: Vec<_> = self.open.read().values().cloned().collect();
        all.sort_unstable_by(|a, b| a.id().cmp(b.id()));
        all
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.read().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closes a session. The one caller who gets it ends what belongs to it; for everybody else it
    /// is gone already.
    pub fn close(&self, id: &SessionId) -> Option<Arc<Session>> {
        let mut open = self.open.write();
        let session = open.remove(id)?;
        session.end();
        Some(session)
    }

    /// Open sessions that have been unused for their time; they stay open. One that is used before
    /// it is closed is cut off all the same: prefer `expire_due`.
    pub fn due(&self, now: Instant) -> Vec<Arc<Session>> {
        self.open.read().values().filter(|session| session.is_due(now)).cloned().collect()
    }

    /// Closes every session that has been unused for its time, and hands them to the one caller who
    /// ends what belongs to them. A use that comes in between saves its session.
    pub fn expire_due(&self, now: Instant) -> Vec<Arc<Session>> {
        let due = self.due(now);
        if due.is_empty() {
            return due;
        }
        let mut open = self.open.write();
        due.into_iter()
            .filter(|session| {
                let is_same = open.get(session.id()).is_some_and(|held| Arc::ptr_eq(held, session));
                let expires = is_same && session.is_due(now) && session.end();
                if expires {
                    open.remove(session.id());
                }
                expires
            })
            .collect()
    }

    fn insert(&self, session: Arc<Session>) -> Result<Arc<Session>> {
        let mut open = self.open.write();
        let count = open.len();
        match open.entry(session.id().clone()) {
            Entry::Occupied(_) => {
                let message = format!("session {} is open already", session.id());
                Err(Error::new(Status::AlreadyExists, message)
                    .with("session", session.id().as_str()))
            }
            Entry::Vacant(_) if count >= self.sessions_max => {
                let message =
                    format!("{count} sessions are open, the limit is {}", self.sessions_max);
                Err(Error::new(Status::ResourceExhausted, message).with("limit", self.sessions_max))
            }
            Entry::Vacant(place) => Ok(place.insert(session).clone()),
        }
    }
}

fn check_metadata(metadata: &Map<String, Json>) -> Result<()> {
    if metadata.is_empty() {
        return Ok(());
    }
    let given = serde_json::to_string(metadata).map_or(usize::MAX, |text| text.len());
    if given <= METADATA_BYTES_MAX {
        return Ok(());
    }
    let message = format!("session metadata has {given} bytes, the limit is {METADATA_BYTES_MAX}");
    Err(Error::invalid(message).with("field", "metadata").with("limit", METADATA_BYTES_MAX))
}

#[cfg(test)]
mod tests;
