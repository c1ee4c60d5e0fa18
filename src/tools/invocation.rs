//! One call of a host tool: the host answers it once, from any thread, or it is answered for the
//! host.
//!
//! Dropping the last reference without an answer fails the Python side with a sentence that says
//! so.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::core::limits::TOOL_CHUNK_WINDOW;
use crate::core::{CallId, Deadline, Error, Expire, Result, Status, TimerKey, Timers, Value};

use super::machine::{Effect, Event, Phase, step};
use super::registry::ToolEntry;

/// Carries chunks and the one answer to whoever called the tool. Called without locks of the
/// registry's; must not block.
pub trait Caller: Send + Sync {
    fn chunk(&self, sequence: u64, value: Value);
    fn answer(&self, outcome: Result<Value>);
}

/// What is told about a call beside its arguments.
#[derive(Clone, Debug)]
pub struct InvocationFacts {
    pub session: String,
    /// The host's number of the operation that the call is made for, or 0.
    pub operation: u64,
    pub traceparent: String,
    pub deadline: Deadline,
    /// The caller wants chunks.
    pub stream: bool,
    /// Executes inside tools above this one.
    pub depth: u32,
    /// The framework call that waits for it, if one does.
    pub within: Option<CallId>,
}

/// One call of a host tool.
pub struct Invocation {
    host_id: AtomicU64,
    number: u64,
    tool: Arc<ToolEntry>,
    facts: InvocationFacts,
    arguments: Value,
    caller: Box<dyn Caller>,
    state: Mutex<State>,
    /// Chunks that may still be sent. Beside the lock, because a chunk may be taken while another
    /// one is being sent under it.
    credit: AtomicU32,
    timers: Arc<Timers>,
    opened: Instant,
}

struct State {
    phase: Phase,
    sequence: u64,
    timer: Option<TimerKey>,
}

impl Invocation {
    /// Made by the registry; `number` is the tool's own count.
    pub(super) fn open(
        number: u64,
        tool: Arc<ToolEntry>,
        facts: InvocationFacts,
        arguments: Value,
        caller: Box<dyn Caller>,
        timers: Arc<Timers>,
    ) -> Arc<Self> {
        let state = State { phase: Phase::Open, sequence: 0, timer: None };
        let invocation = Arc::new(Invocation {
            host_id: AtomicU64::new(0),
            number,
            tool,
            facts,
            arguments,
            caller,
            state: Mutex::new(state),
            credit: AtomicU32::new(TOOL_CHUNK_WINDOW),
            timers,
            opened: Instant::now(),
        });
        if let Some(at) = invocation.facts.deadline.instant() {
            let weak: Weak<Invocation> = Arc::downgrade(&invocation);
            invocation.state.lock().timer = Some(invocation.timers.add(at, weak));
        }
        invocation
    }

    pub fn host_id(&self) -> u64 {
        self.host_id.load(Ordering::Acquire)
    }

    /// A number of the host's own, carried along.
    pub fn set_host_id(&self, id: u64) {
        self.host_id.store(id, Ordering::Release);
    }

    pub fn arguments(&self) -> &Value {
        &self.arguments
    }

    pub fn facts(&self) -> &InvocationFacts {
        &self.facts
    }

    pub fn tool_name(&self) -> &str {
        self.tool.name()
    }

    /// Whether the tool may be called once more where nobody knows how this call went.
    pub fn is_idempotent(&self) -> bool {
        self.tool.is_idempotent()
    }

    /// Everything about the call but its arguments.
    pub fn info(&self) -> serde_json::Value {
        serde_json::json!({
            "tool": self.tool.name(),
            "session": self.facts.session,
            "operation": self.facts.operation,
            "traceparent": self.facts.traceparent,
            "deadline_remaining_ms":
                self.facts.deadline.instant().map(|_| self.facts.deadline.remaining_ms()),
            "stream": self.facts.stream,
            "depth": self.facts.depth,
        })
    }

    pub fn is_cancelled(&self) -> bool {
        self.state.lock().phase == Phase::Cancelled
    }

