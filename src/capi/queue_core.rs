//! The completion queue itself: events go in on library threads and come out wherever the host
//! takes them.
//!
//! Bounded by construction: ends by the operations that were let in, chunks by their windows, tool
//! calls by `TOOL_CALLS_WAITING_MAX`, log records by their gates. It knows no C type but the
//! events' items.

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::api::{Sleepers, WireSeats};
use crate::core::limits::OPERATIONS_MAX;
use crate::core::{Error, Result, Status};

use super::eventfd::EventFd;
use super::item::{Entry, Item};
use super::notice::{Due, Notice};

/// A queue of events. Any number of threads may push and take.
pub struct QueueCore {
    state: Mutex<State>,
    filled: Sleepers,
    /// Where a thread that takes may drive; nowhere in tests of the queue alone.
    seats: Option<Arc<WireSeats>>,
}

struct State {
    entries: VecDeque<Entry>,
    /// Operations whose end has not been pushed.
    owed: usize,
    /// Ends that were pushed and not handed out.
    ends_waiting: usize,
    tool_calls_waiting: usize,
    phase: Phase,
    fd: Option<EventFd>,
    notice: Notice,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Phase {
    Open,
    /// The platform has closed: the last events come out, then SHUTDOWN.
    Closing,
    /// SHUTDOWN is in the queue: nothing follows it.
    Sealed,
    /// The host has freed it, or has had SHUTDOWN.
    Ended,
}

/// What taking gave.
pub enum Taken {
    Entries(Vec<Entry>),
    TimedOut,
    Ended,
}

/// The right to push one operation's end; the queue stays open for it. Dropping gives it back.
pub struct Owed {
    queue: Arc<QueueCore>,
    is_settled: bool,
}

impl QueueCore {
    /// An empty queue. A thread that waits in it drives one of `seats` meanwhile.
    pub fn new(seats: Option<Arc<WireSeats>>) -> Arc<Self> {
        let state = State {
            entries: VecDeque::new(),
            owed: 0,
            ends_waiting: 0,
            tool_calls_waiting: 0,
            phase: Phase::Open,
            fd: None,
            notice: Notice::Nobody,
        };
        Arc::new(QueueCore { state: Mutex::new(state), filled: Sleepers::default(), seats })
    }

    /// Lets an operation in. `ResourceExhausted` when the host has left too many ends untaken.
    pub fn reserve(self: &Arc<Self>) -> Result<Owed> {
        let mut state = self.state.lock();
        if state.phase != Phase::Open {
            return Err(Error::new(Status::Closed, "the queue is closed"));
        }
        if state.owed + state.ends_waiting >= OPERATIONS_MAX {
            let message =
                format!("the queue has {OPERATIONS_MAX} operations whose ends were not taken");
            return Err(Error::new(Status::ResourceExhausted, message));
        }
        state.owed += 1;
        drop(state);
        Ok(Owed { queue: self.clone(), is_settled: false })
    }

    /// Adds an entry; one that cannot be taken any more is discarded.
    pub fn push(self: &Arc<Self>, entry: Entry) {
        self.push_all(std::iter::once(entry));
    }

    /// Adds entries that came together: whoever waits is woken once.
    pub fn push_all(self: &Arc<Self>, entries: impl Iterator<Item = Entry>) {
        let due = self.accept(entries);
        self.tell(due);
    }

    /// Takes up to `max` entries, waiting for the first. `None` waits for ever.
    pub fn take(&self, max: usize, timeout: Option<Duration>) -> Taken {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let waits = timeout != Some(Duration::ZERO);
        let mut state = self.state.lock();
        loop {
            if !state.entries.is_empty() {
                let entries = state.take(max);
                if state.phase == Phase::Ended {
                    // Nothing more comes, to whoever waits.
                    self.filled.notify_all();
                } else if !state.entries.is_empty() {
                    // Another waiter may have been passed over while these piled up.
                    self.filled.notify_one();
                }
                return Taken::Entries(entries);
            }
            if state.phase == Phase::Ended {
                return Taken::Ended;
            }
            let is_late = !waits || self.filled.wait(&mut state, until, self.seats.as_deref());
            if is_late && state.entries.is_empty() && state.phase != Phase::Ended {
                return Taken::TimedOut;
            }
        }
    }

    /// The descriptor, made when it is first asked for.
    pub fn fd(&self) -> Result<RawFd> {
        let mut state = self.state.lock();
        if let Some(fd) = &state.fd {
            return Ok(fd.number());
        }
        let fd = EventFd::new()?;
        if state.is_readable() {
            fd.set();
        }
        Ok(state.fd.insert(fd).number())
    }

