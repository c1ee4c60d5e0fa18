//! One call of a host tool that the host itself makes: the same checks, limits, hooks and events as
//! if Python had called, without a worker.
//!
//! Who may call which tool is the registry's; what the tool does is the host's.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::core::limits::TOOL_CHUNK_WINDOW;
use crate::core::{CallId, Deadline, Error, Result, Status, Value};
use crate::sessions::{Session, SessionHold};
use crate::telemetry::TraceContext;
use crate::tools::{Caller, Invocation, InvocationFacts};

use super::operation::{Operation, Roster, Work};
use super::services::{InFlightPlace, Services};
use super::stream::{Chunk, ChunkMeter};

/// What is to be called, with everything checked that can be before the call.
pub struct HostToolRequest {
    /// From `Services::next_call`.
    pub id: CallId,
    pub session: Arc<Session>,
    pub tool: String,
    pub arguments: Value,
    pub deadline: Deadline,
    pub stream: bool,
    pub depth: u32,
    /// The framework call in whose tool it is made.
    pub within: Option<CallId>,
    pub trace: TraceContext,
}

/// One such call under way.
pub struct HostToolCall {
    services: Arc<Services>,
    request: HostToolRequest,
    invocation: Arc<Mutex<Weak<Invocation>>>,
    kept: Mutex<Option<Kept>>,
}

/// What it holds until it has ended.
struct Kept {
    _place: InFlightPlace,
    _hold: SessionHold,
    roster: Arc<dyn Roster>,
}

impl HostToolCall {
    /// An operation that calls the tool. `roster` hears of the end.
    pub fn operation(
        services: Arc<Services>,
        request: HostToolRequest,
        place: InFlightPlace,
        roster: Arc<dyn Roster>,
    ) -> Arc<Operation> {
        let kept = Kept { _place: place, _hold: request.session.hold(), roster };
        Operation::new(Arc::new(HostToolCall {
            services,
            request,
            invocation: Arc::default(),
            kept: Mutex::new(Some(kept)),
        }))
    }

    fn facts(&self, operation: &Operation) -> InvocationFacts {
        let request = &self.request;
        InvocationFacts {
            session: request.session.id().to_string(),
            operation: operation.host_id(),
            traceparent: request.trace.to_string(),
            deadline: request.deadline,
            stream: request.stream,
            depth: request.depth,
            within: request.within,
        }
    }

    fn meter(&self) -> Arc<ChunkMeter> {
        let invocation = self.invocation.clone();
        ChunkMeter::new(self.request.id, TOOL_CHUNK_WINDOW, move |chunks| {
            let invocation = invocation.lock().upgrade();
            if let Some(invocation) = invocation {
                invocation.credit(chunks);
            }
        })
    }
}

impl Work for HostToolCall {
    fn start(&self, operation: &Arc<Operation>) {
        operation.assigned();
        let caller = HostCaller { operation: operation.clone(), meter: self.meter() };
        let keep = |invocation: &Arc<Invocation>| {
            *self.invocation.lock() = Arc::downgrade(invocation);
        };
        let HostToolRequest { session, tool, arguments, .. } = &self.request;
        let (facts, arguments) = (self.facts(operation), arguments.clone());
        let tools = &self.services.tools;
        tools.invoke(session.id(), tool, facts, arguments, Box::new(caller), keep);
        if operation.is_done() {
            // It may have ended while the tool was being called, when there was nothing to cancel.
            self.stop(Status::Cancelled);
        }
    }

    fn stop(&self, reason: Status) {
        let invocation = self.invocation.lock().upgrade();
        if let Some(invocation) = invocation {
            invocation.cancel(Error::new(reason, "the operation that called the tool has ended"));
        }
    }

    fn ended(&self, _: &Result<Value>) {
        let kept = self.kept.lock().take();
        if let Some(kept) = kept {
            kept.roster.ended(self.request.id);
        }
    }
}

/// Passes on to the operation what the tool sends.
struct HostCaller {
    operation: Arc<Operation>,
    meter: Arc<ChunkMeter>,
}

impl Caller for HostCaller {
    fn chunk(&self, sequence: u64, value: Value) {
        let chunk = Chunk { sequence, value, credit: self.meter.credit() };
        self.operation.deliver_chunks(vec![chunk]);
    }

    fn answer(&self, outcome: Result<Value>) {
        self.operation.finish(outcome);
    }
}
