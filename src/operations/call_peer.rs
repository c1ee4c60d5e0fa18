//! A call as its worker sees it: chunks, the result, and what the handler asks of the host on the
//! way.
//!
//! Everything is answered in terms of the call's own session: a worker cannot name another.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use bytes::Bytes;

use crate::core::{Deadline, Error, Result, Status, Value};
use crate::telemetry::{Level, Record, TraceContext};
use crate::tools::{Caller, Invocation, InvocationFacts};
use crate::transport::{CallPeer, LogNote, StateAsk, StateReplier, ToolAsk, ToolPeer, ToolReplier};

use super::call::Call;
use super::stream::Chunk;

impl CallPeer for Call {
    fn chunks(&self, chunks: Vec<(u64, Value)>) {
        let Some((operation, meter)) = self.stream() else { return };
        self.has_chunks.store(true, Ordering::Release);
        let with_credit = |(sequence, value)| Chunk { sequence, value, credit: meter.credit() };
        operation.deliver_chunks(chunks.into_iter().map(with_credit).collect());
    }

    fn finished(&self, outcome: Result<Value>) {
        self.count_result(&outcome);
        self.pool.protection.answered(self.subject());
        let operation = self.release();
        if !operation.is_some_and(|operation| operation.finish(outcome)) {
            self.count_late_result();
        }
    }

    fn lost(&self) {
        self.worker_lost();
    }

    fn tool(&self, ask: ToolAsk, replier: ToolReplier) {
        let Some(operation) = self.live_operation() else {
            let message = "the call has ended: its tools can no longer be called";
            return replier.answer(Err(Error::new(Status::Cancelled, message)));
        };
        let replier = Arc::new(replier);
        let request = ask.request;
        let caller = WorkerCaller { call: self.shared(), request, replier: replier.clone() };
        let timeout = std::time::Duration::from_millis(ask.timeout_ms);
        let own = if ask.timeout_ms == 0 { Deadline::NEVER } else { Deadline::after(timeout) };
        let facts = InvocationFacts {
            session: self.request.session.id().to_string(),
            operation: operation.host_id(),
            traceparent: tool_trace(&ask.traceparent, &self.request.trace),
            deadline: self.deadline().min(own),
            stream: ask.stream,
            depth: self.request.depth,
            within: Some(self.request.id),
        };
        self.lend(request);
        let session = self.request.session.id();
        let keep = |invocation: &Arc<Invocation>| {
            self.note_tool(invocation);
            let invocation = Arc::downgrade(invocation);
            self.progress.lock().tools_open.insert(request, invocation.clone());
            replier.keep(Arc::new(InvocationPeer { invocation }));
        };
        let tools = &self.services.tools;
        tools.invoke(session, &ask.name, facts, ask.arguments, Box::new(caller), keep);
        if self.live_operation().is_none() {
            // It ended while the tool was being called, when there was nothing yet to cancel.
            self.cancel_tools();
        }
    }

    fn tools(&self) -> Result<Bytes> {
        let list = self.services.tools.list(Some(self.request.session.id()));
        Ok(Bytes::from(list.to_string()))
    }

    fn state(&self, ask: StateAsk, replier: StateReplier) {
        if self.live_operation().is_none() {
            let message = "the call has ended: its session can no longer be reached from it";
            return replier.answer(Err(Error::new(Status::Cancelled, message)));
        }
        if let Some(call) = self.shared() {
            call.answer_state(ask, replier);
        }
    }

    fn log(&self, note: LogNote) {
        let level = Level::from_number(note.level);
        if !self.services.logs.listens(level) {
            return;
        }
        let mut record = Record::new(level, note.target, note.message).from_origin(self.origin());
        if note.dropped > 0 {
            record = record.with("dropped_before", note.dropped);
        }
        self.services.logs.publish(record);
    }
}

impl Call {
    /// The worker's unit of capacity is lent while the host is asked something.
    fn lend(&self, request: u64) {
        let mut progress = self.progress.lock();
        progress.tools_open.insert(request, Weak::new());
        if progress.tools_open.len() == 1
            && let Some(lease) = &progress.lease
        {
            lease.lend();
        }
    }

    fn reclaim(&self, request: u64) {
        let mut progress = self.progress.lock();
        let was_open = progress.tools_open.remove(&request).is_some();
        if was_open
            && progress.tools_open.is_empty()
            && let Some(lease) = &progress.lease
        {
            lease.reclaim();
        }
    }
}

/// Python's side of one tool call: answers go to the worker, and the lent capacity comes back.
struct WorkerCaller {
    call: Option<Arc<Call>>,
    request: u64,
    replier: Arc<ToolReplier>,
}

impl Caller for WorkerCaller {
    fn chunk(&self, sequence: u64, value: Value) {
        self.replier.chunk(sequence, value);
    }

    fn answer(&self, outcome: Result<Value>) {
        if let Some(call) = &self.call {
            call.reclaim(self.request);
        }
        self.replier.answer(outcome);
    }
}

/// What a worker may do to a tool call that it made.
struct InvocationPeer {
    invocation: Weak<Invocation>,
}

impl ToolPeer for InvocationPeer {
    fn cancel(&self) {
        if let Some(invocation) = self.invocation.upgrade() {
            let message = "Python no longer waits for the tool";
            invocation.cancel(Error::new(Status::Cancelled, message));
        }
    }

    fn credit(&self, chunks: u32) {
        if let Some(invocation) = self.invocation.upgrade() {
            invocation.credit(chunks);
        }
    }
}

/// Python may have opened a span of its own; a malformed one is replaced by a child of the call's.
fn tool_trace(given: &str, call: &TraceContext) -> String {
    TraceContext::parse(given).unwrap_or_else(|| call.child()).to_string()
}
