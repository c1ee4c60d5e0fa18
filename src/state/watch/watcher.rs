//! One watch of variables: a queue that the hub fills, and an observer that is woken for each event
//! that can be taken.
//!
//! The observer is let go of with the end, so that what it holds can go although the watch's owner
//! still has it.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::core::{Error, Result, Status};
use crate::state::backend::{Backend, Command, Reply};
use crate::state::change::Change;
use crate::state::key::SessionKey;
use crate::state::name::NamePattern;
use crate::state::pending::Pending;
use crate::state::variable::Variable;

use super::event::{WatchEnd, WatchEvent, WatchOptions, WatchPatterns};
use super::hub::{Listener, Listening, Watches};
use super::queue::WatchQueue;

/// Whoever consumes a watch. Called once for each event that has become ready, with the queue
/// locked and possibly a store's locks held: it takes from `events`, or remembers to take later,
/// and returns at once.
pub trait WatchObserver: Send + Sync {
    fn ready(&self, watcher: &Arc<Watcher>, events: &mut WatchQueue);
}

/// What waits for one observer, and which changes it wants.
pub struct Watcher {
    patterns: WatchPatterns,
    me: Weak<Watcher>,
    inner: Mutex<Inner>,
}

struct Inner {
    events: WatchQueue,
    /// None once the end is among the events.
    observer: Option<Arc<dyn WatchObserver>>,
}

/// A watch that lives; dropping it stops it.
pub struct Watch {
    watcher: Arc<Watcher>,
    _listening: Listening,
}

impl Watches {
    /// Tells `observer` of the changes of variables whose names match. With `options.initial`, of
    /// those there are first.
    pub fn watch(
        self: &Arc<Self>,
        backend: &Arc<dyn Backend>,
        session: &SessionKey,
        patterns: WatchPatterns,
        options: WatchOptions,
        observer: Arc<dyn WatchObserver>,
    ) -> Pending<Result<Watch>> {
        let queue_max = match options.checked_queue_max() {
            Ok(queue_max) => queue_max,
            Err(error) => return Pending::Ready(Err(error)),
        };
        let events = WatchQueue::new(options.coalesce, queue_max, options.initial);
        let watcher = Arc::new_cyclic(|me| Watcher {
            patterns,
            me: me.clone(),
            inner: Mutex::new(Inner { events, observer: Some(observer) }),
        });
        let listening = self.listen(backend, session, watcher.clone());
        let watch = listening.map(move |listening| Ok(Watch { watcher, _listening: listening? }));
        if !options.initial {
            return watch;
        }
        let (backend, session) = (backend.clone(), session.clone());
        watch.then(move |watch| match watch {
            Ok(watch) => {
                let everything = all(&backend, &session);
                everything.map(move |variables| {
                    // Who is told of a failure here is not told of an end as well.
                    let variables = variables.inspect_err(|_| watch.watcher.forget_observer())?;
                    watch.watcher.fill(variables);
                    Ok(watch)
                })
            }
            Err(error) => Pending::Ready(Err(error)),
        })
    }
}

impl Watch {
    /// The events, for those who take them outside of `WatchObserver::ready`.
    pub fn watcher(&self) -> &Arc<Watcher> {
        &self.watcher
    }

    /// Ends the watch: what waits can still be taken, and the end behind it.
    pub fn stop(&self) {
        self.watcher.ended(WatchEnd::Stopped);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Watcher {
    /// The next event, if there is one.
    pub fn take(&self) -> Option<WatchEvent> {
        self.inner.lock().events.pop()
    }

    /// For observers that take several events in a step of their own.
    pub fn with_events<T>(&self, act: impl FnOnce(&mut WatchQueue) -> T) -> T {
        act(&mut self.inner.lock().events)
    }

    fn forget_observer(&self) {
        let observer = self.inner.lock().observer.take();
        drop(observer);
    }

    fn fill(&self, variables: Vec<Variable>) {
        let wanted = |held: &Variable| self.patterns.matches(held.name());
        let variables = variables.into_iter().filter(wanted).collect();
        self.step(|events| events.fill(variables));
    }

    /// Wakes the observer once for each event that became ready.
    fn step(&self, act: impl FnOnce(&mut WatchQueue) -> usize) {
        let Some(me) = self.me.upgrade() else { return };
        let mut inner = self.inner.lock();
        let Inner { events, observer } = &mut *inner;
        let added = act(events);
        if let Some(observer) = observer {
            for _ in 0..added {
                observer.ready(&me, events);
            }
        }
        let done = if events.is_listening() { None } else { observer.take() };
        drop(inner);
        // What goes with the observer may take locks of its own.
        drop(done);
    }
}

impl Listener for Watcher {
    fn changed(&self, change: &Change) {
        if self.patterns.matches(&change.name) {
            self.step(|events| events.push(change));
        }
    }

    fn gap(&self) {
        self.step(WatchQueue::gap);
    }

    fn ended(&self, end: WatchEnd) {
        self.step(|events| events.end(end));
    }
}

/// Everything of a session at one moment; the session's quota bounds it.
fn all(backend: &Arc<dyn Backend>, session: &SessionKey) -> Pending<Result<Vec<Variable>>> {
    let pattern = match NamePattern::new("") {
        Ok(pattern) => pattern,
        Err(error) => return Pending::Ready(Err(error)),
    };
    let list = Command::List { pattern: &pattern, after: None, limit: usize::MAX };
    backend.apply(session, list).map(|reply| match reply? {
        Reply::Variables(variables) => Ok(variables),
        _ => {
            Err(Error::new(Status::Store, "the store answered another question than it was asked"))
        }
    })
}
