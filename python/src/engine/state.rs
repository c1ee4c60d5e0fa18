//! Everything that the link's thread and Python's threads share, and what Python may do to it.
//!
//! Plain data behind one lock: no function here waits, touches the network or calls Python. Whom to
//! wake is collected in [`Wakes`] and done after the lock is released. What Python sends is in
//! `sending`, what it asks in `asking`, what the host does in `receive`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::thread::ThreadId;

use parking_lot::Condvar;
use snakepit_bridge_proto as pb;
use tokio::time::Instant;

use super::cache::Cache;
use super::calls::{Call, Calls};
use super::drive::Drive;
use super::outbox::Outbox;
use super::requests::Requests;
use super::seat::{Guest, Seat};
use super::shared::Attempt;
use crate::limits::{INBOX_FRAMES_MAX, LIGHT_BYTES, PASS_ON_EACH};

/// The state of one link.
#[derive(Default)]
pub struct State {
    pub calls: Calls,
    pub requests: Requests,
    pub outbox: Outbox,
    pub cache: Cache,
    pub wakes: Wakes,
    pub seat: Seat,
    /// What the guest would sleep on if somebody else drove.
    guest_waits: Option<Arc<Condvar>>,
    /// Frames that belonged to no call or request that we know.
    pub frames_ignored: u64,
    inbox: VecDeque<Incoming>,
    /// What the last message brought of documents.
    pub inbox_bytes: usize,
    arrived: Arc<Condvar>,
    /// The thread that took the last batch and passes it on; until it is back, or says that it is
    /// done, nobody gets the next: frames keep their order.
    passes_on: Option<Taker>,
    /// It was not back when it might have been: it waited for the GIL, or a handler for something.
    was_slow: bool,
    closed: Option<Refusal>,
    pub last_request: u64,
    /// Calls whose asyncio task waits for credit or room.
    pub armed: Vec<u64>,
}

/// Who took a batch, when, and how many frames that were.
struct Taker {
    by: ThreadId,
    at: Instant,
    frames: usize,
}

/// What `next_batch` hands to Python.
#[derive(Debug)]
pub enum Incoming {
    /// A call, and when it came: its deadline counts from there.
    Call(Box<pb::Call>, Instant),
    Cancel {
        call_id: u64,
        reason: i32,
    },
    Ready(u64),
    Credit(u64),
    /// What calls behind this one name by numbers.
    Names(Box<pb::Names>),
    Drain,
}

/// Why something cannot be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The call was cancelled, or has ended and takes nothing more.
    Cancelled { call_id: u64, reason: i32 },
    /// The link is closed; the text says why.
    Closed(Arc<str>),
    /// The call has a result already, or never was.
    NoCall(u64),
    /// Too many requests are open.
    RequestsFull,
}

/// Who has to be woken once the lock is free.
#[derive(Default)]
pub struct Wakes {
    pub all: Vec<Arc<Condvar>>,
    /// One of those who sleep here.
    one: Option<Arc<Condvar>>,
    /// The guest that drives.
    guest: bool,
    writer: Option<Waker>,
}

impl Taker {
    fn is_here(&self) -> bool {
        self.by == std::thread::current().id()
    }

    /// Whether it has been away for longer than passing on takes.
    fn is_slow(&self) -> bool {
        let frames = u32::try_from(self.frames).unwrap_or(u32::MAX);
        self.at.elapsed() > PASS_ON_EACH.saturating_mul(frames)
    }
}

impl Refusal {
    pub fn cancelled(call_id: u64, reason: i32) -> Self {
        Refusal::Cancelled { call_id, reason }
    }

    /// The call is over: nothing can be done for it any more.
    pub fn ended(call_id: u64) -> Self {
        Refusal::Cancelled { call_id, reason: STATUS_CLOSED }
    }
}

impl State {
    /// Why the link is closed, if it is.
    pub fn closed(&self) -> Option<&Refusal> {
        self.closed.as_ref()
    }

    /// Closes the link for everybody and wakes whoever waits. The first reason counts.
    pub fn close(&mut self, reason: &str) {
        if self.closed.is_some() {
            return;
        }
        self.closed = Some(Refusal::Closed(reason.into()));
        self.outbox.end();
        self.wakes.all.push(self.arrived.clone());
        self.wakes.all.push(self.outbox.room.clone());
        self.wakes.all.extend(self.calls.values().filter_map(|call| call.waiter.clone()));
        self.wakes.all.extend(self.requests.values().map(|request| request.ready.clone()));
    }

    /// Hands a frame to `next_batch`.
    pub fn deliver(&mut self, incoming: Incoming) {
        if self.inbox.len() >= INBOX_FRAMES_MAX {
            return self.close("host sent more frames than a worker may hold untaken");
        }
        self.inbox.push_back(incoming);
        self.wake_a_taker();
    }

