//! The sessions of the store that this host has opened or joined: what it is told about them. Each
//! loss is told once.

use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::state::change::{ChangeSink, SessionLoss};
use crate::state::key::SessionKey;

/// Open sessions by incarnation. There are as many as the platform opens.
pub struct Members {
    open: Mutex<FxHashMap<u64, SessionKey>>,
    pub sink: Arc<dyn ChangeSink>,
}

impl Members {
    pub fn new(sink: Arc<dyn ChangeSink>) -> Self {
        Members { open: Mutex::default(), sink }
    }

    pub fn add(&self, session: &SessionKey) {
        self.open.lock().insert(session.incarnation, session.clone());
    }

    pub fn lease_of(&self, incarnation: u64) -> Option<u64> {
        self.open.lock().get(&incarnation).map(|session| session.lease)
    }

    pub fn all(&self) -> Vec<SessionKey> {
        self.open.lock().values().cloned().collect()
    }

    /// This host has ended it, so that nothing more is told of it.
    pub fn remove(&self, incarnation: u64) {
        self.open.lock().remove(&incarnation);
    }

    pub fn lost(&self, incarnation: u64, loss: SessionLoss) {
        let known = self.open.lock().remove(&incarnation);
        if known.is_some() {
            self.sink.lost(incarnation, loss);
        }
    }

    /// Everything that stood on this lease.
    pub fn lost_all_of(&self, lease: u64) {
        let mut lost = Vec::new();
        self.open.lock().retain(|incarnation, session| {
            let is_kept = session.lease != lease;
            if !is_kept {
                lost.push(*incarnation);
            }
            is_kept
        });
        lost.into_iter()
            .for_each(|incarnation| self.sink.lost(incarnation, SessionLoss::LeaseLost));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::SessionId;
    use crate::state::change::Change;

    #[derive(Default)]
    struct Told(Mutex<Vec<(u64, SessionLoss)>>);

    impl ChangeSink for Told {
        fn wants(&self, _: u64) -> bool {
            true
        }
        fn changed(&self, _: u64, _: Change) {}
        fn gap(&self, _: u64) {}
        fn lost(&self, incarnation: u64, loss: SessionLoss) {
            self.0.lock().push((incarnation, loss));
        }
    }

    #[test]
    fn each_loss_is_told_once_and_an_own_end_never() {
        let told = Arc::new(Told::default());
        let members = Members::new(told.clone());
        let id = SessionId::new("s").unwrap();
        for (incarnation, lease) in [(1, 7), (2, 7), (3, 8), (4, 7)] {
            members.add(&SessionKey { id: id.clone(), incarnation, lease });
        }
        members.remove(4);
        members.lost(1, SessionLoss::Ended);
        members.lost(1, SessionLoss::Ended);
        members.lost(4, SessionLoss::Ended);
        members.lost_all_of(7);
        members.lost_all_of(7);
        assert_eq!(*told.0.lock(), [(1, SessionLoss::Ended), (2, SessionLoss::LeaseLost)]);
        assert_eq!(members.lease_of(3), Some(8));
    }
}
