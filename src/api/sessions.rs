//! The sessions of a platform, on this host and in the store: opening, joining, listing, ending.
//!
//! A session is opened in the store first and here second; it ends here first (its operations, its
//! tools, its homes) and in the store second. Who ends it is settled by `sessions::Session::end`.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::core::limits::PAGE_MAX;
use crate::core::{Error, Result, SessionId, Status};
use crate::sessions::{self, Admitted, SessionEnd};
use crate::state::{
    SavedVariable, SessionAbout, SessionCommand, SessionKey, SessionLoss, SessionReply, SessionRow,
    WatchEnd,
};

use super::platform::Platform;
use super::session::{Session, SessionOptions};

impl Platform {
    /// Opens a session. `AlreadyExists` for an id in use on any host of the store,
    /// `ResourceExhausted` at the quota. Waits for the store.
    pub fn open_session(self: &Arc<Self>, options: SessionOptions) -> Result<Session> {
        self.run(self.begin_session(options, Vec::new()))
    }

    /// The session of that name: open on this host, or in the store, opened by another host or
    /// before a restart; then it is joined. `NotFound`, `ResourceExhausted` at the quota. Waits for
    /// the store.
    pub fn session(self: &Arc<Self>, id: &str) -> Result<Session> {
        self.run(self.find_session(id))
    }

    /// A page of the sessions in the store, in the order of their ids: at most `limit` (0: as many
    /// as a page may have) from the one behind `after`. One that is open on this host is told as
    /// `Session::info` tells it, without what it holds; of others `id`, `metadata`, `affinity` and
    /// `ttl_ms`. `open` says which it is. Waits for the store.
    pub fn list_sessions(&self, after: Option<&str>, limit: usize) -> Result<Json> {
        self.check_open()?;
        let after = after.map(SessionId::new).transpose()?;
        let limit = if limit == 0 { PAGE_MAX } else { limit.min(PAGE_MAX) };
        let list = SessionCommand::List { after: after.as_ref(), limit };
        match self.wait(self.services.store.session(list))? {
            SessionReply::Sessions(rows) => rows.iter().map(|row| self.describe(row)).collect(),
            _ => Err(wrong_reply()),
        }
    }

    /// As `session`, on a thread of the runtime.
    pub(super) async fn find_session(self: &Arc<Self>, id: &str) -> Result<Session> {
        self.check_open()?;
        let id = SessionId::new(id)?;
        if let Some(session) = self.sessions.get(&id) {
            return match session.is_closed() {
                false => Ok(self.attach(session)),
                true => Err(not_open(&id)),
            };
        }
        let place = self.sessions.place()?;
        let join = self.services.store.session(SessionCommand::Join { id: &id });
        match join.resolve().await? {
            SessionReply::Opened(row) => self.admit(place, row),
            _ => Err(wrong_reply()),
        }
    }

    /// Opens a session that has `variables` from its first moment on this host, or does not come
    /// into being.
    pub(super) async fn begin_session(
        self: &Arc<Self>,
        options: SessionOptions,
        variables: Vec<SavedVariable>,
    ) -> Result<Session> {
        self.check_open()?;
        let options = options.or_affinity(self.config.sessions.affinity);
        let (id, about) = self.sessions.plan(options)?;
        if self.sessions.get(&id).is_some() {
            return Err(sessions::registry::taken(&id));
        }
        let place = self.sessions.place()?;
        let row = self.open_in_store(&id, about, variables).await?;
        let key = row.key.clone();
        match self.admit(place, row) {
            Ok(session) => Ok(session),
            Err(error) => {
                self.take_back(&key).await;
                Err(error)
            }
        }
    }

    async fn open_in_store(
        &self,
        id: &SessionId,
        about: SessionAbout,
        variables: Vec<SavedVariable>,
    ) -> Result<SessionRow> {
        let store = &self.services.store;
        let opened = store.session(SessionCommand::Open { id, about }).resolve().await?;
        let SessionReply::Opened(row) = opened else { return Err(wrong_reply()) };
        if variables.is_empty() {
            return Ok(row);
        }
        if let Err(error) = self.services.variables.load(&row.key, variables).resolve().await {
            self.take_back(&row.key).await;
            return Err(error);
        }
        Ok(row)
    }

    /// Closes a session in the store that did not come into being here. If that fails, its time
    /// ends it.
    async fn take_back(&self, key: &SessionKey) {
        let close = SessionCommand::Close { session: key };
        if let Err(error) = self.services.store.session(close).resolve().await {
            tracing::warn!("session {} stays in the store for its time: {error}", key.id);
        }
    }

