//! The futures of one connection, run by one thread at a time: by the runtime that the connection
//! lives on, or by a thread of the host that has something for them (a strand, as Asio has it).
//!
//! What is woken waits for the runtime as any task does. Only who wakes it by `run_here` runs it
//! itself, and only if nobody else is at it or about to be. It ends with its runtime, whoever still
//! holds it. Knows nothing of what the futures do.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use futures_util::task::AtomicWaker;
use hyper::rt::Executor;
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::wires::Wire;

/// The futures of one connection. Clones share them.
#[derive(Clone)]
pub struct Strand(Arc<Inner>);

struct Inner {
    /// Of the bits below; 0: nothing is ready, and nobody runs it.
    state: AtomicU8,
    /// Locked by who has set `RUNNING`, and to end all. `None` when all is over.
    jobs: Mutex<Option<Jobs>>,
    /// Not among the jobs yet.
    new: Mutex<Vec<Job>>,
    /// The runtime's task, which runs what nobody else does.
    task: AtomicWaker,
    wire: Arc<Wire>,
}

struct Jobs {
    all: FuturesUnordered<Job>,
    runtime: Handle,
}

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Something is ready; unless `RUNNING`, the runtime's task has been woken for it.
const WOKEN: u8 = 1;
/// A thread runs what is ready, and looks again before it goes.
const RUNNING: u8 = 2;
/// All has ended.
const OVER: u8 = 4;
/// How often who runs looks again: what is ready then is the runtime's.
const PASSES_MAX: usize = 4;

impl Strand {
    /// Runs what `first` makes, and what that spawns, on `wire`, whose runtime this is.
    pub fn start<F>(runtime: &Handle, wire: Arc<Wire>, first: impl FnOnce(Strand) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let jobs = Jobs { all: FuturesUnordered::new(), runtime: runtime.clone() };
        let strand = Strand(Arc::new(Inner {
            state: AtomicU8::new(WOKEN),
            jobs: Mutex::new(Some(jobs)),
            new: Mutex::default(),
            task: AtomicWaker::new(),
            wire,
        }));
        strand.execute(first(strand.clone()));
        runtime.spawn(OnRuntime(strand));
    }

    /// Where it lives.
    pub fn wire(&self) -> &Arc<Wire> {
        &self.0.wire
    }

    /// Runs what `wake` wakes on the calling thread, which is none of a runtime's; where somebody
    /// runs something already, or is about to, that one does.
    pub fn run_here(&self, wake: impl FnOnce()) {
        let inner = &self.0;
        let is_taken = inner.passes(0, RUNNING | WOKEN)
            || (inner.wire.is_free() && inner.passes(WOKEN, RUNNING | WOKEN));
        wake();
        if is_taken {
            inner.wire.within(|| inner.run(true));
        }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Strand {
    fn execute(&self, job: F) {
        self.0.new.lock().push(Box::pin(job));
        self.0.wake_by_ref();
    }
}

impl Inner {
    /// Runs what is ready; the caller has set `RUNNING`.
    fn run(self: &Arc<Self>, is_stranger: bool) {
        let _unless_panicking = Running { inner: self, was_panicking: std::thread::panicking() };
        for _ in 0..PASSES_MAX {
            self.state.fetch_and(!WOKEN, Ordering::AcqRel);
            if self.poll(is_stranger).is_ready() {
                self.end();
                return;
            }
            if self.passes(RUNNING, 0) {
                return;
            }
        }
        self.state.fetch_and(!RUNNING, Ordering::AcqRel);
        self.schedule();
    }

    fn poll(self: &Arc<Self>, is_stranger: bool) -> Poll<()> {
        let mut jobs = self.jobs.lock();
        let Some(Jobs { all, runtime }) = &mut *jobs else { return Poll::Ready(()) };
        let _entered = is_stranger.then(|| runtime.enter());
        let waker = Waker::from(self.clone());
        let mut context = Context::from_waker(&waker);
        loop {
            all.extend(self.new.lock().drain(..));
            match all.poll_next_unpin(&mut context) {
                Poll::Ready(Some(())) => {}
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Drops what has not ended, and lets the runtime's task end.
    fn end(&self) {
        let jobs = self.jobs.lock().take();
        let new = std::mem::take(&mut *self.new.lock());
        self.state.fetch_or(OVER, Ordering::AcqRel);
        drop((jobs, new));
        self.schedule();
    }

    /// Goes from one state to another, unless it is in a third one.
    fn passes(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn schedule(&self) {
        if let Some(task) = self.task.take() {
            self.wire.wake(task);
        }
    }
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.fetch_or(WOKEN, Ordering::AcqRel) == 0 {
            self.schedule();
        }
    }
}

/// Somebody runs the jobs: what a panic leaves behind is not run again.
struct Running<'a> {
    inner: &'a Inner,
    was_panicking: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.was_panicking {
            self.inner.end();
        }
    }
}

/// The runtime's task. The jobs end with it.
struct OnRuntime(Strand);

impl Future for OnRuntime {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let inner = &self.0.0;
        inner.task.register(context.waker());
        if inner.passes(WOKEN, RUNNING | WOKEN) {
            inner.run(false);
        }
        match inner.state.load(Ordering::Acquire) & OVER {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }
}

impl Drop for OnRuntime {
    fn drop(&mut self) {
        self.0.0.end();
    }
}

#[cfg(test)]
#[path = "strand_tests.rs"]
mod tests;
