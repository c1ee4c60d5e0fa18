//! The locks that a call's handler has: none of them outlives the call, however it ends.
//!
//! A handler gives its locks back itself. One that was cancelled can no longer ask for it, and a
//! worker that died never will; without this the variable would stay locked for the rest of the
//! lock's time. It must not know what a lock is for.

use crate::state::Pending;
use crate::transport::StateAsk;

use super::call::Call;

/// A lock: the variable's name and the owner's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct HeldLock {
    name: String,
    owner: String,
}

impl HeldLock {
    /// The lock that `ask` takes or starts again.
    pub(super) fn of(ask: &StateAsk) -> Option<HeldLock> {
        match ask {
            StateAsk::Lock { name, owner, .. } => {
                Some(HeldLock { name: name.clone(), owner: owner.clone() })
            }
            _ => None,
        }
    }
}

impl Call {
    /// Remembers a lock before the store is asked for it, so that an end which comes first finds
    /// it.
    pub(super) fn keep_lock(&self, lock: &HeldLock) {
        let mut progress = self.progress.lock();
        if !progress.locks.contains(lock) {
            progress.locks.push(lock.clone());
        }
    }

    /// What the store said to a lock. One that it gave after the call's end goes back at once.
    pub(super) fn lock_answered(&self, lock: HeldLock, is_taken: bool) {
        if !is_taken {
            return self.progress.lock().locks.retain(|held| *held != lock);
        }
        if !self.progress.lock().locks.contains(&lock) {
            self.give_back(lock);
        }
    }

    /// Gives back what is left. Told to nobody: a lock that had ended by itself is no failure.
    pub(super) fn give_back(&self, lock: HeldLock) {
        let HeldLock { name, owner } = lock;
        let session = self.request.session.key();
        match self.services.variables.unlock(session, &name, &owner) {
            // Done already: whoever hears of the call's end finds the variable free.
            Pending::Ready(_) => {}
            Pending::Later(later) => {
                self.services.runtime.spawn(later);
            }
        }
    }
}
