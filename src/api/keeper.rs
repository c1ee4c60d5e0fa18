//! The times of sessions: what is unused ends, what is used is told to a store that other hosts
//! share, and what such a store has ended ends here.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::core::Status;
use crate::core::limits::{
    SESSION_TICK, SESSION_TICK_MIN, SESSIONS_TOLD_AT_ONCE, STORE_SWEEP_INTERVAL,
};
use crate::sessions::session::TOLD_PER_TTL;
use crate::sessions::{self, SessionEnd};
use crate::state::{SessionCommand, SessionReply};

use super::platform::Platform;

/// Ends what belongs to sessions that the store has ended, for as long as the platform lives.
pub(super) async fn end_lost(platform: Weak<Platform>, sessions: Arc<sessions::Sessions>) {
    loop {
        let lost = sessions.lost().await;
        let Some(platform) = platform.upgrade() else { return };
        lost.iter().for_each(|session| platform.forget_session(session));
    }
}

/// Keeps the times of the sessions for as long as the platform lives. `opened` tells of a session
/// whose time may be shorter than the others'.
pub(super) async fn keep_times(platform: Weak<Platform>, opened: Arc<Notify>) {
    let (mut tick_at, mut sweep_at) = (Instant::now(), Instant::now() + STORE_SWEEP_INTERVAL);
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(tick_at) => {
                let Some(platform) = platform.upgrade() else { return };
                platform.tell_uses().await;
                platform.end_due().await;
                if Instant::now() >= sweep_at {
                    platform.sweep().await;
                    sweep_at = Instant::now() + STORE_SWEEP_INTERVAL;
                }
                tick_at = Instant::now() + platform.tick();
            }
            () = opened.notified() => {
                let Some(platform) = platform.upgrade() else { return };
                tick_at = tick_at.min(Instant::now() + platform.tick());
            }
        }
    }
}

impl Platform {
    /// Often enough for the shortest time that the store reckons with, too.
    fn tick(&self) -> Duration {
        let shortest = self.sessions.shortest_shared_ttl();
        let tick = shortest.map_or(SESSION_TICK, |ttl| ttl / TOLD_PER_TTL);
        tick.clamp(SESSION_TICK_MIN, SESSION_TICK)
    }

    async fn tell_uses(&self) {
        let used = self.sessions.used(Instant::now());
        self.for_each(used, |session| async move { self.tell_use(&session).await }).await;
    }

    async fn tell_use(&self, session: &Arc<sessions::Session>) {
        let touch = SessionCommand::Touch { session: session.key() };
        match self.services.store.session(touch).resolve().await {
            Ok(_) => {}
            Err(error) => match error.status() {
                Status::Closed => self.end_here(session, SessionEnd::EndedElsewhere),
                Status::LeaseLost => self.end_here(session, SessionEnd::LeaseLost),
                _ => tracing::warn!("the store was not told of a use of a session: {error}"),
            },
        }
    }

    async fn end_due(&self) {
        let due = self.sessions.due(Instant::now());
        self.for_each(due, |session| async move {
            match session.is_shared() {
                true => self.expire_shared(&session).await,
                false => self.expire_own(&session).await,
            }
        })
        .await;
    }

    async fn expire_own(&self, session: &Arc<sessions::Session>) {
        if !session.expire(Instant::now()) {
            return;
        }
        if let Err(error) = self.finish_session(session).await {
            tracing::warn!("the store did not end expired session {}: {error}", session.id());
        }
    }

    /// Other hosts may have used it: the store decides.
    async fn expire_shared(&self, session: &Arc<sessions::Session>) {
        let expire = SessionCommand::Expire { session: session.key() };
        match self.services.store.session(expire).resolve().await {
            Ok(SessionReply::Alive(left)) => session.used_elsewhere(Instant::now(), left),
            Ok(_) => self.end_here(session, SessionEnd::Expired),
            Err(error) => match error.status() {
                Status::Closed => self.end_here(session, SessionEnd::EndedElsewhere),
                Status::LeaseLost => self.end_here(session, SessionEnd::LeaseLost),
                // It stays open until the store can be asked, or this host's lease is over.
                _ => tracing::warn!("whether session {} is over: {error}", session.id()),
            },
        }
    }

    async fn sweep(&self) {
        if let Err(error) = self.services.store.session(SessionCommand::Sweep).resolve().await {
            tracing::warn!("the store did not sweep its sessions: {error}");
        }
    }

    /// A store that does I/O is asked for several at once.
    async fn for_each<F: Future<Output = ()>>(
        &self,
        sessions: Vec<Arc<sessions::Session>>,
        act: impl FnMut(Arc<sessions::Session>) -> F,
    ) {
        let acts = futures_util::stream::iter(sessions).map(act);
        acts.buffer_unordered(SESSIONS_TOLD_AT_ONCE).collect::<()>().await;
    }
}
