//! What things are called in Redis: keys and channels of one store.
//!
//! The prefix stands in braces, so that all keys of a store are in one slot of a cluster: scripts
//! read the session, the host's lease and the list of sessions in one step.

use bytes::Bytes;

use crate::core::SessionId;
use crate::state::key::SessionKey;

/// Names below one prefix.
#[derive(Debug)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    pub fn new(prefix: &str) -> Self {
        Keys { prefix: format!("{{{prefix}}}") }
    }

    /// In the order that `lua/prelude.lua` unpacks them.
    pub fn of_session(&self, session: &SessionKey) -> Vec<Bytes> {
        let SessionKey { id, incarnation, lease } = session;
        let own = |what: &str| Bytes::from(format!("{}:{what}:{incarnation}", self.prefix));
        vec![
            self.session(id),
            self.host(*lease),
            own("names"),
            own("heads"),
            own("values"),
            own("rules"),
            own("past"),
            Bytes::from(format!("{}:writes:{incarnation}:{lease}", self.prefix)),
            self.sessions(),
        ]
    }

    /// What is known of a session, for as long as it is open.
    pub fn session(&self, id: &SessionId) -> Bytes {
        Bytes::from(format!("{}{id}", self.session_start()))
    }

    pub fn session_start(&self) -> String {
        format!("{}:session:", self.prefix)
    }

    /// A host's lease, for as long as it has it.
    pub fn host(&self, lease: u64) -> Bytes {
        Bytes::from(format!("{}{lease}", self.host_start()))
    }

    pub fn host_start(&self) -> String {
        format!("{}:host:", self.prefix)
    }

    /// The ids of all sessions.
    pub fn sessions(&self) -> Bytes {
        Bytes::from(format!("{}:sessions", self.prefix))
    }

    /// The last number given to a session or a lease.
    pub fn counter(&self) -> Bytes {
        Bytes::from(format!("{}:counter", self.prefix))
    }

    /// The channel of a session's changes.
    pub fn changes(&self, incarnation: u64) -> String {
        format!("{}{incarnation}", self.changes_start())
    }

    pub fn changes_start(&self) -> String {
        format!("{}:changes:", self.prefix)
    }

    /// The channel of sessions that were closed.
    pub fn closings(&self) -> String {
        format!("{}:closings", self.prefix)
    }
}
