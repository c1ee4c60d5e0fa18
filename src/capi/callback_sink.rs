//! One callback with its mailbox: events wait in it and are handed to the host one at a time, in
//! order.
//!
//! When the last reference goes, nothing can reach the callback any more, and its data is
//! destroyed: on a callback thread, or at once if the call that brought the sink fails.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::time::Instant;

use crate::core::Result;

use super::callback_pool::{CallbackPool, Job};
use super::event::spb_event;
use super::item::Entry;
use super::sink::UserData;

/// The host's function.
pub type Callback = unsafe extern "C" fn(user_data: *mut c_void, event: *mut spb_event);

/// A callback with what waits for it. Its entries are bounded as those of a queue are: by what was
/// let in.
pub struct CallbackSink {
    pool: Arc<CallbackPool>,
    callback: Callback,
    /// None only while the sink is being dropped.
    user: Option<UserData>,
    brought_on: ThreadId,
    /// The call that brought it has succeeded.
    is_kept: AtomicBool,
    mailbox: Mutex<Mailbox>,
    drained: Condvar,
}

#[derive(Default)]
struct Mailbox {
    entries: VecDeque<Entry>,
    /// A job for this sink waits or runs; there is never a second one.
    is_scheduled: bool,
}

impl CallbackSink {
    pub fn new(pool: &Arc<CallbackPool>, callback: Callback, user: UserData) -> Result<Arc<Self>> {
        pool.enter()?;
        Ok(Arc::new(CallbackSink {
            pool: pool.clone(),
            callback,
            user: Some(user),
            brought_on: thread::current().id(),
            is_kept: AtomicBool::new(false),
            mailbox: Mutex::default(),
            drained: Condvar::new(),
        }))
    }

    /// The call that brought the sink succeeds: from now on its data is not the caller's.
    pub fn keep(&self) {
        self.is_kept.store(true, Ordering::Release);
    }

    pub fn push(self: &Arc<Self>, entry: Entry) {
        let mut mailbox = self.mailbox.lock();
        mailbox.entries.push_back(entry);
        let was_scheduled = std::mem::replace(&mut mailbox.is_scheduled, true);
        drop(mailbox);
        if !was_scheduled {
            self.pool.submit(Job::Run(self.clone()));
        }
    }

    /// Runs one batch of callbacks, on a callback thread.
    pub fn run(self: Arc<Self>) {
        for _ in 0..BATCH {
            let Some(entry) = self.next() else { return };
            self.call(entry);
        }
        // Others have their turn before this one goes on.
        let pool = self.pool.clone();
        pool.submit(Job::Run(self));
    }

    /// Waits until every callback of what was pushed so far has returned. `false`: not in time.
    pub fn wait_drained(&self, timeout: Option<Duration>) -> bool {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut mailbox = self.mailbox.lock();
        while mailbox.is_scheduled {
            match until {
                None => self.drained.wait(&mut mailbox),
                Some(until) => {
                    if self.drained.wait_until(&mut mailbox, until.into_std()).timed_out() {
                        return !mailbox.is_scheduled;
                    }
                }
            }
        }
        true
    }

    /// Whether a callback runs, or waits for its turn.
    pub fn is_busy(&self) -> bool {
        self.mailbox.lock().is_scheduled
    }

    fn next(&self) -> Option<Entry> {
        let mut mailbox = self.mailbox.lock();
        let entry = mailbox.entries.pop_front();
        if entry.is_none() {
            mailbox.is_scheduled = false;
            self.drained.notify_all();
        }
        entry
    }

    fn call(&self, entry: Entry) {
        let Some(mut out) = entry.hand_out() else { return };
        if let Some(user) = &self.user {
            // SAFETY: the host gave this function for this data, and promises that it takes any
            // event. No lock is held, and the event is the callback's own until it returns.
            unsafe { (self.callback)(user.pointer(), &raw mut out.event) };
        }
        out.event.release();
        drop(out.credit);
    }
}

impl Drop for CallbackSink {
    fn drop(&mut self) {
        let Some(user) = self.user.take() else { return };
        // Elsewhere it may be an I/O thread, or one with a lock, on which no host code runs.
        let is_refused =
            !self.is_kept.load(Ordering::Acquire) && thread::current().id() == self.brought_on;
        if is_refused {
            drop(user);
            self.pool.leave();
        } else {
            self.pool.submit(Job::Destroy(user));
        }
    }
}

/// Callbacks of one sink in a row, while other sinks wait.
const BATCH: usize = 64;
