//! `spb_operation`: something under way; waiting for it, taking its chunks and its end, cancelling
//! it.

use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::api::{ChunkOutcome, Operation, OperationSink, OperationState, TakeOutcome};
use crate::core::{Error, Result, Status, Value};

use super::callback_pool::refuse_blocking;
use super::callback_sink::CallbackSink;
use super::error::spb_error;
use super::guard::{Out, RequiredOut, guard, guard_or};
use super::handle_table::{self, Handle};
use super::handles::spb_operation;
use super::status::spb_status;
use super::target::{OperationTarget, Target};
use super::times::wait_ms;
use super::uncancelled::{send, uncancelled};
use super::value::spb_value;

/// Waiting for a worker, or for its turn.
pub const SPB_OPERATION_QUEUED: u32 = 1;
/// Under way.
pub const SPB_OPERATION_RUNNING: u32 = 2;
/// It has ended.
pub const SPB_OPERATION_DONE: u32 = 3;

/// What an operation handle stands for.
pub struct OperationObject {
    operation: Arc<Operation>,
    /// It has not ended for the host before this callback's last turn is over.
    behind: Option<Arc<CallbackSink>>,
}

/// Gives a prepared operation its handle, tells the caller, and only then starts it: no event can
/// come before.
pub fn submit(
    operation: Arc<Operation>,
    target: Option<Target>,
    behind: Option<Arc<CallbackSink>>,
    out: RequiredOut<'_, spb_operation>,
) -> Result<()> {
    let keeper = target.as_ref().map(Target::keeper);
    let sink = match target {
        Some(target) => {
            Some(OperationTarget::new(target, behind.clone())? as Arc<dyn OperationSink>)
        }
        None => None,
    };
    let object = OperationObject { operation: operation.clone(), behind };
    let handle: spb_operation = handle_table::insert(Arc::new(object))?;
    operation.set_host_id(handle.id());
    out.put(handle);
    if let Some(keeper) = keeper {
        keeper.keep();
    }
    send(|| operation.start(sink));
    Ok(())
}

/// The end of an operation that has ended, for a caller that is its only consumer.
pub fn take_outcome(operation: &Operation) -> Result<Value> {
    match operation.take_outcome() {
        TakeOutcome::Running => Err(Error::new(Status::Again, "the operation has not ended")),
        TakeOutcome::Taken => {
            let message = "the end was taken, or went to the operation's sink";
            Err(Error::new(Status::AlreadyCompleted, message))
        }
        TakeOutcome::Outcome(outcome) => outcome,
    }
}

/// Waits until the operation has ended, however it did. `timeout_ms`: 0 only looks, SPB_NO_TIMEOUT
/// waits for ever. The thread may read from workers meanwhile, as in spb_queue_next_batch.
///
/// Ownership: none.
/// Threads: blocking unless `timeout_ms` is 0; then also callback-safe.
/// Errors: AGAIN when it has not ended in time, HANDLE, INVALID_ARGUMENT, WOULD_DEADLOCK, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_operation_wait(
    operation: spb_operation,
    timeout_ms: i64,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard(err, || {
        let object = handle_table::get(operation)?;
        let timeout = wait_ms(timeout_ms, "timeout_ms")?;
        refuse_if_waiting(timeout)?;
        if object.wait(timeout) {
            return Ok(());
        }
        Err(Error::new(Status::Again, "the operation has not ended in time"))
    })
}

/// Says where an operation is: SPB_OPERATION_*.
///
/// Ownership: none.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_operation_state(
    operation: spb_operation,
    out: Option<&mut MaybeUninit<u32>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    guard(err, || {
        let out = out.required("out")?;
        out.put(match handle_table::get(operation)?.operation.state() {
            OperationState::Queued => SPB_OPERATION_QUEUED,
            OperationState::Running => SPB_OPERATION_RUNNING,
            OperationState::Done => SPB_OPERATION_DONE,
        });
        Ok(())
    })
}

/// Takes the next chunk of a streaming operation that was submitted without a sink, waiting for it
/// at most `timeout_ms`. Taking chunks is what lets Python send more. The thread may read from
/// workers meanwhile, as in spb_queue_next_batch.
///
/// Ownership: the caller frees `*out`.
/// Threads: blocking unless `timeout_ms` is 0; then also callback-safe.
/// Errors: AGAIN when none came in time, CLOSED when there are no more, STATE when chunks go to a
/// sink, HANDLE, INVALID_ARGUMENT, NULL_ARGUMENT, WOULD_DEADLOCK, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_operation_next_chunk(
    operation: spb_operation,
    timeout_ms: i64,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    guard(err, || {
        let out = out.required("out")?;
        let object = handle_table::get(operation)?;
        let timeout = wait_ms(timeout_ms, "timeout_ms")?;
        refuse_if_waiting(timeout)?;
        let (status, message) = match uncancelled(|| object.operation.next_chunk(timeout)) {
            ChunkOutcome::Chunk(value) => {
                out.put(spb_value::into_raw(value));
                return Ok(());
            }
            ChunkOutcome::TimedOut => (Status::Again, "no chunk came in time"),
            ChunkOutcome::Ended => (Status::Closed, "there are no more chunks"),
            ChunkOutcome::HasSink => (Status::State, "the chunks go to the operation's sink"),
        };
        Err(Error::new(status, message))
    })
}

/// Takes the end of an operation that was submitted without a sink: its value, or its own status
/// and error.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: the operation's own; AGAIN while it runs, ALREADY_COMPLETED when the end was taken
/// before or went to a sink, HANDLE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_operation_take_result(
    operation: spb_operation,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    guard(err, || {
        let out = out.required("out")?;
        let value = take_outcome(&handle_table::get(operation)?.operation)?;
        out.put(spb_value::into_raw(value));
        Ok(())
    })
}

/// Asks an operation to end with CANCELLED, at any moment and any number of times. Its end comes as
/// always; it is the real result if that was first.
///
/// Ownership: none.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_operation_cancel(
    operation: spb_operation,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard(err, || {
        handle_table::get(operation)?.operation.cancel();
        Ok(())
    })
}

/// Frees the handle; 0 and stale handles are allowed. The operation goes on and its sink hears of
/// its end.
///
/// Ownership: takes the handle.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_operation_free(operation: spb_operation) {
    guard_or((), || drop(handle_table::remove(operation)));
}

impl OperationObject {
    fn wait(&self, timeout: Option<Duration>) -> bool {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        if !uncancelled(|| self.operation.wait(timeout)) {
            return false;
        }
        let Some(callback) = &self.behind else { return true };
        let rest = until.map(|until| until.saturating_duration_since(Instant::now()));
        callback.wait_drained(if timeout.is_none() { None } else { rest.or(timeout) })
    }
}

fn refuse_if_waiting(timeout: Option<Duration>) -> Result<()> {
    if timeout == Some(Duration::ZERO) { Ok(()) } else { refuse_blocking() }
}
