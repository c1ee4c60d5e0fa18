//! What a host holds of something under way: it can wait for it, take its chunks and its one
//! outcome, cancel it.
//!
//! The outcome is set once under the operation's lock and told to one consumer: a sink chosen at
//! the start, or whoever waits. Sinks are called with that lock held, so that no chunk can follow
//! the end: they only enqueue.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::core::{CallId, Error, Result, Status, Value};
use crate::transport::{Sleepers, WireSeats};

use super::machine::{Effect, Event, Phase, step};
use super::stream::Chunk;

/// One asynchronous thing. Dropping the last reference does not cancel it.
pub struct Operation {
    host_id: AtomicU64,
    core: Mutex<Core>,
    changed: Sleepers,
    ended: Notify,
    work: Arc<dyn Work>,
}

struct Core {
    phase: Phase,
    sink: Option<Arc<dyn OperationSink>>,
    chunks: VecDeque<Chunk>,
    outcome: Option<Result<Value>>,
    taken: bool,
}

/// What an operation does. Called without any lock of the operation's.
pub trait Work: Send + Sync {
    /// Sets it going. May end the operation before it returns: sinks only enqueue.
    fn start(&self, operation: &Arc<Operation>);
    /// The operation has ended with `reason` although the work may still run: stop it.
    fn stop(&self, reason: Status);
    /// The operation has ended; `outcome` is what its consumer gets.
    fn ended(&self, outcome: &Result<Value>);
    /// Where a thread that waits for the operation can drive what it waits for.
    fn seats(&self) -> Option<&WireSeats> {
        None
    }
}

/// Who keeps a list of what has not ended.
pub trait Roster: Send + Sync {
    /// The call has ended. Called with the operation's lock held: strike it off and return.
    fn ended(&self, call: CallId);
}

/// The consumer of an operation's events. Called on library threads with the operation's lock held:
/// enqueue and return; calling the operation back from here is a deadlock.
pub trait OperationSink: Send + Sync {
    /// One or several that came together, in their order.
    fn chunks(&self, operation: &Operation, chunks: Vec<Chunk>);
    /// The one terminal event; nothing follows.
    fn done(&self, operation: &Operation, outcome: Result<Value>);
}

/// What a host sees of the phases.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OperationState {
    Queued,
    Running,
    Done,
}

/// What waiting for a chunk gave.
#[derive(Debug)]
pub enum ChunkOutcome {
    Chunk(Value),
    TimedOut,
    /// No more will come.
    Ended,
    /// Chunks go to the sink, not to waiters.
    HasSink,
}

/// What taking the outcome gave.
#[derive(Debug)]
pub enum TakeOutcome {
    Running,
    /// Somebody took it before, the sink perhaps.
    Taken,
    Outcome(Result<Value>),
}

impl Operation {
    /// An operation that does `work` once it is started.
    pub fn new(work: Arc<dyn Work>) -> Arc<Self> {
        let core = Core {
            phase: Phase::Prepared,
            sink: None,
            chunks: VecDeque::new(),
            outcome: None,
            taken: false,
        };
        Arc::new(Operation {
            host_id: AtomicU64::new(0),
            core: Mutex::new(core),
            changed: Sleepers::for_answers(),
            ended: Notify::new(),
            work,
        })
    }

    /// A number of the host's own, carried along. 0 until it is set.
    pub fn host_id(&self) -> u64 {
        self.host_id.load(Ordering::Acquire)
    }

    pub fn set_host_id(&self, id: u64) {
        self.host_id.store(id, Ordering::Release);
    }

    /// Starts the work; `sink` hears everything, or without one the outcome waits to be taken. The
    /// first call counts, later ones do nothing.
    pub fn start(self: &Arc<Self>, sink: Option<Arc<dyn OperationSink>>) {
        {
            let mut core = self.core.lock();
            let (phase, effect) = step(core.phase, Event::Start);
            if effect == Effect::Ignored {
                self.tell_early_end(&mut core, sink);
                return;
            }
            core.phase = phase;
            core.sink = sink;
        }
        self.work.start(self);
    }

    /// An operation that ended before its start still tells its sink.
    fn tell_early_end(&self, core: &mut Core, sink: Option<Arc<dyn OperationSink>>) {
        if core.phase == Phase::Ended
            && let Some(sink) = sink
            && let Some(outcome) = core.outcome.take()
        {
            sink.done(self, outcome);
        }
    }

    pub fn state(&self) -> OperationState {
        match self.core.lock().phase {
            Phase::Prepared | Phase::Queued => OperationState::Queued,
            Phase::Running => OperationState::Running,
            Phase::Ended => OperationState::Done,
        }
    }

    pub fn is_done(&self) -> bool {
        self.state() == OperationState::Done
    }

    /// Ends it with `Cancelled`, unless it has ended. Idempotent, from any thread.
    pub fn cancel(&self) {
        self.stop(Error::new(Status::Cancelled, "the operation was cancelled"));
    }

    /// Ends it with `error` for its consumer at once, and tells the work to stop.
    pub fn stop(&self, error: Error) {
        let reason = error.status();
        if self.finish(Err(error)) {
            self.work.stop(reason);
        }
    }