    /// Sends one `Readable` with `tag` to `to` as soon as there are events here, or the end.
    pub fn notify(self: &Arc<Self>, to: &Arc<QueueCore>, tag: u64) {
        let mut state = self.state.lock();
        state.notice.ask(Due { to: to.clone(), tag });
        let due = state.notice_due();
        drop(state);
        self.tell(due);
    }

    /// The notice has been taken: whether this queue still wants it told.
    pub fn notice_taken(&self) -> bool {
        self.state.lock().notice.take()
    }

    /// The platform has closed: SHUTDOWN follows what is still owed.
    pub fn close(self: &Arc<Self>) {
        let mut state = self.state.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Closing;
        }
        state.seal_if_settled();
        let due = state.notice_due();
        drop(state);
        self.filled.notify_all();
        self.tell(due);
    }

    /// The host has freed it: nothing more comes out, and what waits is discarded.
    pub fn end(&self) {
        let mut state = self.state.lock();
        state.phase = Phase::Ended;
        let entries = std::mem::take(&mut state.entries);
        let fd = state.fd.take();
        let notice = std::mem::take(&mut state.notice);
        drop(state);
        self.filled.notify_all();
        drop((fd, notice));
        entries.into_iter().for_each(Entry::discard);
    }

    fn accept(&self, entries: impl Iterator<Item = Entry>) -> Option<Due> {
        let mut state = self.state.lock();
        let refused: Vec<Entry> = entries.filter_map(|entry| state.push(entry).err()).collect();
        let due = state.notice_due();
        drop(state);
        self.filled.notify_one();
        refused.into_iter().for_each(Entry::discard);
        due
    }

    /// Sends what is due. The queue that gets it may have to tell another one.
    fn tell(self: &Arc<Self>, mut due: Option<Due>) {
        let mut queue = self.clone();
        while let Some(Due { to, tag }) = due {
            let item = Item::Readable { queue };
            due = to.accept(std::iter::once(Entry { tag, item }));
            queue = to;
        }
    }
}

impl State {
    fn push(&mut self, entry: Entry) -> Result<(), Entry> {
        let is_full = entry.is_tool_call() && self.tool_calls_waiting >= TOOL_CALLS_WAITING_MAX;
        if is_full || matches!(self.phase, Phase::Sealed | Phase::Ended) {
            return Err(entry);
        }
        match entry.item {
            Item::Done { .. } => self.ends_waiting += 1,
            Item::ToolCall { .. } => self.tool_calls_waiting += 1,
            _ => {}
        }
        self.append(entry);
        Ok(())
    }

    fn append(&mut self, entry: Entry) {
        self.entries.push_back(entry);
        if let Some(fd) = &self.fd
            && self.entries.len() == 1
        {
            fd.set();
        }
    }

    fn take(&mut self, max: usize) -> Vec<Entry> {
        let count = max.min(self.entries.len());
        let taken: Vec<Entry> = self.entries.drain(..count).collect();
        for entry in &taken {
            match entry.item {
                Item::Done { .. } => self.ends_waiting -= 1,
                Item::ToolCall { .. } => self.tool_calls_waiting -= 1,
                Item::Shutdown => self.phase = Phase::Ended,
                _ => {}
            }
        }
        if let Some(fd) = &self.fd
            && !self.is_readable()
        {
            fd.clear();
        }
        taken
    }

    fn notice_due(&mut self) -> Option<Due> {
        if self.is_readable() { self.notice.send() } else { None }
    }

    /// An ended queue stays readable: a poller that looks again learns of the end.
    fn is_readable(&self) -> bool {
        !self.entries.is_empty() || self.phase == Phase::Ended
    }

    fn seal_if_settled(&mut self) {
        if self.phase == Phase::Closing && self.owed == 0 {
            self.phase = Phase::Sealed;
            self.append(Entry { tag: 0, item: Item::Shutdown });
        }
    }
}

impl Owed {
    /// Pushes the end that was owed.
    pub fn settle(mut self, entry: Entry) {
        self.is_settled = true;
        let mut state = self.queue.state.lock();
        state.owed -= 1;
        let refused = state.push(entry);
        state.seal_if_settled();
        let due = state.notice_due();
        drop(state);
        self.queue.filled.notify_one();
        if let Err(entry) = refused {
            entry.discard();
        }
        self.queue.tell(due);
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        let mut state = self.queue.state.lock();
        state.owed -= 1;
        state.seal_if_settled();
        let due = state.notice_due();
        drop(state);
        self.queue.filled.notify_all();
        self.queue.tell(due);
    }
}

/// Tool calls that wait for the host to take them; more are failed at once. Of the order of
/// operations, since each of those may call tools.
const TOOL_CALLS_WAITING_MAX: usize = OPERATIONS_MAX;

#[cfg(test)]
#[path = "queue_core_tests.rs"]
mod tests;
