//! The threads on which workers' connections live: each has a runtime of its own, so that a frame
//! never goes from one thread to another between socket and call.
//!
//! A connection stays on the thread that it was given. It knows nothing of what is spoken there.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

use crate::core::{Error, Result, Status};

/// The threads. Dropping it ends them, with what still runs on them.
pub struct Wires {
    wires: Vec<Wire>,
    stop: watch::Sender<bool>,
}

struct Wire {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Wires {
    /// Starts `count` threads; each calls `on_start` first.
    pub fn start(count: usize, on_start: impl Fn() + Send + Sync + 'static) -> Result<Self> {
        let stop = watch::Sender::new(false);
        let mut wires = Wires { wires: Vec::new(), stop };
        let on_start: Arc<dyn Fn() + Send + Sync> = Arc::new(on_start);
        for number in 0..count.max(1) {
            let wire = wires.wire(number, on_start.clone()).map_err(|error| {
                Error::new(Status::ResourceExhausted, format!("cannot start I/O threads: {error}"))
            })?;
            wires.wires.push(wire);
        }
        Ok(wires)
    }

    /// One for each thread.
    pub fn handles(&self) -> impl Iterator<Item = &Handle> {
        self.wires.iter().map(|wire| &wire.handle)
    }

    fn wire(&self, number: usize, on_start: Arc<dyn Fn() + Send + Sync>) -> std::io::Result<Wire> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let handle = runtime.handle().clone();
        let mut stopped = self.stop.subscribe();
        let thread = std::thread::Builder::new().name(format!("spb-wire-{number}"));
        let thread = thread.spawn(move || {
            on_start();
            // An error means that the other end was dropped, which also ends it.
            let _ = runtime.block_on(stopped.wait_for(|stop| *stop));
        })?;
        Ok(Wire { handle, thread: Some(thread) })
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        let here = std::thread::current().id();
        for thread in self.wires.iter_mut().filter_map(|wire| wire.thread.take()) {
            // The last owner may be a task of one of them. A panic has been told where it happened.
            if thread.thread().id() != here {
                let _ = thread.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_stay_on_their_thread_and_end_with_it() {
        struct Told(std::sync::mpsc::Sender<std::thread::ThreadId>);
        impl Drop for Told {
            fn drop(&mut self) {
                self.0.send(std::thread::current().id()).unwrap();
            }
        }
        let wires = Wires::start(2, || {}).unwrap();
        let (sender, ended) = std::sync::mpsc::channel();
        let mut began = Vec::new();
        for handle in wires.handles() {
            let told = Told(sender.clone());
            let (here, there) = std::sync::mpsc::channel();
            handle.spawn(async move {
                here.send(std::thread::current().id()).unwrap();
                std::future::pending::<()>().await;
                drop(told);
            });
            began.push(there.recv().unwrap());
        }
        assert_ne!(began[0], began[1]);
        drop(wires);
        let mut ends: Vec<_> = ended.try_iter().collect();
        ends.sort_by_key(|id| began[0] != *id);
        assert_eq!(ends, began);
    }
}
