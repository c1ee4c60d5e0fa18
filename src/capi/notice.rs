//! How one queue tells another that it has events: once for each time that it is asked to.
//!
//! At most one notice of a queue is under way, so that asking again and again fills nobody's
//! queue. Part of the queue's state: the caller holds its lock.

use std::sync::Arc;

use super::queue_core::QueueCore;

/// Whom a queue tells, and how far that is.
#[derive(Default)]
pub enum Notice {
    #[default]
    Nobody,
    Asked(Due),
    /// It waits in the other queue.
    Sent,
}

/// Where a notice goes, with its tag.
pub struct Due {
    pub to: Arc<QueueCore>,
    pub tag: u64,
}

impl Notice {
    /// Takes the place of what was asked for before; a notice that waits stands for this one, too.
    pub fn ask(&mut self, due: Due) {
        if !matches!(self, Notice::Sent) {
            *self = Notice::Asked(due);
        }
    }

    /// The queue has events: what is to be sent, if anything.
    pub fn send(&mut self) -> Option<Due> {
        match std::mem::take(self) {
            Notice::Asked(due) => {
                *self = Notice::Sent;
                Some(due)
            }
            other => {
                *self = other;
                None
            }
        }
    }

    /// It has been taken: whether anybody still wants to know.
    pub fn take(&mut self) -> bool {
        let is_wanted = matches!(self, Notice::Sent);
        if is_wanted {
            *self = Notice::Nobody;
        }
        is_wanted
    }
}