    /// Waits for the end. `false`: it has not come in time. `None` waits for ever.
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut core = self.core.lock();
        while core.phase != Phase::Ended {
            if self.sleep(&mut core, until) {
                return core.phase == Phase::Ended;
            }
        }
        true
    }

    /// Waits for the end without holding a thread.
    pub async fn done(&self) {
        loop {
            let ended = self.ended.notified();
            if self.is_done() {
                return;
            }
            ended.await;
        }
    }

    /// Takes the next chunk, waiting for it if need be.
    pub fn next_chunk(&self, timeout: Option<Duration>) -> ChunkOutcome {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut core = self.core.lock();
        loop {
            if core.sink.is_some() {
                return ChunkOutcome::HasSink;
            }
            if let Some(Chunk { value, credit, .. }) = core.chunks.pop_front() {
                drop(core);
                drop(credit);
                return ChunkOutcome::Chunk(value);
            }
            if core.phase == Phase::Ended {
                return ChunkOutcome::Ended;
            }
            if self.sleep(&mut core, until) && core.chunks.is_empty() && core.phase != Phase::Ended
            {
                return ChunkOutcome::TimedOut;
            }
        }
    }

    /// Takes the outcome; it can be had once.
    pub fn take_outcome(&self) -> TakeOutcome {
        let mut core = self.core.lock();
        match (core.phase, core.outcome.take()) {
            (_, Some(outcome)) => {
                core.taken = true;
                TakeOutcome::Outcome(outcome)
            }
            (Phase::Ended, None) => TakeOutcome::Taken,
            (_, None) => TakeOutcome::Running,
        }
    }

    /// The work is under way in a worker. `false`: the operation ended meanwhile.
    pub fn assigned(&self) -> bool {
        let mut core = self.core.lock();
        let (phase, effect) = step(core.phase, Event::Assigned);
        core.phase = phase;
        effect != Effect::Ignored
    }

    /// The work waits again, for another worker. `false`: the operation ended meanwhile.
    pub fn again(&self) -> bool {
        let mut core = self.core.lock();
        let (phase, effect) = step(core.phase, Event::Again);
        core.phase = phase;
        effect != Effect::Ignored
    }

    /// Hands chunks to the consumer; what comes too late is dropped, and its credit with it.
    pub fn deliver_chunks(&self, chunks: Vec<Chunk>) {
        let mut core = self.core.lock();
        if step(core.phase, Event::Chunk).1 != Effect::DeliverChunk {
            drop(core);
            return;
        }
        match core.sink.clone() {
            Some(sink) => sink.chunks(self, chunks),
            None => {
                core.chunks.extend(chunks);
                drop(core);
                self.changed.notify_all();
            }
        }
    }

    /// Ends the operation with `outcome`. `false`: it had ended before, and `outcome` is dropped.
    pub fn finish(&self, outcome: Result<Value>) -> bool {
        let mut core = self.core.lock();
        let (phase, effect) = step(core.phase, Event::Outcome);
        if effect != Effect::DeliverOutcome {
            return false;
        }
        // The work hears of it first: who sees the end sees its counts, too.
        self.work.ended(&outcome);
        core.phase = phase;
        match core.sink.clone() {
            Some(sink) => sink.done(self, outcome),
            None => core.outcome = Some(outcome),
        }
        drop(core);
        self.changed.notify_all();
        self.ended.notify_waiters();
        true
    }

    /// Sleeps until something changed or `until`; `true` when the time is up.
    fn sleep(&self, core: &mut parking_lot::MutexGuard<'_, Core>, until: Option<Instant>) -> bool {
        self.changed.wait(core, until, self.work.seats())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Nothing {
        stopped: Mutex<Vec<Status>>,
    }

    impl Work for Nothing {
        fn start(&self, operation: &Arc<Operation>) {
            assert!(operation.assigned());
        }
        fn stop(&self, reason: Status) {
            self.stopped.lock().push(reason);
        }
        fn ended(&self, _: &Result<Value>) {}
    }

    #[test]
    fn the_first_outcome_counts_and_is_taken_once() {
        let work = Arc::new(Nothing::default());
        let operation = Operation::new(work.clone());
        operation.start(None);
        assert!(!operation.wait(Some(Duration::ZERO)));
        assert!(matches!(operation.take_outcome(), TakeOutcome::Running));
        assert!(operation.finish(Ok(Value::null())));
        operation.cancel();
        assert!(operation.wait(None));
        assert!(matches!(operation.take_outcome(), TakeOutcome::Outcome(Ok(_))));
        assert!(matches!(operation.take_outcome(), TakeOutcome::Taken));
        assert!(work.stopped.lock().is_empty());
        assert!(matches!(operation.next_chunk(None), ChunkOutcome::Ended));
    }

    #[test]
    fn a_cancel_before_the_start_is_the_outcome_and_nothing_starts() {
        let operation = Operation::new(Arc::new(Nothing::default()));
        operation.cancel();
        operation.cancel();
        operation.start(None);
        let TakeOutcome::Outcome(Err(error)) = operation.take_outcome() else { panic!() };
        assert_eq!(error.status(), Status::Cancelled);
    }

    #[test]
    fn a_waiter_on_another_thread_wakes_at_the_end() {
        let operation = Operation::new(Arc::new(Nothing::default()));
        operation.start(None);
        let waiter = std::thread::spawn({
            let operation = operation.clone();
            move || operation.wait(Some(Duration::from_secs(10)))
        });
        operation.finish(Ok(Value::null()));
        assert!(waiter.join().unwrap());
    }
}
