//! A session as a store knows it: which opening of which name, under which lease, and what is kept
//! about it. When a session ends is decided by the one who asks the store, except where several
//! hosts share it.

use std::time::Duration;

use bytes::Bytes;

use crate::core::{Affinity, SessionId};

/// One opening of one session. Every command names it, so that what was meant for a session that
/// has ended never reaches a later one of the same name.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct SessionKey {
    pub id: SessionId,
    /// Given by the store when the session was opened; no other session of the store ever has it.
    pub incarnation: u64,
    /// This host's lease on a shared store when it opened or joined the session; 0 elsewhere.
    pub lease: u64,
}

/// What a store keeps about a session besides its variables.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionAbout {
    /// A JSON object, kept and given back byte for byte.
    pub metadata: Bytes,
    /// The session ends when no host has used it for so long.
    pub ttl: Duration,
    pub affinity: Affinity,
}

impl SessionAbout {
    /// The time to live as documents have it: none for a session that never expires.
    pub fn ttl_ms(&self) -> Option<u64> {
        whole_millis(self.ttl)
    }
}

/// None for a time beyond all numbers, which is how "never" is kept.
pub fn whole_millis(time: Duration) -> Option<u64> {
    u64::try_from(time.as_millis()).ok()
}

/// A session in a store, open on this host or not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionRow {
    pub key: SessionKey,
    pub about: SessionAbout,
}