    /// Sends a chunk, which is held against the tool's chunk schema. `Again`: the caller is a whole
    /// window behind. `State`: it wants no chunks.
    pub fn emit(&self, value: Value) -> Result<()> {
        if let Some(schema) = self.tool.chunk_schema() {
            schema.check(&value, &format!("chunk of tool {:?}", self.tool.name()))?;
        }
        let mut state = self.state.lock();
        refuse_late(step(state.phase, Event::Emit).1)?;
        if !self.facts.stream {
            let message = format!("the caller of tool {:?} wants no chunks", self.tool.name());
            return Err(Error::new(Status::State, message));
        }
        if self.credit.load(Ordering::Acquire) == 0 {
            let message = format!("the caller is {TOOL_CHUNK_WINDOW} chunks behind");
            return Err(Error::new(Status::Again, message));
        }
        // Chunks are sent under the lock, so nobody else takes one.
        self.credit.fetch_sub(1, Ordering::AcqRel);
        let sequence = state.sequence;
        state.sequence += 1;
        // Sent under the lock, so that chunks leave in the order of their numbers and before the
        // answer.
        self.caller.chunk(sequence, value);
        Ok(())
    }

    /// Answers with a result, which is held against the tool's output schema.
    pub fn complete(&self, value: Value) -> Result<()> {
        if let Some(schema) = self.tool.output_schema() {
            let what = format!("result of tool {:?}", self.tool.name());
            schema.check(&value, &what)?;
        }
        self.answer(Ok(value))
    }

    /// Answers with a failure.
    pub fn fail(&self, error: Error) -> Result<()> {
        self.answer(Err(error))
    }

    /// The host lets go of it without an answer.
    pub fn abandon(&self) {
        let message =
            format!("the host dropped its call of tool {:?} unanswered", self.tool.name());
        // It may have been answered: then there is nothing to say.
        let _ = self.answer(Err(Error::new(Status::ToolFailed, message)));
    }

    /// Nobody wants the answer any more, for `reason`. Python's side gets it as its outcome.
    pub fn cancel(self: &Arc<Self>, reason: Error) {
        if !self.end(Event::Cancel, Effect::TellBoth, reason.status()) {
            return;
        }
        self.caller.answer(Err(reason));
        if let Some(sink) = self.tool.sink() {
            sink.cancel(self);
        }
    }

    /// The caller has taken `chunks` and can take as many more. Takes no lock of the call's.
    pub fn credit(&self, chunks: u32) {
        let grow = |now: u32| Some(now.saturating_add(chunks).min(TOOL_CHUNK_WINDOW));
        // `grow` never refuses.
        let _ = self.credit.fetch_update(Ordering::AcqRel, Ordering::Acquire, grow);
        if let Some(sink) = self.tool.sink() {
            sink.credit(chunks);
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    fn answer(&self, outcome: Result<Value>) -> Result<()> {
        let effect = step(self.state.lock().phase, Event::Answer).1;
        refuse_late(effect)?;
        let status = outcome.as_ref().map_or_else(Error::status, |_| Status::Ok);
        if !self.end(Event::Answer, Effect::SendAnswer, status) {
            return refuse_late(step(self.state.lock().phase, Event::Answer).1);
        }
        self.caller.answer(outcome);
        Ok(())
    }

    /// Takes the one step out of `Open`; `false` if somebody else did.
    fn end(&self, event: Event, wanted: Effect, status: Status) -> bool {
        let mut state = self.state.lock();
        let (phase, effect) = step(state.phase, event);
        if effect != wanted {
            return false;
        }
        state.phase = phase;
        let timer = state.timer.take();
        drop(state);
        if let Some(timer) = timer {
            self.timers.remove(timer);
        }
        self.tool.ended(self.number, status, self.opened.elapsed());
        true
    }
}

impl Expire for Invocation {
    fn expire(self: Arc<Self>) {
        let message = format!("the deadline passed before tool {:?} answered", self.tool.name());
        self.cancel(Error::new(Status::Deadline, message));
    }
}

impl Drop for Invocation {
    fn drop(&mut self) {
        self.abandon();
    }
}

fn refuse_late(effect: Effect) -> Result<()> {
    match effect {
        Effect::RefuseAnswered => {
            Err(Error::new(Status::AlreadyCompleted, "the tool call has been answered"))
        }
        Effect::RefuseCancelled => {
            Err(Error::new(Status::Cancelled, "the tool call was cancelled: nobody waits for it"))
        }
        Effect::SendAnswer | Effect::TellBoth | Effect::SendChunk => Ok(()),
    }
}
