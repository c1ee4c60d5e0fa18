//! `spb_queue`: the completion queue as C sees it.

use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;

use crate::core::limits::QUEUE_BATCH_MAX;
use crate::core::{Error, Result, Status};

use super::callback_pool::refuse_blocking;
use super::error::spb_error;
use super::event::spb_event;
use super::guard::{Out, guard, guard_or, guard_out, null_argument};
use super::handle_table;
use super::handles::{spb_platform, spb_queue};
use super::home::Home;
use super::item::Entry;
use super::platform::home;
use super::queue_core::{QueueCore, Taken};
use super::status::spb_status;
use super::times::wait_ms;
use super::uncancelled::uncancelled;

/// What a queue handle stands for.
pub struct QueueObject {
    core: Arc<QueueCore>,
    home: Arc<Home>,
}

impl QueueObject {
    pub fn core(&self) -> &Arc<QueueCore> {
        &self.core
    }

    /// A queue takes the events of its own platform only: it could not tell when another one's have
    /// ended.
    pub fn check_home(&self, home: &Arc<Home>) -> Result<()> {
        if Arc::ptr_eq(&self.home, home) {
            return Ok(());
        }
        Err(Error::invalid("sink.queue belongs to another platform"))
    }
}

/// Makes a completion queue. Any number of operations, tools and subscriptions may send their
/// events to it.
///
/// Ownership: the caller frees `*out` with spb_queue_free.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_queue_new(
    platform: spb_platform,
    out: Option<&mut MaybeUninit<spb_queue>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let home = home(platform)?;
        let core = home.new_queue();
        handle_table::insert(Arc::new(QueueObject { core, home }))
    })
}

/// Takes up to `capacity` events, in their order. Waits for the first one at most `timeout_ms` (0:
/// not at all, SPB_NO_TIMEOUT: for ever). Any number of threads may take from one queue. A thread
/// that waits may read from workers meanwhile, in place of a thread of the library: it needs a
/// stack of 256 KiB, and pthread_cancel ends it after this has returned.
///
/// Ownership: `events` is the caller's array and is overwritten; each event filled has to be
/// cleared with spb_event_clear.
/// Threads: blocking unless `timeout_ms` is 0; then also callback-safe.
/// Errors: AGAIN when nothing came in time, CLOSED after SPB_EVENT_SHUTDOWN was taken or when the
/// queue is freed meanwhile, HANDLE, INVALID_ARGUMENT, NULL_ARGUMENT, WOULD_DEADLOCK, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_queue_next_batch(
    queue: spb_queue,
    events: *mut spb_event,
    capacity: usize,
    timeout_ms: i64,
    out_count: Option<&mut MaybeUninit<usize>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out_count = Out::zeroed(out_count);
    guard(err, || {
        let out_count = out_count.required("out_count")?;
        if events.is_null() || !events.is_aligned() {
            return Err(null_argument("events"));
        }
        if capacity == 0 {
            return Err(Error::invalid("capacity is 0, expected at least 1"));
        }
        let queue = handle_table::get(queue)?;
        let timeout = wait_ms(timeout_ms, "timeout_ms")?;
        if timeout != Some(Duration::ZERO) {
            refuse_blocking()?;
        }
        let max = capacity.min(QUEUE_BATCH_MAX);
        // SAFETY: the caller vouches for `capacity` events, and no more than that are taken.
        let take = || unsafe { take_events(&queue.core, max, timeout, events) };
        out_count.put(uncancelled(take)?);
        Ok(())
    })
}

/// Returns a descriptor that is readable while the queue has events, for epoll, libuv and their
/// like: when it is, call spb_queue_next_batch with a timeout of 0 until that says AGAIN. Never
/// read or close it.
///
/// Ownership: the descriptor is the queue's: take it out of your poller before spb_queue_free, or
/// poll a dup.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, NULL_ARGUMENT, RESOURCE_EXHAUSTED, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_queue_fd(
    queue: spb_queue,
    out: Option<&mut MaybeUninit<i32>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || handle_table::get(queue)?.core.fd())
}

/// Sends one SPB_EVENT_QUEUE_READABLE with `tag` to the queue `to` as soon as `queue` has events,
/// at once if it has some or has ended: so a thread that waits in one queue serves others beside
/// it. It comes once; ask again when `queue` has been emptied. Asking anew replaces what was asked
/// for before, unless that was sent already and not taken: then it stands for this one, too. None
/// comes for a queue that was freed.
///
/// Ownership: nothing changes hands.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, INVALID_ARGUMENT when `to` is the queue itself or of another platform, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_queue_notify(
    queue: spb_queue,
    to: spb_queue,
    tag: u64,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard(err, || {
        let (queue, to) = (handle_table::get(queue)?, handle_table::get(to)?);
        if !Arc::ptr_eq(&queue.home, &to.home) {
            return Err(Error::invalid("to belongs to another platform"));
        }
        if Arc::ptr_eq(&queue, &to) {
            return Err(Error::invalid("to is the queue itself, expected another one"));
        }
        queue.core.notify(&to.core, tag);
        Ok(())
    })
}

/// Frees a queue; 0 and stale handles are allowed. Threads that wait in it return CLOSED, events in
/// it are cleared, and tool calls that would go to it fail on Python's side.
///
/// Ownership: takes the handle and the queue's descriptor.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_queue_free(queue: spb_queue) {
    guard_or((), || {
        if let Some(object) = handle_table::remove(queue) {
            object.core.end();
        }
    });
}

/// Takes entries, in portions, until one of them is worth an event and no more are there, or the
/// time is up.
///
/// # Safety
/// `max` events at `events` are writable.
unsafe fn take_events(
    queue: &QueueCore,
    max: usize,
    timeout: Option<Duration>,
    events: *mut spb_event,
) -> Result<usize> {
    let mut count = 0;
    let mut may_be_more = true;
    while count == 0 || (may_be_more && count < max) {
        let portion = (max - count).min(PORTION);
        let wait = if count == 0 { timeout } else { Some(Duration::ZERO) };
        let entries = match queue.take(portion, wait) {
            Taken::Entries(entries) => entries,
            Taken::TimedOut | Taken::Ended if count > 0 => return Ok(count),
            Taken::TimedOut => return Err(Error::new(Status::Again, "no event came in time")),
            Taken::Ended => return Err(Error::new(Status::Closed, "the queue has ended")),
        };
        may_be_more = entries.len() == portion;
        for out in entries.into_iter().filter_map(Entry::hand_out) {
            // SAFETY: at most `max` entries were taken in all, so `count` is below that.
            unsafe { events.add(count).write(out.event) };
            count += 1;
        }
    }
    Ok(count)
}

/// Entries that are taken at once: what holds them on the way is small memory, which costs little.
const PORTION: usize = 64;
