//! Who listens to which session, on this host. The store tells the hub, in the middle of its
//! commands, and the hub tells each listener in turn.
//!
//! While nobody listens, the store learns so from one atomic load. The first listener of a session
//! has the store follow it, the last one has it stop. The hub never calls the store while it holds
//! its own lock.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use futures_util::FutureExt;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use tokio::runtime::Handle;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::core::Result;
use crate::state::backend::Backend;
use crate::state::change::{Change, ChangeSink, SessionLoss};
use crate::state::key::SessionKey;
use crate::state::pending::Pending;

use super::event::WatchEnd;

/// Hears what changes in one session. Called with the store's locks held: it returns at once and
/// calls neither store nor hub.
pub trait Listener: Send + Sync {
    fn changed(&self, change: &Change);
    /// Changes may have been lost.
    fn gap(&self);
    /// Nothing follows.
    fn ended(&self, end: WatchEnd);
}

/// Who listens, of all sessions. One per store, as its `ChangeSink`.
pub struct Watches {
    runtime: Handle,
    listening: AtomicUsize,
    sessions: RwLock<Sessions>,
    next: AtomicU64,
    on_lost: OnceLock<OnLost>,
}

/// Hears of sessions that are over without a command of this host; must not block.
pub type OnLost = Box<dyn Fn(u64, SessionLoss) + Send + Sync>;

#[derive(Default)]
struct Sessions {
    /// By incarnation.
    followed: FxHashMap<u64, Followed>,
    is_closed: bool,
}

struct Followed {
    key: SessionKey,
    listeners: Vec<(u64, Arc<dyn Listener>)>,
    /// Whether the store follows the session; the lock puts the requests for it in order.
    follows: Follows,
}

type Follows = Arc<AsyncMutex<bool>>;

/// One listener's place; dropping it ends the listening, without a word to the listener.
pub struct Listening {
    watches: Arc<Watches>,
    backend: Arc<dyn Backend>,
    incarnation: u64,
    number: u64,
}

impl Watches {
    /// Nobody listens yet. `runtime` is where stores that do I/O are asked.
    pub fn new(runtime: Handle) -> Arc<Self> {
        Arc::new(Watches {
            runtime,
            listening: AtomicUsize::new(0),
            sessions: RwLock::default(),
            next: AtomicU64::new(0),
            on_lost: OnceLock::new(),
        })
    }

    /// Whom to tell of sessions that are over without this host's doing; set once.
    pub fn on_lost(&self, hear: OnLost) {
        // A second one would be a mistake of the assembly; the first stays.
        let _ = self.on_lost.set(hear);
    }

