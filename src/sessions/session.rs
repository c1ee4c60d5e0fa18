//! One session: its name, its metadata, when it was last used, and whether it has ended. What it
//! holds is kept elsewhere, under its name.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Map, Value as Json, json};
use tokio::time::Instant;

use crate::core::{Affinity, SessionId};
use crate::state::SessionKey;

/// An open or closed session, shared by everyone who works in it.
#[derive(Debug)]
pub struct Session {
    key: SessionKey,
    number: u64,
    affinity: Affinity,
    metadata: Map<String, Json>,
    ttl: Duration,
    opened_at: Instant,
    /// Microseconds from `opened_at` to the last use, so that a touch is one atomic step.
    last_used_us: AtomicU64,
    holds: AtomicU32,
    is_closed: AtomicBool,
}

impl Session {
    pub(super) fn new(
        key: SessionKey,
        number: u64,
        metadata: Map<String, Json>,
        ttl: Duration,
        affinity: Affinity,
    ) -> Self {
        Session {
            key,
            number,
            affinity,
            metadata,
            ttl,
            opened_at: Instant::now(),
            last_used_us: AtomicU64::new(0),
            holds: AtomicU32::new(0),
            is_closed: AtomicBool::new(false),
        }
    }

    pub fn id(&self) -> &SessionId {
        &self.key.id
    }

    /// As the store knows it.
    pub fn key(&self) -> &SessionKey {
        &self.key
    }

    /// A number that no other session of the platform ever has; a later one of the same name has
    /// another.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether its calls keep to one worker, where they do not say otherwise.
    pub fn affinity(&self) -> Affinity {
        self.affinity
    }

    /// As it was given when the session was opened.
    pub fn metadata(&self) -> &Map<String, Json> {
        &self.metadata
    }

    /// The session ends when it is unused for so long.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Whether it has ended. It never opens again; a later one of the same name is another.
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Counts as a use: the time to live starts again.
    pub fn touch(&self) {
        let now_us = self.since_opened_us(Instant::now());
        self.last_used_us.fetch_max(now_us, Ordering::Relaxed);
    }

    /// Keeps the session from expiring for as long as the hold lives, and counts as a use at its
    /// end: work that takes longer than the time to live is not cut off by it. Closing it goes on
    /// as ever.
    pub fn hold(self: &Arc<Self>) -> SessionHold {
        self.holds.fetch_add(1, Ordering::AcqRel);
        SessionHold { session: self.clone() }
    }

    /// How long nobody has used it; zero while it is held.
    pub fn idle(&self, now: Instant) -> Duration {
        if self.holds.load(Ordering::Acquire) > 0 {
            return Duration::ZERO;
        }
        let idle_us =
            self.since_opened_us(now).saturating_sub(self.last_used_us.load(Ordering::Relaxed));
        Duration::from_micros(idle_us)
    }

    /// Whether it is open, and has been unused for its time to live.
    pub fn is_due(&self, now: Instant) -> bool {
        !self.is_closed() && self.idle(now) >= self.ttl
    }

    /// `{"id", "metadata", "affinity", "age_ms", "idle_ms", "ttl_ms", "expires_in_ms", "closed"}`.
    pub fn info(&self) -> Json {
        let now = Instant::now();
        let idle = self.idle(now);
        json!({
            "id": self.key.id.as_str(),
            "metadata": self.metadata,
            "affinity": self.affinity.name(),
            "age_ms": millis(now.saturating_duration_since(self.opened_at)),
            "idle_ms": millis(idle),
            "ttl_ms": millis(self.ttl),
            "expires_in_ms": millis(self.ttl.saturating_sub(idle)),
            "closed": self.is_closed(),
        })
    }

    /// Ends it; `true` for the one caller who did.
    pub(super) fn end(&self) -> bool {
        !self.is_closed.swap(true, Ordering::AcqRel)
    }

    fn since_opened_us(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.opened_at);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}

/// Work under way in a session; see `Session::hold`.
#[derive(Debug)]
pub struct SessionHold {
    session: Arc<Session>,
}

impl SessionHold {
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }
}

impl Drop for SessionHold {
    /// The touch comes first: there is no moment at which the session looks idle for as long as
    /// the work took.
    fn drop(&mut self) {
        self.session.touch();
        self.session.holds.fetch_sub(1, Ordering::AcqRel);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
