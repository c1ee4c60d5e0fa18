//! What the wire tells others, as traits in the platform's own types. Every method is called on the
//! thread that reads a worker's socket: it must not block, and must not wait for that worker.

use std::sync::Arc;

use bytes::Bytes;

use crate::core::{CallId, Result, Value, WorkerId};

use super::state_peer::{StateAsk, StateReplier};

/// One call, as seen from the worker that runs it.
pub trait CallPeer: Send + Sync {
    /// The next chunks, each with its number, which counts from 0.
    fn chunks(&self, chunks: Vec<(u64, Value)>);
    /// The call's one end. Nothing follows.
    fn finished(&self, outcome: Result<Value>);
    /// The connection broke before the end. Nothing follows.
    fn lost(&self);
    /// The handler calls a host tool. Whoever serves it first gives the replier a peer to `keep`.
    fn tool(&self, ask: ToolAsk, replier: ToolReplier);
    /// The handler asks which host tools it may call: a JSON array.
    fn tools(&self) -> Result<Bytes>;
    /// The handler reads or writes variables of its session.
    fn state(&self, ask: StateAsk, replier: StateReplier);
    /// The handler printed or logged.
    fn log(&self, note: LogNote);
}

/// One call of a host tool, or one watch of variables, as seen from the worker that asked for it.
pub trait ToolPeer: Send + Sync {
    /// Python no longer wants the answer, or the changes.
    fn cancel(&self);
    /// Python has taken chunks or changes and can take more.
    fn credit(&self, chunks: u32);
}

/// What a worker says outside of any call.
pub trait WorkerEvents: Send + Sync {
    /// Something was printed or logged while no call was running.
    fn log(&self, worker: WorkerId, note: LogNote);
    /// Somebody tried to attach and was refused.
    fn refused(&self, reason: &str);
}

/// A host tool is wanted.
#[derive(Debug)]
pub struct ToolAsk {
    pub request: u64,
    pub name: String,
    pub arguments: Value,
    pub stream: bool,
    /// Chunks that may be sent before more credit comes.
    pub credit: u32,
    /// 0: as long as the call has left.
    pub timeout_ms: u64,
    pub traceparent: String,
}

/// Carries a tool's chunks and its one answer back to the worker.
pub struct ToolReplier {
    pub(super) link: super::link::WorkerLink,
    pub(super) request: u64,
}

impl ToolReplier {
    /// From now on `peer` hears of the worker's cancel and credit, until the answer.
    pub fn keep(&self, peer: Arc<dyn ToolPeer>) {
        self.link.keep_tool(self.request, peer);
    }

    pub fn chunk(&self, sequence: u64, value: Value) {
        self.link.send_tool_chunk(self.request, sequence, value);
    }

    pub fn answer(&self, outcome: Result<Value>) {
        self.link.send_tool_answer(self.request, outcome);
    }
}

/// A line that Python printed or logged.
#[derive(Clone, Debug)]
pub struct LogNote {
    pub call: Option<CallId>,
    /// 10 debug, 20 info, 30 warning, 40 error.
    pub level: i32,
    pub target: String,
    pub message: String,
    /// Records lost in the worker before this one.
    pub dropped: u64,
}
