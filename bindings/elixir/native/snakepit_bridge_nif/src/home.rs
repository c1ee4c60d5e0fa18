//! What a platform's submissions and its dispatcher share: the queue, who waits for which event,
//! and the streams whose readers wait.
//!
//! Must not know how messages look. Entries that are taken out are dropped by whoever took them, so
//! never under the lock: dropping one may end a resource.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rustix::event::epoll;
use rustler::ResourceArc;

use crate::address::Address;
use crate::ffi::{Failure, Outcome, Platform, Queue, SPB_E_INTERNAL};
use crate::resources::{OperationResource, StreamResource, ToolResource};

pub struct Home {
    pub queue: Queue,
    pub poller: OwnedFd,
    tags: AtomicU64,
    state: Mutex<State>,
}

/// Who an event of a tag is for.
pub enum Entry {
    /// The end of an operation, once.
    Call(Call),
    /// Calls of a tool, until it has been unregistered.
    Tool(ResourceArc<ToolResource>),
    /// Records of a log, until the subscription ends.
    Log(ResourceArc<StreamResource>),
}

pub struct Call {
    /// Nobody waits for the end of what was begun for a dead process.
    pub address: Option<Address>,
    pub operation: Option<ResourceArc<OperationResource>>,
    /// The tool whose entry goes with this end.
    pub last_of: Option<u64>,
}

#[derive(Default)]
struct State {
    entries: HashMap<u64, Entry>,
    waiting: HashMap<u64, ResourceArc<StreamResource>>,
    is_over: bool,
}

impl Home {
    pub fn new(platform: &Platform) -> Outcome<Home> {
        let queue = Queue::new(platform)?;
        let poller = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(system)?;
        let events = epoll::EventFlags::IN;
        epoll::add(&poller, queue.fd()?, epoll::EventData::new_u64(QUEUE_TAG), events)
            .map_err(system)?;
        let tags = AtomicU64::new(QUEUE_TAG + 1);
        Ok(Home { queue, poller, tags, state: Mutex::default() })
    }

    /// A number that no other sink has.
    pub fn tag(&self) -> u64 {
        self.tags.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes who an event is for; refused when none will come any more.
    pub fn enter(&self, tag: u64, entry: Entry) -> Outcome<()> {
        let mut state = self.state.lock();
        if state.is_over {
            drop(state);
            drop(entry);
            return Err(Failure::closed("the platform"));
        }
        state.entries.insert(tag, entry);
        Ok(())
    }

    pub fn leave(&self, tag: u64) -> Option<Entry> {
        self.state.lock().entries.remove(&tag)
    }

    pub fn tool(&self, tag: u64) -> Option<ResourceArc<ToolResource>> {
        match self.state.lock().entries.get(&tag) {
            Some(Entry::Tool(tool)) => Some(tool.clone()),
            _ => None,
        }
    }

    pub fn log(&self, tag: u64) -> Option<ResourceArc<StreamResource>> {
        match self.state.lock().entries.get(&tag) {
            Some(Entry::Log(log)) => Some(log.clone()),
            _ => None,
        }
    }

    /// Lets the dispatcher tell the stream's reader once, when the stream has events.
    pub fn await_events(&self, stream: &ResourceArc<StreamResource>, queue: &Queue) -> Outcome<()> {
        let fd = queue.fd()?;
        let mut state = self.state.lock();
        if state.is_over {
            drop(state);
            return Err(Failure::closed("the platform"));
        }
        let before = state.waiting.insert(stream.tag, stream.clone());
        let data = epoll::EventData::new_u64(stream.tag);
        let events = epoll::EventFlags::IN | epoll::EventFlags::ONESHOT;
        let armed = match epoll::modify(&self.poller, fd, data, events) {
            Err(rustix::io::Errno::NOENT) => epoll::add(&self.poller, fd, data, events),
            other => other,
        };
        drop(state);
        drop(before);
        armed.map_err(system)
    }

    /// The stream whose events have come, if its reader still waits.
    pub fn awaited(&self, tag: u64) -> Option<ResourceArc<StreamResource>> {
        self.state.lock().waiting.remove(&tag)
    }

    /// No event will come any more: everyone who waits for one.
    pub fn end(&self) -> (Vec<Entry>, Vec<ResourceArc<StreamResource>>) {
        let mut state = self.state.lock();
        state.is_over = true;
        let entries = std::mem::take(&mut state.entries);
        let waiting = std::mem::take(&mut state.waiting);
        (entries.into_values().collect(), waiting.into_values().collect())
    }
}

fn system(error: rustix::io::Errno) -> Failure {
    Failure::own(SPB_E_INTERNAL, format!("the dispatcher's poller: {error}"))
}

/// What the poller says for the platform's own queue.
pub const QUEUE_TAG: u64 = 0;
