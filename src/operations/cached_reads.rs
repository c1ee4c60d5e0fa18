//! What the workers of one pool have cached of variables, and telling them when it is out of date.
//!
//! A worker may keep an answer if nothing has changed between the read and the answer; from the
//! first change on it is told once, and may not keep the name until it asks again. So there are
//! never more such frames than answers, and none is ever dropped. What is told and what is answered
//! leave in the order in which it happened, because both happen under the lock of the session's
//! reads.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::runtime::Handle;

use crate::core::limits::{CACHED_SESSIONS_PER_WORKER_MAX, CACHED_VARIABLES_MAX};
use crate::core::{Result, WorkerId};
use crate::state::{Backend, Change, Listener, Listening, Pending, SessionKey, WatchEnd, Watches};
use crate::transport::{StateReply, VariableRow, WorkerLink};

/// The workers of a pool that have cached something.
#[derive(Default)]
pub struct CachedReads {
    workers: Mutex<FxHashMap<WorkerId, WorkerReads>>,
}

#[derive(Default)]
struct WorkerReads {
    sessions: FxHashMap<u64, Arc<SessionReads>>,
    /// Oldest first.
    order: VecDeque<u64>,
}

/// What one worker has cached of one session.
pub struct SessionReads {
    link: WorkerLink,
    incarnation: u64,
    state: Mutex<State>,
    /// None until changes are told, and again after the end.
    listening: Mutex<Option<Listening>>,
}

#[derive(Default)]
struct State {
    names: FxHashMap<String, Name>,
    /// Changes are told from here on.
    follows: bool,
    is_over: bool,
}

/// One variable, as far as the worker is concerned.
#[derive(Clone, Copy, Default)]
struct Name {
    is_cached: bool,
    reading: usize,
    /// Changes while somebody was reading.
    changes: u64,
    /// How often the worker was told meanwhile.
    told: u64,
}

impl CachedReads {
    /// The reads of a session through a worker; none while nobody tells of changes yet, or any
    /// more: then nothing may be cached.
    pub async fn of_session(
        self: &Arc<Self>,
        link: &WorkerLink,
        session: &SessionKey,
        watches: &Arc<Watches>,
        store: &Arc<dyn Backend>,
        runtime: &Handle,
    ) -> Option<Arc<SessionReads>> {
        let (reads, is_new) = self.enter(link, session.incarnation, runtime);
        if !is_new {
            return reads.follows().then_some(reads);
        }
        let listening = watches.listen(store, session, reads.clone()).resolve().await;
        if let Ok(listening) = listening {
            *reads.listening.lock() = Some(listening);
            if reads.begin() {
                return Some(reads);
            }
        }
        self.leave(link.worker(), session.incarnation);
        reads.end();
        None
    }

    /// The worker is not to read what was before its own write.
    pub fn changed(&self, link: &WorkerLink, session: &SessionKey, names: &[String]) {
        let workers = self.workers.lock();
        let worker = workers.get(&link.worker());
        let reads = worker.and_then(|worker| worker.sessions.get(&session.incarnation)).cloned();
        drop(workers);
        if let Some(reads) = reads {
            names.iter().for_each(|name| reads.change(name));
        }
    }

    fn enter(
        self: &Arc<Self>,
        link: &WorkerLink,
        incarnation: u64,
        runtime: &Handle,
    ) -> (Arc<SessionReads>, bool) {
        let mut workers = self.workers.lock();
        if !workers.contains_key(&link.worker()) {
            self.forget_at_end(link.clone(), runtime);
        }
        let worker = workers.entry(link.worker()).or_default();
        if let Some(reads) = worker.sessions.get(&incarnation) {
            if !reads.is_over() {
                return (reads.clone(), false);
            }
            worker.order.retain(|other| *other != incarnation);
        }
        let reads = Arc::new(SessionReads::new(link.clone(), incarnation));
        worker.sessions.insert(incarnation, reads.clone());
        worker.order.push_back(incarnation);
        let oldest = match worker.order.len() > CACHED_SESSIONS_PER_WORKER_MAX {
            true => worker.order.pop_front().and_then(|old| worker.sessions.remove(&old)),
            false => None,
        };
        drop(workers);
        if let Some(oldest) = oldest {
            oldest.end();
        }
        (reads, true)
    }

