//! Driving a runtime from whichever thread has the seat, and how the runtime's own thread learns
//! that nobody does.
//!
//! A guest that leaves sets no timer, which costs more than all else that it does on a virtual
//! machine: the own thread looks at the seat now and then, as long as guests come and go. The
//! runtime belongs to that thread alone: a forked child, which lacks it, never drops the runtime.
//! Who has the seat is decided in `seat`. The worker's link mounts this file, too.

use std::sync::{OnceLock, Weak};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::seat::Look;

/// The means to drive.
#[derive(Default)]
pub struct Drive {
    runtime: OnceLock<Weak<Runtime>>,
    /// Ends a guest's turn: what it waits for may have come.
    pub guest: Notify,
    /// Ends the turn of the own thread.
    pub own: Notify,
    rest: Mutex<Rest>,
    called: Condvar,
}

/// How the own thread rests.
#[derive(Default)]
struct Rest {
    is_called: bool,
    /// It does not look by itself: a guest drives and has not left since the last look.
    is_endless: bool,
}

impl Drive {
    /// Lets guests drive `runtime`. Once; without it, all wait for the own thread.
    pub fn open(&self, runtime: Weak<Runtime>) {
        // Once in its life.
        let _ = self.runtime.set(runtime);
    }

    /// A guest's turn: drives until it is told that something came, at most until `until`.
    pub fn turn(&self, until: Option<Instant>) {
        let Some(runtime) = self.runtime.get().and_then(Weak::upgrade) else { return };
        let told = self.guest.notified();
        runtime.block_on(async {
            match until {
                // Whether the time is up is the caller's question.
                Some(until) => drop(timeout_at(until, told).await),
                None => told.await,
            }
        });
    }

    /// A guest has left: the own thread has an eye on the seat.
    pub fn watch_seat(&self) {
        let mut rest = self.rest.lock();
        if std::mem::take(&mut rest.is_endless) {
            drop(rest);
            self.called.notify_one();
        }
    }

    /// Ends the rest of the own thread at once.
    pub fn call_own(&self) {
        self.rest.lock().is_called = true;
        self.called.notify_one();
    }

    /// The own thread rests until it is called, or until the seat has been empty from one look to
    /// the next, `pause` apart.
    pub fn rest(&self, pause: Duration, look: impl Fn() -> Look) {
        let mut last = None;
        let mut rest = self.rest.lock();
        while !std::mem::take(&mut rest.is_called) {
            let seen = look();
            if last.replace(seen) != Some(seen) {
                self.called.wait_for(&mut rest, pause);
            } else if seen.is_driven {
                rest.is_endless = true;
                self.called.wait(&mut rest);
                rest.is_endless = false;
            } else {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};

    const PAUSE: Duration = Duration::from_millis(1);

    fn rest(drive: &Arc<Drive>, seat: &Arc<Mutex<Look>>) -> Receiver<()> {
        let (drive, seat) = (drive.clone(), seat.clone());
        let (over, is_over) = channel();
        std::thread::spawn(move || {
            drive.rest(PAUSE, || *seat.lock());
            over.send(()).unwrap();
        });
        is_over
    }

    #[test]
    fn the_rest_lasts_while_guests_come_and_ends_when_none_does() {
        let (drive, seat) = (Arc::new(Drive::default()), Arc::new(Mutex::new(Look::default())));
        *seat.lock() = Look { is_driven: true, turns: 1 };
        let is_over = rest(&drive, &seat);
        while !drive.rest.lock().is_endless {
            std::thread::yield_now();
        }
        assert!(is_over.try_recv().is_err(), "a guest drives");
        seat.lock().is_driven = false;
        drive.watch_seat();
        is_over.recv().unwrap();
    }

    #[test]
    fn a_call_ends_it_at_once_and_is_remembered() {
        let (drive, seat) = (Arc::new(Drive::default()), Arc::new(Mutex::new(Look::default())));
        seat.lock().is_driven = true;
        drive.call_own();
        rest(&drive, &seat).recv().unwrap();
        let is_over = rest(&drive, &seat);
        drive.call_own();
        is_over.recv().unwrap();
    }
}
