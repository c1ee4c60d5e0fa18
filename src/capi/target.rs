//! Where the events of one submission go: a queue or a callback, seen by the platform as its sinks.
//!
//! The platform calls these with its locks held, so they only enqueue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::api::{
    Chunk, Invocation, LogBatch, LogSink, Operation, OperationSink, ToolSink, WatchObserver,
    WatchQueue, Watcher,
};
use crate::core::{Error, Result, Status, Value};

use super::callback_sink::CallbackSink;
use super::handle_table::{self, Handle};
use super::handles::spb_invocation;
use super::invocation::InvocationObject;
use super::item::{Entry, Item};
use super::log_feed::LogFeed;
use super::queue_core::{Owed, QueueCore};

/// A checked sink.
#[derive(Clone)]
pub enum Target {
    Queue { queue: Arc<QueueCore>, tag: u64 },
    Callback { sink: Arc<CallbackSink>, tag: u64 },
}

impl Target {
    fn push(&self, item: Item) {
        match self {
            Target::Queue { queue, tag } => queue.push(Entry { tag: *tag, item }),
            Target::Callback { sink, tag } => sink.push(Entry { tag: *tag, item }),
        }
    }

    fn push_all(&self, items: impl Iterator<Item = Item>) {
        match self {
            Target::Queue { queue, tag } => {
                queue.push_all(items.map(|item| Entry { tag: *tag, item }));
            }
            Target::Callback { .. } => items.for_each(|item| self.push(item)),
        }
    }

    /// The callback that events go to, if it is one.
    pub fn callback(&self) -> Option<&Arc<CallbackSink>> {
        match self {
            Target::Queue { .. } => None,
            Target::Callback { sink, .. } => Some(sink),
        }
    }

    /// For the call that brought it, once it is certain to succeed.
    pub fn keeper(&self) -> Keeper {
        Keeper(self.callback().cloned())
    }
}

/// Tells a callback that it is kept.
pub struct Keeper(Option<Arc<CallbackSink>>);

impl Keeper {
    pub fn keep(self) {
        if let Some(sink) = self.0 {
            sink.keep();
        }
    }
}

/// An operation's consumer. It lets go of its target at the end, so that a callback's data can be
/// destroyed although the host still has the operation's handle.
pub struct OperationTarget {
    attached: Mutex<Option<Attached>>,
    /// The end has its turn after everything that waits for this callback.
    behind: Option<Arc<CallbackSink>>,
    chunks: AtomicU64,
}

struct Attached {
    target: Target,
    owed: Option<Owed>,
}

impl OperationTarget {
    /// Reserves the place of the end.
    pub fn new(target: Target, behind: Option<Arc<CallbackSink>>) -> Result<Arc<Self>> {
        let owed = match &target {
            Target::Queue { queue, .. } => Some(queue.reserve()?),
            Target::Callback { .. } => None,
        };
        Ok(Arc::new(OperationTarget {
            attached: Mutex::new(Some(Attached { target, owed })),
            behind,
            chunks: AtomicU64::new(0),
        }))
    }
}

impl OperationSink for OperationTarget {
    fn chunks(&self, operation: &Operation, chunks: Vec<Chunk>) {
        self.chunks.fetch_add(chunks.len() as u64, Ordering::Relaxed);
        if let Some(attached) = &*self.attached.lock() {
            let operation = operation.host_id();
            let items = chunks.into_iter().map(|chunk| Item::Chunk { operation, chunk });
            attached.target.push_all(items);
        }
    }

    fn done(&self, operation: &Operation, outcome: Result<Value>) {
        let Some(attached) = self.attached.lock().take() else { return };
        let chunks = self.chunks.load(Ordering::Relaxed);
        let item = Item::Done { operation: operation.host_id(), outcome, chunks };
        match &self.behind {
            None => attached.end(item),
            Some(callback) => {
                let turn = Item::Turn(Box::new(move || attached.end(item)));
                callback.push(Entry { tag: 0, item: turn });
            }
        }
    }
}

impl Attached {
    fn end(self, item: Item) {
        match (&self.target, self.owed) {
            (Target::Queue { tag, .. }, Some(owed)) => owed.settle(Entry { tag: *tag, item }),
            (target, _) => target.push(item),
        }
    }
}

/// The host's side of a tool.
pub struct ToolTarget(pub Target);

impl ToolSink for ToolTarget {
    fn call(&self, invocation: Arc<Invocation>) {
        let object = Arc::new(InvocationObject::new(invocation.clone()));
        match handle_table::insert::<spb_invocation>(object) {
            Ok(handle) => {
                invocation.set_host_id(handle.id());
                self.0.push(Item::ToolCall { handle, invocation });
            }
            Err(error) => {
                // A call that ended meanwhile needs no answer.
                let _ = invocation.fail(Error::new(Status::Unavailable, error.message()));
            }
        }
    }

    fn cancel(&self, invocation: &Arc<Invocation>) {
        let handle = spb_invocation::from_id(invocation.host_id());
        // Without a handle the host has not heard of the call, and will not.
        if handle.id() != 0 {
            self.0.push(Item::ToolCancel { handle });
        }
    }

    fn is_busy(&self) -> bool {
        self.0.callback().is_some_and(|callback| callback.is_busy())
    }
}

/// The host's side of a watch of variables. Changes wait in the watch itself, so that there they
/// can be counted and coalesced; what enters the queue is one entry for each event to take.
pub struct WatchTarget(pub Target);

impl WatchObserver for WatchTarget {
    fn ready(&self, watcher: &Arc<Watcher>, _: &mut WatchQueue) {
        self.0.push(Item::Watch { watcher: watcher.clone() });
    }
}

/// The host's side of a log subscription.
pub struct LogTarget {
    target: Target,
    feed: Arc<LogFeed>,
}

impl LogTarget {
    /// So many records may wait for the host to take them.
    pub fn new(target: Target, records_max: usize) -> Self {
        LogTarget { target, feed: LogFeed::new(records_max) }
    }
}

impl LogSink for LogTarget {
    fn take(&self, batch: &mut LogBatch) {
        let entered = self.feed.enter(batch);
        if entered.is_overflow {
            self.target.push(Item::Overflow { feed: self.feed.clone() });
        }
        let record = || Item::Log { feed: self.feed.clone() };
        self.target.push_all(std::iter::repeat_with(record).take(entered.records));
    }
}
