//! Events: a batch is taken from a queue, and each event gives up what it carries.
//!
//! Must not know whom an event is for.

use super::failure::{Failure, Outcome, call};
use super::handles::{Invocation, Queue};
use super::sys::{self, spb_event, spb_invocation, spb_sink};
use super::value::Value;

/// Room for a batch of events; what was not taken out of it is cleared when it is dropped.
pub struct Events {
    room: Vec<spb_event>,
    filled: usize,
    next: usize,
}

// SAFETY: events own values and errors, which any thread may free.
unsafe impl Send for Events {}

/// One event, with what it carries.
pub struct Event {
    /// The tag of its sink.
    pub tag: u64,
    pub kind: EventKind,
}

pub enum EventKind {
    Chunk {
        sequence: u64,
        value: Option<Value>,
    },
    Done(Outcome<Option<Value>>),
    ToolCall {
        invocation: Invocation,
        arguments: Option<Value>,
    },
    ToolCancel {
        id: u64,
    },
    Log(Option<Value>),
    LogDropped(u64),
    Variable {
        version: u64,
        value: Option<Value>,
    },
    Missed {
        count: u64,
        value: Option<Value>,
    },
    WatchEnd(Failure),
    /// Another queue has events.
    Readable,
    Shutdown,
    /// Of a kind that this library does not know: nothing to do.
    Unknown,
}

impl Events {
    pub fn with_capacity(capacity: usize) -> Self {
        Events { room: vec![spb_event::init(); capacity], filled: 0, next: 0 }
    }

    /// Takes what is there, at most `count` and the capacity: how many came. It does not wait.
    pub fn fill(&mut self, queue: &Queue, count: usize) -> Outcome<usize> {
        self.take(queue, count, 0)
    }

    /// Waits until something is there, and takes it: how many came.
    pub fn wait(&mut self, queue: &Queue) -> Outcome<usize> {
        self.take(queue, usize::MAX, sys::SPB_NO_TIMEOUT)
    }

    fn take(&mut self, queue: &Queue, count: usize, timeout_ms: i64) -> Outcome<usize> {
        self.clear();
        let capacity = self.room.len().min(count);
        let (room, filled) = (self.room.as_mut_ptr(), &raw mut self.filled);
        // SAFETY: room for `capacity` events, which `clear` has emptied.
        let taken = call(|err| unsafe {
            sys::spb_queue_next_batch(queue.0, room, capacity, timeout_ms, filled, err)
        });
        match taken {
            Err(failure) if failure.status() == sys::SPB_E_AGAIN => Ok(0),
            other => other.map(|()| self.filled),
        }
    }

    fn clear(&mut self) {
        for event in self.room.iter_mut().take(self.filled).skip(self.next) {
            // SAFETY: an event that was filled, and whose fields nobody took.
            unsafe { sys::spb_event_clear(event) }
        }
        (self.filled, self.next) = (0, 0);
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.next == self.filled {
            return None;
        }
        let event = self.room.get_mut(self.next)?;
        self.next += 1;
        // SAFETY: each event is taken once; its fields are ours from now on.
        Some(unsafe { taken(*event) })
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.clear();
    }
}

/// # Safety
/// The caller owns what the event carries and does not use the struct again.
unsafe fn taken(event: spb_event) -> Event {
    // SAFETY: as the caller vouches.
    let value = unsafe { Value::of(event.value) };
    // SAFETY: as the caller vouches; an event has an error only when it is an end.
    let failure = |status| unsafe { Failure::of(status, event.error) };
    let kind = match event.kind {
        sys::SPB_EVENT_OP_CHUNK => EventKind::Chunk { sequence: event.sequence, value },
        sys::SPB_EVENT_OP_DONE if event.status == sys::SPB_OK => EventKind::Done(Ok(value)),
        sys::SPB_EVENT_OP_DONE => EventKind::Done(Err(failure(event.status))),
        sys::SPB_EVENT_TOOL_CALL => {
            EventKind::ToolCall { invocation: Invocation(event.invocation), arguments: value }
        }
        sys::SPB_EVENT_TOOL_CANCEL => EventKind::ToolCancel { id: event.invocation.id },
        sys::SPB_EVENT_LOG => EventKind::Log(value),
        sys::SPB_EVENT_OVERFLOW => EventKind::LogDropped(event.sequence),
        sys::SPB_EVENT_VARIABLE => EventKind::Variable { version: event.sequence, value },
        sys::SPB_EVENT_WATCH_MISSED => EventKind::Missed { count: event.sequence, value },
        sys::SPB_EVENT_WATCH_END => EventKind::WatchEnd(failure(event.status)),
        sys::SPB_EVENT_QUEUE_READABLE => EventKind::Readable,
        sys::SPB_EVENT_SHUTDOWN => EventKind::Shutdown,
        _ => EventKind::Unknown,
    };
    Event { tag: event.tag, kind }
}

/// The sink of a queue: what comes through it has `tag`.
pub(super) fn sink(queue: &Queue, tag: u64) -> spb_sink {
    let mut sink = spb_sink::init();
    sink.kind = sys::SPB_SINK_QUEUE;
    sink.queue = queue.0;
    sink.tag = tag;
    sink
}

/// The number that stands for no invocation.
pub(super) fn parent(invocation: Option<&Invocation>) -> spb_invocation {
    invocation.map_or(spb_invocation { id: 0 }, |invocation| invocation.0)
}
