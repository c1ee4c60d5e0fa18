//! What changes in a store, as it tells those who watch. Who watches is not known here.
//!
//! The changes of one session are told one after the other, in the order of their revisions, before
//! the command that caused them is answered (by the store of one host) or soon after (by a shared
//! one).

use std::sync::Arc;

use crate::core::Value;

/// One change of one variable.
#[derive(Clone, Debug)]
pub struct Change {
    pub kind: ChangeKind,
    pub name: Arc<str>,
    /// Tells the variable from a later one of the same name; see `Definition::id`.
    pub id: u64,
    /// After the change; the last one of a variable that was deleted.
    pub version: u64,
    /// Counts the changes of the session, without a gap.
    pub revision: u64,
    /// What a registered or written variable holds now. A shared store leaves out one that is too
    /// large to be told to every host: whoever wants it reads it.
    pub value: Option<Value>,
}

/// What happened to the variable.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ChangeKind {
    Registered,
    /// By whichever verb.
    Written,
    Deleted,
    Locked {
        owner: Arc<str>,
    },
    Unlocked,
}

impl ChangeKind {
    /// As events and the wire say it.
    pub const fn name(&self) -> &'static str {
        match self {
            ChangeKind::Registered => "registered",
            ChangeKind::Written => "written",
            ChangeKind::Deleted => "deleted",
            ChangeKind::Locked { .. } => "locked",
            ChangeKind::Unlocked => "unlocked",
        }
    }
}

/// Why a session is over that this host did not close.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionLoss {
    /// Another host closed it, or it was unused for its time.
    Ended,
    /// This host did not answer for longer than its lease: others may have gone on without it.
    LeaseLost,
}

/// Where a store tells what happens. Called in the middle of commands: it must return at once, and
/// must not call the store.
pub trait ChangeSink: Send + Sync {
    /// Whether anybody would hear of this session's changes; a store need not tell others.
    fn wants(&self, incarnation: u64) -> bool;

    /// A change of the session.
    fn changed(&self, incarnation: u64, change: Change);

    /// Changes of the session may have been lost: whoever must not miss one reads anew.
    fn gap(&self, incarnation: u64);

    /// The session is over, and not by a command of this host.
    fn lost(&self, incarnation: u64, loss: SessionLoss);
}

/// Nobody listens.
impl ChangeSink for () {
    fn wants(&self, _: u64) -> bool {
        false
    }

    fn changed(&self, _: u64, _: Change) {}

    fn gap(&self, _: u64) {}

    fn lost(&self, _: u64, _: SessionLoss) {}
}
