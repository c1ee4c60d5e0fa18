//! One attached worker: calls go out, what the worker says is handed to the call it belongs to.
//!
//! The link holds the map from wire numbers to peers. It knows nothing of queues, deadlines or
//! retries.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::host_frame::Kind;
use tokio::sync::{Notify, watch};

use crate::core::{CallId, Error, Result, Status, Value, WorkerId};
use crate::telemetry::TraceContext;

use super::names::Names;
use super::outbox::Outbox;
use super::peer::{CallPeer, ToolPeer};
use super::sharing::Sharing;
use super::state_peer::{ChangeRow, StateReply};
use super::state_wire;
use super::wire;

/// A worker that said hello. Clones speak to the same worker.
#[derive(Clone)]
pub struct WorkerLink {
    inner: Arc<Inner>,
}

struct Inner {
    worker: WorkerId,
    outbox: Outbox,
    value_bytes_max: usize,
    /// Set before the link is shown to anyone, if at all.
    sharing: OnceLock<Sharing>,
    names: Mutex<Names>,
    calls: Mutex<FxHashMap<u64, Arc<dyn CallPeer>>>,
    tools: Mutex<FxHashMap<u64, Arc<dyn ToolPeer>>>,
    open: watch::Sender<bool>,
    pings_sent: AtomicU64,
    pings_answered: AtomicU64,
    pong: Notify,
}

/// What a call looks like when it leaves.
pub struct CallStart<'a> {
    pub call: CallId,
    /// A number of the session that no other has, and its id.
    pub session: (u64, &'a str),
    /// A number of the operation that no other has, its framework, and its name.
    pub operation: (u64, &'a str, &'a str),
    pub parameters: Value,
    /// 0: no deadline.
    pub deadline_remaining_ms: u64,
    pub stream: bool,
    pub chunk_credit: u32,
    pub trace: TraceContext,
    /// 0: nothing of the session may be cached.
    pub session_incarnation: u64,
}

impl WorkerLink {
    pub(super) fn new(worker: WorkerId, outbox: Outbox, value_bytes_max: usize) -> Self {
        let inner = Inner {
            worker,
            outbox,
            value_bytes_max,
            sharing: OnceLock::new(),
            names: Mutex::default(),
            calls: Mutex::default(),
            tools: Mutex::default(),
            open: watch::Sender::new(true),
            pings_sent: AtomicU64::new(0),
            pings_answered: AtomicU64::new(0),
            pong: Notify::new(),
        };
        WorkerLink { inner: Arc::new(inner) }
    }

    pub fn worker(&self) -> WorkerId {
        self.inner.worker
    }

    /// Sends a call; `peer` hears everything about it until `finished` or `lost`.
    pub fn begin(&self, start: CallStart<'_>, peer: Arc<dyn CallPeer>) -> Result<()> {
        if self.inner.outbox.is_full() {
            let message =
                format!("worker {} does not take frames as fast as they come", self.worker());
            return Err(Error::new(Status::ResourceExhausted, message));
        }
        let call_id = start.call.0;
        self.inner.calls.lock().insert(call_id, peer);
        if !*self.inner.open.borrow() && self.inner.calls.lock().remove(&call_id).is_some() {
            let message = format!("worker {} is gone", self.worker());
            return Err(Error::new(Status::WorkerLost, message));
        }
        let (session, operation) = (start.session, start.operation);
        let frame = self.call_frame(start);
        // Held until the call is queued: what it names was told before it, and not forgotten.
        let mut names = self.inner.names.lock();
        if let Some(untold) = names.note(session, operation) {
            self.inner.outbox.push(Kind::Names(untold));
        }
        self.inner.outbox.push(Kind::Call(frame));
        Ok(())
    }

    fn call_frame(&self, start: CallStart<'_>) -> pb::Call {
        let (trace_high, trace_low, span) = start.trace.numbers();
        let sampled = start.trace.is_sampled();
        pb::Call {
            call_id: start.call.0,
            session_number: start.session.0,
            operation_number: start.operation.0,
            parameters: Some(self.payload(start.parameters)),
            deadline_remaining_ms: start.deadline_remaining_ms,
            stream: start.stream,
            chunk_credit: start.chunk_credit,
            trace: Some(pb::Trace { trace_high, trace_low, span, sampled }),
            session_incarnation: start.session_incarnation,
            ..pb::Call::default()
        }
    }

    /// How many calls have begun and not ended.
    pub(super) fn calls_open(&self) -> usize {
        self.inner.calls.lock().len()
    }

    /// Tells the handler to stop; `finished` still comes.
    pub fn cancel(&self, call: CallId, reason: Status) {
        let frame = pb::CallCancel { call_id: call.0, reason: reason.code() };
        self.inner.outbox.push(Kind::Cancel(frame));
    }

    /// Lets the handler send more chunks.
    pub fn credit(&self, call: CallId, chunks: u32) {
        self.inner.outbox.push(Kind::Credit(pb::CallCredit { call_id: call.0, chunks }));
    }

    /// Asks the worker to finish what it has and leave.
    pub fn drain(&self) {
        self.inner.outbox.push(Kind::Drain(pb::Drain {}));
    }

