//! The store under test with what the suite needs beside it: who hears its changes, where
//! concurrent writers run, and how much is tried.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::state::backend::{Backend, StoreLimits};
use crate::state::change::{Change, ChangeSink, SessionLoss};

/// A store, made with `LIMITS` and with `told` as its sink.
#[derive(Clone)]
pub struct Subject {
    pub backend: Arc<dyn Backend>,
    pub told: Arc<Told>,
    /// Runs the writers of the concurrency checks.
    pub runtime: Handle,
    pub scale: Scale,
}

/// How much the races try.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Scale {
    pub writers: u64,
    /// Of each writer.
    pub increments: u64,
}

impl Scale {
    /// A second or so on every store.
    pub const SHORT: Scale = Scale { writers: 8, increments: 50 };
    /// What the fault list asks for (F43).
    pub const FULL: Scale = Scale { writers: 32, increments: 1_000 };
}

/// What the store under test is to be made with: little enough that every limit is met.
pub const LIMITS: StoreLimits = StoreLimits {
    variables_max: 40,
    bytes_max: 64 * 1024,
    history_max: 4,
    history_bytes_max: 1024,
};

/// Keeps what a store tells about the sessions that are listened to.
#[derive(Default)]
pub struct Told {
    heard: Mutex<HashMap<u64, Heard>>,
    news: Notify,
}

/// What has been told about one session.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub changes: Vec<Change>,
    pub gaps: usize,
    pub losses: Vec<SessionLoss>,
}

impl Told {
    /// From now on, what is told about the session is kept.
    pub fn listen(&self, incarnation: u64) {
        self.heard.lock().entry(incarnation).or_default();
    }

    /// What has been told so far.
    pub fn heard(&self, incarnation: u64) -> Heard {
        self.heard.lock().get(&incarnation).cloned().unwrap_or_default()
    }

    /// Waits until `is_there` says so of what has been told; a shared store tells soon, not at
    /// once. The error is what had been told when the wait was over.
    pub async fn wait(
        &self,
        incarnation: u64,
        is_there: impl Fn(&Heard) -> bool,
    ) -> Result<Heard, String> {
        let told = timeout(TOLD_WITHIN, async {
            loop {
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                let heard = self.heard(incarnation);
                if is_there(&heard) {
                    return heard;
                }
                news.await;
            }
        });
        told.await.map_err(|_| format!("in {TOLD_WITHIN:?} only {:?}", self.heard(incarnation)))
    }

    fn hear(&self, incarnation: u64, write: impl FnOnce(&mut Heard)) {
        if let Some(heard) = self.heard.lock().get_mut(&incarnation) {
            write(heard);
        }
        self.news.notify_waiters();
    }
}

impl ChangeSink for Told {
    fn wants(&self, incarnation: u64) -> bool {
        self.heard.lock().contains_key(&incarnation)
    }

    fn changed(&self, incarnation: u64, change: Change) {
        self.hear(incarnation, |heard| heard.changes.push(change));
    }

    fn gap(&self, incarnation: u64) {
        self.hear(incarnation, |heard| heard.gaps += 1);
    }

    fn lost(&self, incarnation: u64, loss: SessionLoss) {
        self.hear(incarnation, |heard| heard.losses.push(loss));
    }
}

const TOLD_WITHIN: Duration = Duration::from_secs(10);