    /// Makes a session of the store one of this host.
    fn admit(self: &Arc<Self>, place: sessions::Place<'_>, row: SessionRow) -> Result<Session> {
        let session = match place.admit(row)? {
            Admitted::Known(session) => return Ok(self.attach(session)),
            Admitted::New(session) => session,
        };
        self.metrics.sessions().inc();
        if session.is_shared() {
            self.keeper.notify_one();
        }
        let attached = self.attach(session);
        if let Err(closing) = self.check_open() {
            // The platform's close may have ended all sessions before this one was among them.
            self.end_here(&attached.session, SessionEnd::Shutdown);
            return Err(closing);
        }
        Ok(attached)
    }

    /// The session of that name if it is open on this host. Never waits.
    pub(super) fn open_here(self: &Arc<Self>, id: &SessionId) -> Option<Session> {
        let session = self.sessions.get(id).filter(|session| !session.is_closed())?;
        Some(self.attach(session))
    }

    fn attach(self: &Arc<Self>, session: Arc<sessions::Session>) -> Session {
        let number = session.number();
        let operations = self.live.write().entry(number).or_default().clone();
        if session.is_closed() {
            // It ended meanwhile, and its list was taken away before.
            self.live.write().remove(&number);
        }
        Session { platform: self.clone(), session, operations }
    }

    /// Closes a session for every host and ends everything that belongs to it, once.
    pub(super) async fn close_session(&self, session: &Arc<sessions::Session>) -> Result<()> {
        if !session.end(SessionEnd::Closed) {
            return Ok(());
        }
        self.finish_session(session).await
    }

    /// The rest of what has just been closed or has expired on this host.
    pub(super) async fn finish_session(&self, session: &Arc<sessions::Session>) -> Result<()> {
        self.clear(session);
        let close = SessionCommand::Close { session: session.key() };
        let closed = self.services.store.session(close).resolve().await;
        self.sessions.remove(session);
        closed.map(drop)
    }

    /// Ends a session on this host; what the store has of it stays or has gone already.
    pub(super) fn end_here(&self, session: &Arc<sessions::Session>, end: SessionEnd) {
        if session.end(end) {
            self.forget_session(session);
        }
    }

    /// What belongs to a session that the store has ended.
    pub(super) fn forget_session(&self, session: &Arc<sessions::Session>) {
        self.clear(session);
        self.sessions.remove(session);
    }

    /// Ends what belongs to a session that has just ended, on this host.
    fn clear(&self, session: &sessions::Session) {
        self.metrics.sessions().dec();
        let operations = self.live.write().remove(&session.number());
        let end = session.ended().unwrap_or(SessionEnd::Closed);
        if let Some(operations) = operations {
            operations.stop_all(|| end.cancellation());
        }
        self.pools.values().for_each(|pool| pool.workers.forget(session.number()));
        self.services.tools.close_session(session.id());
        self.services.watches.end(session.key().incarnation, watch_end(end));
    }

    fn describe(&self, row: &SessionRow) -> Result<Json> {
        let open = self.sessions.get(&row.key.id).filter(|open| !open.is_closed());
        let is_open = open.is_some();
        let mut told = match open {
            Some(session) => session.info(),
            None => json!({
                "id": row.key.id.as_str(),
                "metadata": serde_json::from_slice::<Json>(&row.about.metadata).map_err(|error| {
                    let id = &row.key.id;
                    Error::new(Status::Store, format!("the store's metadata of {id}: {error}"))
                })?,
                "affinity": row.about.affinity.name(),
                "ttl_ms": row.about.ttl_ms(),
            }),
        };
        if let Some(fields) = told.as_object_mut() {
            fields.remove("closed");
            fields.insert("open".to_owned(), is_open.into());
        }
        Ok(told)
    }
}

fn watch_end(end: SessionEnd) -> WatchEnd {
    match end {
        SessionEnd::Closed | SessionEnd::Expired => WatchEnd::SessionClosed,
        SessionEnd::EndedElsewhere => WatchEnd::SessionLost(SessionLoss::Ended),
        SessionEnd::LeaseLost => WatchEnd::SessionLost(SessionLoss::LeaseLost),
        SessionEnd::Shutdown => WatchEnd::PlatformClosed,
    }
}

fn not_open(id: &SessionId) -> Error {
    Error::new(Status::NotFound, format!("no session {id} is open")).with("session", id.as_str())
}

fn wrong_reply() -> Error {
    Error::new(Status::Store, "the store answered another question than it was asked")
}

#[cfg(test)]
mod tests;