    /// Waits until the link's thread in the worker has answered a fresh ping, or the link is
    /// broken.
    pub async fn ping(&self) -> Result<()> {
        let number = self.inner.pings_sent.fetch_add(1, Ordering::Relaxed) + 1;
        self.inner.outbox.push(Kind::Ping(pb::Ping { number }));
        loop {
            let answered = self.inner.pong.notified();
            if self.inner.pings_answered.load(Ordering::Acquire) >= number {
                return Ok(());
            }
            tokio::select! {
                () = answered => {}
                () = self.closed() => {
                    return Err(Error::new(Status::WorkerLost, "the connection broke"));
                }
            }
        }
    }

    /// Waits until the connection has broken or been closed.
    pub async fn closed(&self) {
        let mut open = self.inner.open.subscribe();
        // An error means that the sender is gone, which is as closed as can be.
        let _ = open.wait_for(|open| !open).await;
    }

    pub(super) fn call(&self, id: u64) -> Option<Arc<dyn CallPeer>> {
        self.inner.calls.lock().get(&id).cloned()
    }

    pub(super) fn end_call(&self, id: u64) -> Option<Arc<dyn CallPeer>> {
        self.inner.calls.lock().remove(&id)
    }

    pub(super) fn tool(&self, request: u64) -> Option<Arc<dyn ToolPeer>> {
        self.inner.tools.lock().get(&request).cloned()
    }

    pub(super) fn keep_tool(&self, request: u64, peer: Arc<dyn ToolPeer>) {
        self.inner.tools.lock().insert(request, peer);
    }

    pub(super) fn ponged(&self, number: u64) {
        self.inner.pings_answered.fetch_max(number, Ordering::Release);
        self.inner.pong.notify_waiters();
    }

    /// Ends the link; whoever reads it tells every peer. From any thread; later calls do nothing.
    pub fn close(&self) {
        if self.inner.open.send_replace(false) {
            self.inner.outbox.finish(Ok(()));
            self.inner.pong.notify_waiters();
        }
    }

    /// Ends the link and tells every peer. For the one who reads the link's frames: a peer that has
    /// heard of the loss hears nothing after it.
    pub(super) fn close_and_tell(&self) {
        self.close();
        let calls: Vec<_> = self.inner.calls.lock().drain().map(|(_, peer)| peer).collect();
        let tools: Vec<_> = self.inner.tools.lock().drain().map(|(_, peer)| peer).collect();
        if let Some(sharing) = self.sharing() {
            sharing.end();
        }
        for peer in calls {
            peer.lost();
        }
        for peer in tools {
            peer.cancel();
        }
    }

    pub(super) fn send_tool_chunk(&self, request_id: u64, sequence: u64, value: Value) {
        let payload = Some(self.payload(value));
        self.inner.outbox.push(Kind::ToolChunk(pb::ToolChunk { request_id, sequence, payload }));
    }

    pub(super) fn send_tool_answer(&self, request_id: u64, outcome: Result<Value>) {
        self.inner.tools.lock().remove(&request_id);
        let outcome = Some(match outcome {
            Ok(value) => pb::tool_response::Outcome::Payload(self.payload(value)),
            Err(error) => pb::tool_response::Outcome::Error(wire::error_of(&error)),
        });
        self.inner.outbox.push(Kind::ToolResponse(pb::ToolResponse { request_id, outcome }));
    }

    pub(super) fn send_tool_list(&self, request_id: u64, outcome: Result<bytes::Bytes>) {
        let outcome = Some(match outcome {
            Ok(json) => pb::tool_list::Outcome::ToolsJson(json),
            Err(error) => pb::tool_list::Outcome::Error(wire::error_of(&error)),
        });
        self.inner.outbox.push(Kind::ToolList(pb::ToolList { request_id, outcome }));
    }

    pub(super) fn send_state_answer(&self, request_id: u64, outcome: Result<StateReply>) {
        self.inner.tools.lock().remove(&request_id);
        self.inner.outbox.push(state_wire::response(self, request_id, outcome));
    }

    pub(super) fn send_change(&self, request_id: u64, sequence: u64, change: ChangeRow) {
        self.inner.outbox.push(state_wire::change(self, request_id, sequence, change));
    }

    /// What the worker has cached of the variable is out of date; without a name, of the session.
    pub fn variable_gone(&self, session_incarnation: u64, name: Option<&str>) {
        let name = name.unwrap_or_default().to_owned();
        self.inner.outbox.push(Kind::VariableGone(pb::VariableGone { session_incarnation, name }));
    }

    /// Large content goes through shared memory from here on, over the worker's `lane`.
    pub(super) fn share(&self, lane: OwnedFd) {
        let sharing = Sharing::new(lane, self.inner.outbox.clone());
        // A worker has one lane in its life.
        let _ = self.inner.sharing.set(sharing);
    }

    /// What is shared with the worker, if anything.
    pub(super) fn sharing(&self) -> Option<&Sharing> {
        self.inner.sharing.get()
    }

    /// A value as it goes to this worker.
    pub(super) fn payload(&self, value: Value) -> pb::Payload {
        match self.sharing() {
            Some(sharing) => sharing.payload_of(value),
            None => wire::payload_of(value),
        }
    }

    /// A value that came from this worker, checked as one from the host is.
    pub(super) fn value(&self, payload: Option<pb::Payload>) -> Result<Value> {
        let mut payload = payload;
        if let (Some(payload), Some(sharing)) = (&mut payload, self.sharing()) {
            sharing.resolve(payload)?;
        }
        let value = wire::value_from(payload)?;
        value.check_size("value has", self.inner.value_bytes_max)?;
        Ok(value)
    }
}
