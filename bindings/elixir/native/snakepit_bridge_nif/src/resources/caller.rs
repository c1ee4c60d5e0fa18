//! Processes that began operations: when one dies, what it began and has not ended is cancelled.
//!
//! A process is monitored once, however much it calls. Must not know what operations do, nor who
//! hears of their ends.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rustler::{Env, LocalPid, Monitor, Resource, ResourceArc};

use crate::ffi::Operation;
use crate::home::Home;

/// One of them.
pub struct Caller {
    pid: LocalPid,
    home: Weak<Home>,
    calls: Mutex<Calls>,
}

/// Those of a platform that live.
#[derive(Default)]
pub struct Callers(Mutex<HashMap<LocalPid, ResourceArc<Caller>>>);

#[derive(Default)]
struct Calls {
    /// By tag, from before the submission to the end; none until the submission has returned.
    open: HashMap<u64, Option<Operation>>,
    is_dead: bool,
}

#[rustler::resource_impl]
impl Resource for Caller {
    fn down<'a>(&'a self, _env: Env<'a>, _pid: LocalPid, _monitor: Monitor) {
        let open = {
            let mut calls = self.calls.lock();
            calls.is_dead = true;
            std::mem::take(&mut calls.open)
        };
        if let Some(home) = self.home.upgrade() {
            home.callers.forget(&self.pid);
        }
        for operation in open.into_values().flatten() {
            // What has ended needs no cancelling.
            let _ = operation.cancel();
        }
    }
}

impl Caller {
    /// An operation is about to be submitted.
    pub fn begins(&self, tag: u64) {
        self.calls.lock().open.insert(tag, None);
    }

    /// It has been, and may have ended meanwhile.
    pub fn has_begun(&self, tag: u64, operation: Operation) {
        let mut calls = self.calls.lock();
        if calls.is_dead {
            drop(calls);
            let _ = operation.cancel();
        } else if let Some(place) = calls.open.get_mut(&tag) {
            *place = Some(operation);
        }
    }

    pub fn has_ended(&self, tag: u64) {
        let ended = self.calls.lock().open.remove(&tag);
        drop(ended);
    }
}

impl Callers {
    /// The caller that a process is; none of one that is dead.
    pub fn of(&self, home: &Arc<Home>, env: Env, pid: LocalPid) -> Option<ResourceArc<Caller>> {
        if let Some(known) = self.0.lock().get(&pid) {
            return Some(known.clone());
        }
        let calls = Mutex::default();
        let caller = ResourceArc::new(Caller { pid, home: Arc::downgrade(home), calls });
        caller.monitor(Some(env), &pid)?;
        let known = self.0.lock().entry(pid).or_insert(caller).clone();
        if known.calls.lock().is_dead {
            self.forget(&pid);
            return None;
        }
        Some(known)
    }

    /// Nothing will be called any more.
    pub fn end(&self) {
        let callers = std::mem::take(&mut *self.0.lock());
        drop(callers);
    }

    fn forget(&self, pid: &LocalPid) {
        let caller = self.0.lock().remove(pid);
        drop(caller);
    }
}