    /// From the answer on, `listener` hears every change of the session. Ended at once when the hub
    /// is closed.
    pub fn listen(
        self: &Arc<Self>,
        backend: &Arc<dyn Backend>,
        session: &SessionKey,
        listener: Arc<dyn Listener>,
    ) -> Pending<Result<Listening>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let incarnation = session.incarnation;
        let listening =
            Listening { watches: self.clone(), backend: backend.clone(), incarnation, number };
        let Some(follows) = self.enter(session, number, &listener) else {
            listener.ended(WatchEnd::PlatformClosed);
            return Pending::Ready(Ok(listening));
        };
        match follows.clone().try_lock_owned() {
            Ok(follows) if *follows => Pending::Ready(Ok(listening)),
            Ok(follows) => follow(backend.follow(session, true), follows, listening),
            Err(_) => {
                let (backend, session) = (backend.clone(), session.clone());
                let wait = async move {
                    let follows = follows.lock_owned().await;
                    if *follows {
                        return Ok(listening);
                    }
                    follow(backend.follow(&session, true), follows, listening).resolve().await
                };
                Pending::Later(wait.boxed())
            }
        }
    }

    /// The session is over: its listeners hear so and are let go of.
    pub fn end(&self, incarnation: u64, end: WatchEnd) {
        let followed = self.sessions.write().followed.remove(&incarnation);
        if let Some(followed) = followed {
            self.tell_end(followed, end);
        }
    }

    /// Ends everything, and whatever comes later.
    pub fn close(&self) {
        let mut sessions = self.sessions.write();
        sessions.is_closed = true;
        let all = std::mem::take(&mut sessions.followed);
        drop(sessions);
        for followed in all.into_values() {
            self.tell_end(followed, WatchEnd::PlatformClosed);
        }
    }

    /// How many listeners there are.
    pub fn len(&self) -> usize {
        self.listening.load(Ordering::SeqCst)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn enter(
        &self,
        session: &SessionKey,
        number: u64,
        listener: &Arc<dyn Listener>,
    ) -> Option<Follows> {
        let mut sessions = self.sessions.write();
        if sessions.is_closed {
            return None;
        }
        let followed = sessions.followed.entry(session.incarnation).or_insert_with(|| Followed {
            key: session.clone(),
            listeners: Vec::new(),
            follows: Follows::default(),
        });
        followed.listeners.push((number, listener.clone()));
        // Inside the lock, so that a change that follows the answer finds the listener.
        self.listening.fetch_add(1, Ordering::SeqCst);
        Some(followed.follows.clone())
    }

    /// Takes a listener out. Gives the session when nobody listens to it any more.
    fn leave(&self, incarnation: u64, number: u64) -> Option<(SessionKey, Follows)> {
        let mut sessions = self.sessions.write();
        let followed = sessions.followed.get_mut(&incarnation)?;
        let place = followed.listeners.iter().position(|(other, _)| *other == number)?;
        let listener = followed.listeners.swap_remove(place);
        self.listening.fetch_sub(1, Ordering::SeqCst);
        let is_last = followed.listeners.is_empty();
        let left = is_last.then(|| (followed.key.clone(), followed.follows.clone()));
        drop(sessions);
        drop(listener);
        left
    }

    fn is_deserted(&self, incarnation: u64) -> bool {
        let sessions = self.sessions.read();
        sessions.followed.get(&incarnation).is_some_and(|followed| followed.listeners.is_empty())
    }

    fn forget_if_deserted(&self, incarnation: u64) {
        let mut sessions = self.sessions.write();
        if sessions.followed.get(&incarnation).is_some_and(|held| held.listeners.is_empty()) {
            sessions.followed.remove(&incarnation);
        }
    }

    fn tell_end(&self, followed: Followed, end: WatchEnd) {
        self.listening.fetch_sub(followed.listeners.len(), Ordering::SeqCst);
        for (_, listener) in followed.listeners {
            listener.ended(end);
        }
    }

    fn each(&self, incarnation: u64, tell: impl Fn(&dyn Listener)) {
        let sessions = self.sessions.read();
        let Some(followed) = sessions.followed.get(&incarnation) else { return };
        for (_, listener) in &followed.listeners {
            tell(listener.as_ref());
        }
    }
}

impl ChangeSink for Watches {
    fn wants(&self, incarnation: u64) -> bool {
        !self.is_empty() && self.sessions.read().followed.contains_key(&incarnation)
    }

    fn changed(&self, incarnation: u64, change: Change) {
        self.each(incarnation, |listener| listener.changed(&change));
    }

    fn gap(&self, incarnation: u64) {
        self.each(incarnation, |listener| listener.gap());
    }

    fn lost(&self, incarnation: u64, loss: SessionLoss) {
        self.end(incarnation, WatchEnd::SessionLost(loss));
        if let Some(hear) = self.on_lost.get() {
            hear(incarnation, loss);
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let (watches, backend) = (self.watches.clone(), self.backend.clone());
        let incarnation = self.incarnation;
        let Some((session, follows)) = watches.leave(incarnation, self.number) else { return };
        let unfollow = async move {
            let mut follows = follows.lock_owned().await;
            // Somebody may have come in the meantime.
            if *follows && watches.is_deserted(incarnation) {
                // A session that is still followed only tells more than somebody wants.
                let _ = backend.follow(&session, false).resolve().await;
                *follows = false;
            }
            watches.forget_if_deserted(incarnation);
        };
        // Stores of one host answer in place, and need no task.
        let mut unfollow = unfollow.boxed();
        if (&mut unfollow).now_or_never().is_none() {
            self.watches.runtime.spawn(unfollow);
        }
    }
}

fn follow(
    answer: Pending<Result<()>>,
    mut follows: OwnedMutexGuard<bool>,
    listening: Listening,
) -> Pending<Result<Listening>> {
    answer.map(move |done| {
        done?;
        *follows = true;
        drop(follows);
        Ok(listening)
    })
}

#[cfg(test)]
mod tests;
