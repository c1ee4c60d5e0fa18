//! The sessions that are open on this host, by name, within a quota. A session has its place from
//! before it is opened in the store until everything that belongs to it has ended, so that a later
//! one of the same name never meets what an earlier one left.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use serde_json::{Map, Value as Json};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::core::limits::METADATA_BYTES_MAX;
use crate::core::{Affinity, Error, Result, SessionId, Status};
use crate::state::{SessionAbout, SessionLoss, SessionRow};

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
    held: RwLock<Held>,
    sessions_max: usize,
    ttl: Duration,
    next_number: AtomicU64,
    /// Ended by the store, and not yet taken by whoever ends what belongs to them.
    lost: Mutex<Vec<Arc<Session>>>,
    lost_some: Notify,
}

#[derive(Debug, Default)]
struct Held {
    open: HashMap<SessionId, Arc<Session>>,
    by_incarnation: HashMap<u64, Arc<Session>>,
    /// Places of sessions that are being opened.
    promised: usize,
}

/// A place within the quota for a session that is being opened; dropping it gives the place back.
#[derive(Debug)]
pub struct Place<'a> {
    sessions: &'a Sessions,
    is_open: bool,
}

/// A session that has its place.
#[derive(Debug)]
pub enum Admitted {
    /// It was not open on this host.
    New(Arc<Session>),
    /// Somebody else has joined it meanwhile.
    Known(Arc<Session>),
}

impl Sessions {
    /// At most `sessions_max` are open at once; those that name no time of their own live for `ttl`
    /// after their last use.
    pub fn new(sessions_max: usize, ttl: Duration) -> Self {
        Sessions {
            held: RwLock::default(),
            sessions_max,
            ttl,
            next_number: AtomicU64::new(1),
            lost: Mutex::default(),
            lost_some: Notify::new(),
        }
    }

    /// What the store is to keep of a session. `InvalidArgument` for a bad id, too much metadata or
    /// a time of zero.
    pub fn plan(&self, options: OpenSession) -> Result<(SessionId, SessionAbout)> {
        let id = match &options.id {
            Some(id) => SessionId::new(id)?,
            None => SessionId::generate()?,
        };
        let ttl = options.ttl.unwrap_or(self.ttl);
        if ttl.is_zero() {
            let message = "session time to live is 0, expected at least 1 ms";
            return Err(Error::invalid(message).with("field", "ttl_ms"));
        }
        let metadata = Json::Object(options.metadata.unwrap_or_default()).to_string();
        check_metadata(&metadata)?;
        Ok((id, SessionAbout { metadata: metadata.into(), ttl, affinity: options.affinity }))
    }

    /// A place for one more. `ResourceExhausted` at the quota.
    pub fn place(&self) -> Result<Place<'_>> {
        let mut held = self.held.write();
        let count = held.open.len() + held.promised;
        if count >= self.sessions_max {
            let message = format!("{count} sessions are open, the limit is {}", self.sessions_max);
            return Err(
                Error::new(Status::ResourceExhausted, message).with("limit", self.sessions_max)
            );
        }
        held.promised += 1;
        Ok(Place { sessions: self, is_open: true })
    }

    /// The session of that name, also while it is being ended. Looking it up is no use of it.
    pub fn get(&self, id: &SessionId) -> Option<Arc<Session>> {
        self.held.read().open.get(id).cloned()
    }

    /// All that have a place, ordered by name.
    pub fn list(&self) -> Vec<Arc<Session>> {
        let mut all: Vec<_> = self.held.read().open.values().cloned().collect();
        all.sort_unstable_by(|a, b| a.id().cmp(b.id()));
        all
    }

    /// How many have a place.
    pub fn len(&self) -> usize {
        self.held.read().open.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives back the place of a session that has ended, and whose belongings have.
    pub fn remove(&self, session: &Arc<Session>) {
        let mut held = self.held.write();
        if let Entry::Occupied(entry) = held.open.entry(session.id().clone())
            && Arc::ptr_eq(entry.get(), session)
        {
            entry.remove();
            held.by_incarnation.remove(&session.key().incarnation);
        }
    }

    /// Sessions that nobody on this host has used for their time; they stay open.
    pub fn due(&self, now: Instant) -> Vec<Arc<Session>> {
        let held = self.held.read();
        held.open.values().filter(|session| session.is_due(now)).cloned().collect()
    }

    /// Sessions of whose use the store has to be told by now.
    pub fn used(&self, now: Instant) -> Vec<Arc<Session>> {
        let held = self.held.read();
        let shared = held.open.values().filter(|session| session.is_shared());
        shared.filter(|session| !session.is_closed() && session.take_use(now)).cloned().collect()
    }

    /// The shortest time to live among the sessions that other hosts may have open as well.
    pub fn shortest_shared_ttl(&self) -> Option<Duration> {
        let held = self.held.read();
        held.open.values().filter(|session| session.is_shared()).map(|open| open.ttl()).min()
    }

    /// The store says that a session is over: it ends at once, and is handed to `lost` for what
    /// belongs to it. Never waits.
    pub fn lose(&self, incarnation: u64, loss: SessionLoss) {
        let session = self.held.read().by_incarnation.get(&incarnation).cloned();
        let Some(session) = session else { return };
        if session.end(loss.into()) {
            self.lost.lock().push(session);
            self.lost_some.notify_one();
        }
    }

    /// Waits for sessions that the store has ended, and hands them to the one caller who ends what
    /// belongs to them.
    pub async fn lost(&self) -> Vec<Arc<Session>> {
        loop {
            let lost = std::mem::take(&mut *self.lost.lock());
            if !lost.is_empty() {
                return lost;
            }
            self.lost_some.notified().await;
        }
    }
}

impl Place<'_> {
    /// Takes the place for a session that is open in the store. `AlreadyExists` while an earlier
    /// one of the same name is being ended here.
    pub fn admit(mut self, row: SessionRow) -> Result<Admitted> {
        let SessionRow { key, about } = row;
        let metadata = serde_json::from_slice(&about.metadata).map_err(|error| {
            let message = format!("the store's metadata of session {}: {error}", key.id);
            Error::new(Status::Store, message)
        })?;
        let mut held = self.sessions.held.write();
        held.promised -= 1;
        self.is_open = false;
        if let Some(known) = held.open.get(&key.id) {
            let is_same = known.key().incarnation == key.incarnation && !known.is_closed();
            return if is_same { Ok(Admitted::Known(known.clone())) } else { Err(taken(&key.id)) };
        }
        let number = self.sessions.next_number.fetch_add(1, Ordering::Relaxed);
        let session = Arc::new(Session::new(key, number, about, metadata));
        held.by_incarnation.insert(session.key().incarnation, session.clone());
        held.open.insert(session.id().clone(), session.clone());
        Ok(Admitted::New(session))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.is_open {
            self.sessions.held.write().promised -= 1;
        }
    }
}

/// Refuses an id that is in use on this host.
pub fn taken(id: &SessionId) -> Error {
    Error::new(Status::AlreadyExists, format!("session {id} is open already"))
        .with("session", id.as_str())
}

fn check_metadata(metadata: &str) -> Result<()> {
    let given = metadata.len();
    if given <= METADATA_BYTES_MAX {
        return Ok(());
    }
    let message = format!("session metadata has {given} bytes, the limit is {METADATA_BYTES_MAX}");
    Err(Error::invalid(message).with("field", "metadata").with("limit", METADATA_BYTES_MAX))
}

#[cfg(test)]
mod tests;
