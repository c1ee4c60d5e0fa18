//! One session as this host has it open: its name, its metadata, when it was last used here, and
//! whether it has ended. What it holds is kept elsewhere, under its name.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Map, Value as Json, json};
use tokio::time::Instant;

use crate::core::{Affinity, SessionId};
use crate::state::{SessionAbout, SessionKey, whole_millis};

use super::end::SessionEnd;

/// An open or closed session, shared by everyone who works in it.
#[derive(Debug)]
pub struct Session {
    key: SessionKey,
    number: u64,
    about: SessionAbout,
    metadata: Map<String, Json>,
    opened_at: Instant,
    /// Microseconds from `opened_at` to the last use, so that a touch is one atomic step.
    last_used_us: AtomicU64,
    /// The same to the last moment at which the store was told of a use.
    told_us: AtomicU64,
    holds: AtomicU32,
    /// 0, or the number of its end.
    end: AtomicU8,
}

impl Session {
    pub(super) fn new(
        key: SessionKey,
        number: u64,
        about: SessionAbout,
        metadata: Map<String, Json>,
    ) -> Self {
        Session {
            key,
            number,
            about,
            metadata,
            opened_at: Instant::now(),
            last_used_us: AtomicU64::new(0),
            told_us: AtomicU64::new(0),
            holds: AtomicU32::new(0),
            end: AtomicU8::new(0),
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
        self.about.affinity
    }

    /// Metadata, time to live and affinity, as the store keeps them.
    pub fn about(&self) -> &SessionAbout {
        &self.about
    }

    /// As it was given when the session was opened.
    pub fn metadata(&self) -> &Map<String, Json> {
        &self.metadata
    }

    /// The session ends when it is unused for so long.
    pub fn ttl(&self) -> Duration {
        self.about.ttl
    }

    /// Whether other hosts may have it open as well: the store has to be told of its uses, and is
    /// asked before it expires.
    pub fn is_shared(&self) -> bool {
        self.key.lease != 0
    }

    /// Whether it has ended. It never opens again; a later one of the same name is another.
    pub fn is_closed(&self) -> bool {
        self.end.load(Ordering::Acquire) != 0
    }

    /// Why it has ended, if it has.
    pub fn ended(&self) -> Option<SessionEnd> {
        SessionEnd::of_number(self.end.load(Ordering::Acquire))
    }

    /// Ends it; `true` for the one caller who did, and who ends what belongs to it.
    pub fn end(&self, end: SessionEnd) -> bool {
        let (free, own) = (0, end.number());
        self.end.compare_exchange(free, own, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Ends it if nobody has used it for its time; `true` for the one caller who did. A use that
    /// came in between saves it.
    pub fn expire(&self, now: Instant) -> bool {
        self.is_due(now) && self.end(SessionEnd::Expired)
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
        !self.is_closed() && self.idle(now) >= self.about.ttl
    }

    /// Another host has used it: it is due again in `left`, unless it is used here before.
    pub fn used_elsewhere(&self, now: Instant, left: Duration) {
        let idle = self.about.ttl.saturating_sub(left);
        let at = now.checked_sub(idle).unwrap_or(self.opened_at);
        self.last_used_us.fetch_max(self.since_opened_us(at), Ordering::Relaxed);
    }

    /// Whether the store has to be told of a use by now: it was used since it was told the last
    /// time, and that is an eighth of its time ago. Then it counts as told.
    pub fn take_use(&self, now: Instant) -> bool {
        let told_us = self.told_us.load(Ordering::Relaxed);
        let is_held = self.holds.load(Ordering::Acquire) > 0;
        let is_used = is_held || self.last_used_us.load(Ordering::Relaxed) > told_us;
        let now_us = self.since_opened_us(now);
        let since_told = Duration::from_micros(now_us.saturating_sub(told_us));
        if !is_used || since_told < self.about.ttl / TOLD_PER_TTL {
            return false;
        }
        self.told_us.store(now_us, Ordering::Relaxed);
        true
    }

    /// `{"id", "metadata", "affinity", "age_ms", "idle_ms", "ttl_ms", "expires_in_ms", "closed"}`;
    /// the last two times are null for a session that never expires.
    pub fn info(&self) -> Json {
        let now = Instant::now();
        let idle = self.idle(now);
        json!({
            "id": self.key.id.as_str(),
            "metadata": self.metadata,
            "affinity": self.about.affinity.name(),
            "age_ms": millis(now.saturating_duration_since(self.opened_at)),
            "idle_ms": millis(idle),
            "ttl_ms": self.about.ttl_ms(),
            "expires_in_ms": whole_millis(self.about.ttl.saturating_sub(idle)),
            "closed": self.is_closed(),
        })
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
    whole_millis(time).unwrap_or(u64::MAX)
}

/// Telling the store more often than so many times in a session's time to live is no use: it must
/// only not forget the session early.
pub const TOLD_PER_TTL: u32 = 8;
