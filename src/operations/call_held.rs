//! What a call's handler has under way until its call ends: watches, locks, tool calls of the host.
//!
//! Most calls have none of it, so it is taken out under the lock that an end takes anyway. What
//! follows from letting go is done by the caller, without that lock.

use std::sync::{Arc, Weak};

use crate::core::limits::WATCHES_PER_CALL_MAX;
use crate::core::{Error, Status};
use crate::tools::Invocation;
use crate::transport::ToolPeer;

use super::call::{Call, Progress};
use super::call_locks::HeldLock;
use super::call_watch::CallWatch;

/// What a handler holds of the session.
pub(super) struct Held {
    watches: Vec<Weak<CallWatch>>,
    locks: Vec<HeldLock>,
}

/// Tool calls that the host has not answered.
pub(super) struct OpenTools(Vec<Weak<Invocation>>);

impl Held {
    pub fn take(progress: &mut Progress) -> Self {
        let Progress { watches, locks, .. } = progress;
        Held { watches: std::mem::take(watches), locks: std::mem::take(locks) }
    }
}

impl OpenTools {
    pub fn of(progress: &Progress) -> Self {
        OpenTools(progress.tools_open.values().cloned().collect())
    }

    /// Nobody waits for the answers any more: the host hears of it at once, not by way of Python.
    pub fn cancel(&self) {
        for invocation in self.0.iter().filter_map(Weak::upgrade) {
            let message = "the operation that called the tool has ended";
            invocation.cancel(Error::new(Status::Cancelled, message));
        }
    }
}

impl Call {
    /// Keeps a watch until the call's end; `false` when it has too many.
    pub(super) fn keep_watch(&self, watch: &Arc<CallWatch>) -> bool {
        let mut progress = self.progress.lock();
        progress.watches.retain(|watch| watch.strong_count() > 0);
        let has_room = progress.watches.len() < WATCHES_PER_CALL_MAX;
        if has_room {
            progress.watches.push(Arc::downgrade(watch));
        }
        has_room
    }

    pub(super) fn cancel_tools(&self) {
        let open = OpenTools::of(&self.progress.lock());
        open.cancel();
    }

    pub(super) fn let_go(&self, held: Held) {
        held.watches.iter().filter_map(Weak::upgrade).for_each(|watch| watch.cancel());
        held.locks.into_iter().for_each(|lock| self.give_back(lock));
    }
}
