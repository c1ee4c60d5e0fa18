//! What a platform's submissions and its dispatcher share: the queue, who waits for which event,
//! and the streams whose readers wait.
//!
//! Must not know how messages look. Entries that are taken out are dropped by whoever took them, so
//! never under the lock: dropping one may end a resource.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rustler::ResourceArc;

use crate::address::{Address, Environments};
use crate::ffi::{Failure, Outcome, Platform, Queue};
use crate::resources::{Caller, Callers, PlatformResource, StreamResource, ToolResource};

pub struct Home {
    pub queue: Queue,
    pub callers: Callers,
    pub environments: Environments,
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

#[derive(Default)]
pub struct Call {
    /// Nobody waits for the end of what was begun for a dead process.
    pub address: Option<Address>,
    /// Whose death cancels it.
    pub caller: Option<ResourceArc<Caller>>,
    /// What is under way keeps its platform open.
    pub platform: Option<ResourceArc<PlatformResource>>,
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
        Ok(Home {
            queue: Queue::new(platform)?,
            callers: Callers::default(),
            environments: Environments::default(),
            tags: AtomicU64::new(1),
            state: Mutex::default(),
        })
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
        let mut state = self.state.lock();
        if state.is_over {
            drop(state);
            return Err(Failure::closed("the platform"));
        }
        let before = state.waiting.insert(stream.tag, stream.clone());
        drop(state);
        drop(before);
        queue.notify(&self.queue, stream.tag)
    }

    /// The stream whose events have come, if its reader still waits.
    pub fn awaited(&self, tag: u64) -> Option<ResourceArc<StreamResource>> {
        self.state.lock().waiting.remove(&tag)
    }

    /// No event will come any more: everyone who waits for one.
    pub fn end(&self) -> (Vec<(u64, Entry)>, Vec<ResourceArc<StreamResource>>) {
        let mut state = self.state.lock();
        state.is_over = true;
        let entries = std::mem::take(&mut state.entries);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.callers.end();
        (entries.into_iter().collect(), waiting.into_values().collect())
    }
}
