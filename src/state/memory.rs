//! The store in memory: answers in place, loses everything with the platform.
//!
//! Each session is a room with one lock, held for short steps only. Rooms are found by incarnation,
//! so that a command for a session that has ended finds none.

mod room;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;

use crate::core::{Result, SessionId, Value};

use super::backend::{Access, Backend, Command, Reply, SessionCommand, SessionReply, StoreLimits};
use super::change::ChangeSink;
use super::fault;
use super::key::{SessionAbout, SessionKey, SessionRow};
use super::pending::Pending;

use room::Room;

/// Sessions and variables in memory.
pub struct MemoryStore {
    limits: StoreLimits,
    sink: Arc<dyn ChangeSink>,
    shards: [Shard; SHARDS],
    open: Mutex<OpenSessions>,
}

/// Rooms by incarnation.
type Shard = RwLock<FxHashMap<u64, Arc<Room>>>;

#[derive(Default)]
struct OpenSessions {
    by_id: BTreeMap<SessionId, SessionRow>,
    incarnations: u64,
    is_closed: bool,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(limits: StoreLimits, sink: Arc<dyn ChangeSink>) -> Self {
        MemoryStore {
            limits,
            sink,
            shards: std::array::from_fn(|_| Shard::default()),
            open: Mutex::default(),
        }
    }

    fn open(&self, id: &SessionId, about: SessionAbout) -> Result<SessionReply> {
        let mut open = self.open.lock();
        if open.is_closed {
            return Err(fault::store_closed());
        }
        if open.by_id.contains_key(id) {
            return Err(fault::session_exists(id));
        }
        open.incarnations += 1;
        let key = SessionKey { id: id.clone(), incarnation: open.incarnations, lease: 0 };
        let row = SessionRow { key: key.clone(), about };
        open.by_id.insert(id.clone(), row.clone());
        let room = Arc::new(Room::new(key, self.limits, self.sink.clone()));
        self.shard(row.key.incarnation).write().insert(row.key.incarnation, room);
        Ok(SessionReply::Opened(row))
    }

    fn join(&self, id: &SessionId) -> Result<SessionReply> {
        let open = self.open.lock();
        let row = open.by_id.get(id).ok_or_else(|| fault::no_session(id))?;
        Ok(SessionReply::Opened(row.clone()))
    }

    fn end(&self, session: &SessionKey) -> SessionReply {
        let mut open = self.open.lock();
        if open.by_id.get(&session.id).is_some_and(|row| row.key == *session) {
            open.by_id.remove(&session.id);
        }
        let room = self.shard(session.incarnation).write().remove(&session.incarnation);
        drop(open);
        if let Some(room) = room {
            room.close();
        }
        SessionReply::Done
    }

    fn list(&self, after: Option<&SessionId>, limit: usize) -> SessionReply {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let open = self.open.lock();
        let rows = open.by_id.range((from, Unbounded)).map(|(_, row)| row.clone());
        SessionReply::Sessions(rows.take(limit).collect())
    }

    fn room(&self, session: &SessionKey) -> Result<Arc<Room>> {
        let room = self.shard(session.incarnation).read().get(&session.incarnation).cloned();
        room.ok_or_else(|| fault::session_closed(session))
    }

    fn shard(&self, incarnation: u64) -> &Shard {
        let [first, ..] = &self.shards;
        let index = usize::try_from(incarnation % SHARDS as u64);
        index.ok().and_then(|index| self.shards.get(index)).unwrap_or(first)
    }
}

impl Backend for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn session(&self, command: SessionCommand<'_>) -> Pending<Result<SessionReply>> {
        Pending::Ready(match command {
            SessionCommand::Open { id, about } => self.open(id, about),
            SessionCommand::Join { id } => self.join(id),
            SessionCommand::Expire { session } | SessionCommand::Close { session } => {
                Ok(self.end(session))
            }
            SessionCommand::List { after, limit } => Ok(self.list(after, limit)),
            // Every session here is open on this host, which knows when it was used.
            SessionCommand::Touch { session } => self.room(session).map(|_| SessionReply::Done),
            SessionCommand::Sweep => Ok(SessionReply::Done),
        })
    }

    fn apply(&self, session: &SessionKey, command: Command<'_>) -> Pending<Result<Reply>> {
        Pending::Ready(self.room(session).and_then(|room| room.apply(command)))
    }

    fn set_in_place(
        &self,
        session: &SessionKey,
        name: &str,
        value: &Value,
        access: Access<'_>,
    ) -> Option<Result<u64>> {
        Some(self.room(session).and_then(|room| room.set_version(name, value.to_kept(), access)))
    }

    /// Forgets everything.
    fn close(&self) -> BoxFuture<'static, ()> {
        let mut open = self.open.lock();
        open.is_closed = true;
        open.by_id.clear();
        let rooms = self.shards.iter().map(|shard| std::mem::take(&mut *shard.write()));
        let rooms: Vec<_> = rooms.collect();
        drop(open);
        rooms.iter().flat_map(FxHashMap::values).for_each(|room| room.close());
        std::future::ready(()).boxed()
    }
}

/// Enough that threads of one machine seldom meet.
const SHARDS: usize = 64;

#[cfg(test)]
mod tests;
