//! What waits in a queue or mailbox: an event of the platform, not yet turned into the struct that
//! C sees.
//!
//! Values are boxed and handles are resolved only at the hand-out, so that what is never taken
//! costs little.

use std::sync::Arc;

use crate::api::{Chunk, ChunkCredit, Invocation, WatchEvent, Watcher, variable_document};
use crate::core::{Error, Result, Status, Value};

use super::error::spb_error;
use super::event::{
    SPB_EVENT_LOG, SPB_EVENT_OP_CHUNK, SPB_EVENT_OP_DONE, SPB_EVENT_OVERFLOW,
    SPB_EVENT_QUEUE_READABLE, SPB_EVENT_SHUTDOWN, SPB_EVENT_TOOL_CALL, SPB_EVENT_TOOL_CANCEL,
    SPB_EVENT_VARIABLE, SPB_EVENT_WATCH_END, SPB_EVENT_WATCH_MISSED, spb_event,
};
use super::handle_table::{self, Handle};
use super::handles::{spb_invocation, spb_operation};
use super::log_feed::LogFeed;
use super::queue_core::QueueCore;
use super::value::spb_value;

/// One thing to hand out, with the tag of its sink.
pub struct Entry {
    pub tag: u64,
    pub item: Item,
}

/// What happened.
pub enum Item {
    Chunk {
        operation: u64,
        chunk: Chunk,
    },
    Done {
        operation: u64,
        outcome: Result<Value>,
        chunks: u64,
    },
    ToolCall {
        handle: spb_invocation,
        invocation: Arc<Invocation>,
    },
    ToolCancel {
        handle: spb_invocation,
    },
    /// The feed has one more record, to be taken from it.
    Log {
        feed: Arc<LogFeed>,
    },
    Overflow {
        feed: Arc<LogFeed>,
    },
    /// The watcher has one more event, to be taken from it.
    Watch {
        watcher: Arc<Watcher>,
    },
    /// Another queue has events.
    Readable {
        queue: Arc<QueueCore>,
    },
    /// No event at all: work that has its turn after everything before it in the same mailbox.
    Turn(Box<dyn FnOnce() + Send>),
    Shutdown,
}

/// An event on its way out, and what is let go of once the host has it.
pub struct HandOut {
    pub event: spb_event,
    pub credit: Option<ChunkCredit>,
}

impl Entry {
    /// The event; none when there is nothing to tell any more.
    pub fn hand_out(self) -> Option<HandOut> {
        let mut event = spb_event { tag: self.tag, ..spb_event::EMPTY };
        let mut credit = None;
        match self.item {
            Item::Chunk { operation, chunk } => {
                event.kind = SPB_EVENT_OP_CHUNK;
                event.operation = spb_operation::from_id(operation);
                event.sequence = chunk.sequence;
                event.value = spb_value::into_raw(chunk.value);
                credit = Some(chunk.credit);
            }
            Item::Done { operation, outcome, chunks } => {
                event.kind = SPB_EVENT_OP_DONE;
                event.operation = spb_operation::from_id(operation);
                event.sequence = chunks;
                set_outcome(&mut event, outcome);
            }
            Item::ToolCall { handle, invocation } => {
                if invocation.is_cancelled() {
                    // The host never hears of the call, nor of its cancel.
                    handle_table::remove(handle);
                    return None;
                }
                event.kind = SPB_EVENT_TOOL_CALL;
                event.invocation = handle;
                event.value = spb_value::into_raw(invocation.arguments().clone());
            }
            Item::ToolCancel { handle } => {
                // Answered or freed meanwhile, or never handed out: nothing to tell.
                handle_table::get(handle).ok()?;
                event.kind = SPB_EVENT_TOOL_CANCEL;
                event.status = Status::Cancelled.code();
                event.invocation = handle;
            }
            Item::Log { feed } => {
                event.kind = SPB_EVENT_LOG;
                event.value = spb_value::into_raw(Value::from_own(feed.leave()?.to_text()));
            }
            Item::Overflow { feed } => {
                event.kind = SPB_EVENT_OVERFLOW;
                event.sequence = feed.take_dropped();
            }
            Item::Watch { watcher } => set_change(&mut event, &watcher.take()?),
            Item::Readable { queue } => {
                if !queue.notice_taken() {
                    // Freed meanwhile: what its tag stood for may be gone.
                    return None;
                }
                event.kind = SPB_EVENT_QUEUE_READABLE;
            }
            Item::Turn(work) => {
                work();
                return None;
            }
            Item::Shutdown => event.kind = SPB_EVENT_SHUTDOWN,
        }
        Some(HandOut { event, credit })
    }

    /// Nobody will take it: what somebody waits for is answered in the host's place.
    pub fn discard(self) {
        match self.item {
            Item::ToolCall { handle, invocation } => {
                handle_table::remove(handle);
                let message = "the host's queue of the tool was freed or is full";
                // A call that ended meanwhile needs no answer.
                let _ = invocation.fail(Error::new(Status::Unavailable, message));
            }
            Item::Log { feed } => drop(feed.leave()),
            Item::Turn(work) => work(),
            Item::Readable { queue } => {
                queue.notice_taken();
            }
            _ => {}
        }
    }

    /// What a platform may be waiting for somebody to take, and so is never dropped for being too
    /// many.
    pub fn is_tool_call(&self) -> bool {
        matches!(self.item, Item::ToolCall { .. })
    }
}

fn set_change(event: &mut spb_event, change: &WatchEvent) {
    let (kind, sequence) = match change {
        WatchEvent::Initial(held) => (SPB_EVENT_VARIABLE, held.version),
        WatchEvent::Change(change) => (SPB_EVENT_VARIABLE, change.version),
        WatchEvent::Missed(missed) => (SPB_EVENT_WATCH_MISSED, missed.count),
        WatchEvent::End(end) => {
            event.kind = SPB_EVENT_WATCH_END;
            return set_outcome(event, Err(end.error()));
        }
    };
    (event.kind, event.sequence) = (kind, sequence);
    match variable_document::event(change) {
        Ok(document) => event.value = document.map_or(std::ptr::null_mut(), spb_value::into_raw),
        Err(error) => set_outcome(event, Err(error)),
    }
}

fn set_outcome(event: &mut spb_event, outcome: Result<Value>) {
    match outcome {
        Ok(value) => event.value = spb_value::into_raw(value),
        Err(error) => {
            event.status = error.status().code();
            event.error = spb_error::into_raw(error);
        }
    }
}