    /// Up to `frames_max` frames; `None` once the link is closed and all were taken. The thread
    /// that took some is expected back, or to say [`State::pass_on`].
    pub fn take_batch(&mut self, frames_max: usize) -> Attempt<Option<Vec<Incoming>>> {
        if let Some(back) = self.passes_on.take_if(|taker| taker.is_here()) {
            self.was_slow = back.is_slow();
        }
        if self.inbox.is_empty() && self.closed.is_some() {
            return Attempt::Done(None);
        }
        if self.inbox.is_empty() || self.passes_on.is_some() {
            return Attempt::Wait(self.arrived.clone());
        }
        let count = frames_max.min(self.inbox.len());
        let by = std::thread::current().id();
        self.passes_on = Some(Taker { by, at: Instant::now(), frames: count });
        Attempt::Done(Some(self.inbox.drain(..count).collect()))
    }

    /// The calling thread has passed on what it took, and does something else now.
    pub fn pass_on(&mut self) {
        if self.passes_on.take_if(|taker| taker.is_here()).is_some() {
            self.wake_a_taker();
        }
    }

    fn wake_a_taker(&mut self) {
        if !self.inbox.is_empty() && self.passes_on.is_none() {
            self.wakes.one = Some(self.arrived.clone());
        }
    }

    /// A call that something can still be done for, or why not.
    pub fn live_call(&self, call_id: u64) -> Result<(), Refusal> {
        if let Some(refusal) = &self.closed {
            return Err(refusal.clone());
        }
        match self.calls.get(&call_id) {
            Some(Call { cancelled: Some(reason), .. }) => Err(Refusal::cancelled(call_id, *reason)),
            Some(_) => Ok(()),
            None => Err(Refusal::ended(call_id)),
        }
    }

    /// The calling thread would sleep on `condvar`: it drives instead, if nobody does.
    pub fn sit(&mut self, condvar: &Arc<Condvar>) -> bool {
        let sits = self.seat.sit(self.guest_at(condvar));
        if sits {
            self.guest_waits = Some(condvar.clone());
        }
        sits
    }

    /// How whoever waits there lives: a listener is back when it has passed on what came.
    pub fn guest_at(&self, condvar: &Arc<Condvar>) -> Guest {
        if Arc::ptr_eq(condvar, &self.arrived) { Guest::Regular } else { Guest::Passing }
    }

    /// The guest stops driving. Whether the link's thread has to go on at once.
    pub fn rise(&mut self) -> bool {
        let guest = match self.guest_waits.take() {
            Some(condvar) => self.guest_at(&condvar),
            None => Guest::Regular,
        };
        self.seat.rise(guest)
    }

    /// A message came with so many frames. Whether the link's thread shall leave the seat.
    pub fn note_message(&mut self, frames: usize) -> bool {
        let is_light = self.inbox_bytes <= frames * LIGHT_BYTES;
        let is_for_listener = !self.inbox.is_empty() && is_light && !self.was_slow;
        self.inbox_bytes = 0;
        self.seat.note_message(frames, self.calls.len(), is_for_listener)
    }

    /// Whether the calling thread has to send what it has queued since it took a batch: nobody
    /// drives meanwhile.
    pub fn is_due(&self) -> bool {
        self.seat.is_free()
            && self.passes_on.as_ref().is_some_and(Taker::is_here)
            && self.outbox.is_due(Instant::now())
    }

    /// Whom to wake after the lock is released.
    pub fn take_wakes(&mut self) -> Wakes {
        let mut wakes = std::mem::take(&mut self.wakes);
        wakes.writer = self.outbox.take_waker();
        wakes.guest = wakes.all.iter().any(|condvar| self.is_guest_at(condvar));
        // It is as good as any of those who sleep.
        if wakes.one.as_ref().is_some_and(|condvar| self.is_guest_at(condvar)) {
            wakes.one = None;
            wakes.guest = true;
        }
        wakes
    }

    /// Whether the guest waits for what sleepers on `condvar` wait for.
    fn is_guest_at(&self, condvar: &Arc<Condvar>) -> bool {
        self.guest_waits.as_ref().is_some_and(|waits| Arc::ptr_eq(waits, condvar))
    }
}

impl Wakes {
    /// Wakes them. Never under the lock: who wakes up wants it at once.
    pub fn fire(self, drive: &Drive) {
        for condvar in self.all {
            condvar.notify_all();
        }
        if let Some(condvar) = self.one {
            condvar.notify_one();
        }
        if self.guest {
            drive.guest.notify_one();
        }
        if let Some(writer) = self.writer {
            drive.wake(writer);
        }
    }
}

/// `Status::Closed` of the platform.
const STATUS_CLOSED: i32 = 8;

#[cfg(test)]
mod tests;
