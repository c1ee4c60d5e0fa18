//! The threads that run a host's callbacks: a few per platform, started when they are needed, never
//! a thread of the platform's own runtime, and never with a lock held.
//!
//! A sink's callbacks run one after the other; different sinks' may run at the same time. A thread
//! that has none to run reads from workers meanwhile, as a host's own would. It knows no event.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::time::Instant;

use crate::api::{Sleepers, WireSeats};
use crate::core::{Error, Result, Status};
use crate::snakepit::os::block_signals_on_this_thread;

use super::callback_sink::CallbackSink;
use super::sink::UserData;

/// A platform's callback threads.
pub struct CallbackPool {
    threads_max: usize,
    state: Mutex<State>,
    work: Sleepers,
    /// Where a thread without work may drive; nowhere in tests of the pool alone.
    seats: Option<Arc<WireSeats>>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    /// Sinks whose data has not been destroyed: while there is one, threads stay.
    sinks: usize,
    is_stopping: bool,
}

/// A turn on a thread.
pub enum Job {
    /// A sink has events.
    Run(Arc<CallbackSink>),
    /// A sink has had its last event.
    Destroy(UserData),
}

impl CallbackPool {
    /// At most so many threads, which drive one of `seats` while they have no work.
    pub fn new(threads_max: usize, seats: Option<Arc<WireSeats>>) -> Arc<Self> {
        Arc::new(CallbackPool {
            threads_max: threads_max.max(1),
            state: Mutex::default(),
            work: Sleepers::default(),
            seats,
            ended: Condvar::new(),
        })
    }

    /// Makes room for a sink, and certain that there is a thread to run it.
    pub fn enter(self: &Arc<Self>) -> Result<()> {
        let mut state = self.state.lock();
        if state.threads == 0 {
            self.spawn(&mut state)?;
        }
        state.sinks += 1;
        Ok(())
    }

    /// A sink's data has been destroyed.
    pub fn leave(&self) {
        self.state.lock().sinks -= 1;
        self.work.notify_all();
    }

    /// Gives a job to a thread. Never fails: a sink that entered has a thread.
    pub fn submit(self: &Arc<Self>, job: Job) {
        let mut state = self.state.lock();
        state.jobs.push_back(job);
        if state.idle < state.jobs.len() && state.threads < self.threads_max {
            // Without another thread the job waits for one of those there are.
            let _ = self.spawn(&mut state);
        }
        drop(state);
        self.work.notify_one();
    }

    /// Lets the threads end once the last sink's data is destroyed.
    pub fn stop(&self) {
        self.state.lock().is_stopping = true;
        self.work.notify_all();
    }

    /// Waits, at most for `time`, until no thread is left.
    pub fn wait_ended(&self, time: Duration) {
        let Some(until) = Instant::now().checked_add(time) else { return };
        let mut state = self.state.lock();
        while state.threads > 0 {
            if self.ended.wait_until(&mut state, until.into_std()).timed_out() {
                return;
            }
        }
    }

    fn spawn(self: &Arc<Self>, state: &mut State) -> Result<()> {
        let pool = self.clone();
        let thread = std::thread::Builder::new().name("spb-callback".to_owned());
        thread.spawn(move || pool.run()).map_err(|error| {
            let message = format!("no thread for callbacks: {error}");
            Error::new(Status::ResourceExhausted, message)
        })?;
        state.threads += 1;
        Ok(())
    }

    fn run(&self) {
        block_signals_on_this_thread();
        mark_callback_thread();
        while let Some(job) = self.next() {
            match job {
                Job::Run(sink) => sink.run(),
                Job::Destroy(user) => {
                    drop(user);
                    self.leave();
                }
            }
        }
        self.ended.notify_all();
    }

    /// The next job; none when this thread has to end.
    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                if !state.jobs.is_empty() {
                    // Another one may have been passed over while these piled up.
                    self.work.notify_one();
                }
                return Some(job);
            }
            if state.is_stopping && state.sinks == 0 {
                // Counted out under the same lock: a sink that enters now starts another thread.
                state.threads -= 1;
                return None;
            }
            state.idle += 1;
            self.work.wait(&mut state, None, self.seats.as_deref());
            state.idle -= 1;
        }
    }
}

/// Refuses to wait on a thread that others wait for.
pub fn refuse_blocking() -> Result<()> {
    if !IS_CALLBACK_THREAD.get() {
        return Ok(());
    }
    let message =
        "a callback may not wait: it runs on the thread that would bring what it waits for";
    Err(Error::new(Status::WouldDeadlock, message))
}

/// Says that host code runs on this thread, for `refuse_blocking`.
pub fn mark_callback_thread() {
    IS_CALLBACK_THREAD.set(true);
}

thread_local! {
    static IS_CALLBACK_THREAD: Cell<bool> = const { Cell::new(false) };
}

#[cfg(test)]
#[path = "callback_tests.rs"]
mod tests;