    /// Waits for the worker's end, and lets go of what it had.
    fn forget_at_end(self: &Arc<Self>, link: WorkerLink, runtime: &Handle) {
        let all = Arc::downgrade(self);
        runtime.spawn(async move {
            link.closed().await;
            let Some(all) = all.upgrade() else { return };
            let gone = all.workers.lock().remove(&link.worker());
            for reads in gone.into_iter().flat_map(|worker| worker.sessions.into_values()) {
                reads.end();
            }
        });
    }

    fn leave(&self, worker: WorkerId, incarnation: u64) {
        let mut workers = self.workers.lock();
        if let Some(worker) = workers.get_mut(&worker) {
            worker.order.retain(|other| *other != incarnation);
            worker.sessions.remove(&incarnation);
        }
    }
}

impl SessionReads {
    fn new(link: WorkerLink, incarnation: u64) -> Self {
        SessionReads { link, incarnation, state: Mutex::default(), listening: Mutex::new(None) }
    }

    /// Answers a read. What the worker was told of meanwhile is read again, so that it never gets
    /// something older than that.
    pub async fn read(
        &self,
        name: &str,
        read: impl Fn() -> Pending<Result<VariableRow>>,
        answer: impl FnOnce(Result<StateReply>),
    ) {
        let mut answer = Some(answer);
        let mut seen = self.enter(name);
        let _leaving = Leaving { reads: self, name };
        loop {
            let outcome = read().resolve().await;
            let mut state = self.state.lock();
            let follows = state.follows && !state.is_over;
            let Some(now) = state.names.get_mut(name) else { return };
            if now.told != seen.told {
                seen = *now;
                continue;
            }
            let is_current = follows && now.changes == seen.changes;
            let reply = outcome.map(|row| match is_current {
                true => {
                    now.is_cached = true;
                    StateReply::Cacheable(row)
                }
                false => StateReply::Variable(row),
            });
            if let Some(answer) = answer.take() {
                // Under the lock: no change may be told between this answer and what it says.
                answer(reply);
            }
            return;
        }
    }

    fn enter(&self, name: &str) -> Name {
        let mut state = self.state.lock();
        if state.names.len() >= CACHED_VARIABLES_MAX && !state.names.contains_key(name) {
            state.tell_all(&self.link, self.incarnation);
        }
        let entry = match state.names.get_mut(name) {
            Some(entry) => entry,
            None => state.names.entry(name.to_owned()).or_default(),
        };
        entry.reading += 1;
        *entry
    }

    fn change(&self, name: &str) {
        let mut state = self.state.lock();
        let Some(entry) = state.names.get_mut(name) else { return };
        entry.changes += 1;
        if std::mem::take(&mut entry.is_cached) {
            entry.told += 1;
            self.link.variable_gone(self.incarnation, Some(name));
        }
        if entry.reading == 0 {
            state.names.remove(name);
        }
    }

    fn follows(&self) -> bool {
        let state = self.state.lock();
        state.follows && !state.is_over
    }

    fn is_over(&self) -> bool {
        self.state.lock().is_over
    }

    /// Changes are told from now on; `false` when it is over already.
    fn begin(&self) -> bool {
        let mut state = self.state.lock();
        state.follows = true;
        !state.is_over
    }

    /// Nobody tells of changes any more, so nothing stays cached.
    fn end(&self) {
        let mut state = self.state.lock();
        if !std::mem::replace(&mut state.is_over, true) {
            state.tell_all(&self.link, self.incarnation);
        }
        drop(state);
        let listening = self.listening.lock().take();
        drop(listening);
    }
}

impl State {
    fn tell_all(&mut self, link: &WorkerLink, incarnation: u64) {
        let is_anything_cached = self.names.values().any(|name| name.is_cached);
        for name in self.names.values_mut() {
            name.changes += 1;
            name.told += u64::from(is_anything_cached);
            name.is_cached = false;
        }
        self.names.retain(|_, name| name.reading > 0);
        if is_anything_cached {
            link.variable_gone(incarnation, None);
        }
    }
}

impl Listener for SessionReads {
    fn changed(&self, change: &Change) {
        self.change(&change.name);
    }

    fn gap(&self) {
        self.state.lock().tell_all(&self.link, self.incarnation);
    }

    fn ended(&self, _: WatchEnd) {
        self.end();
    }
}

/// A read that is over, answered or given up.
struct Leaving<'a> {
    reads: &'a SessionReads,
    name: &'a str,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let mut state = self.reads.state.lock();
        let Some(entry) = state.names.get_mut(self.name) else { return };
        entry.reading -= 1;
        if entry.reading == 0 && !entry.is_cached {
            state.names.remove(self.name);
        }
    }
}
