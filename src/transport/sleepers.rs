//! Where threads of the host sleep until something has changed that one mutex guards. One of them
//! drives a wire instead of sleeping, if it may: what it waits for mostly comes from there.
//!
//! It knows neither what is waited for nor what a wire brings.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::time::Instant;

use super::wires::{Wire, WireSeats};

/// Those who sleep over one mutex.
#[derive(Default)]
pub struct Sleepers {
    changed: Condvar,
    /// What the one of them drives who does not sleep. Locked after the mutex, or alone.
    drives: Mutex<Option<Arc<Wire>>>,
}

impl Sleepers {
    /// Lets go of `guard` until it is woken, or until `until`: then it returns `true`. It may
    /// return without a reason. With `seats`, the thread may work for a wire meanwhile.
    pub fn wait<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        until: Option<Instant>,
        seats: Option<&WireSeats>,
    ) -> bool {
        if let Some(seats) = seats
            && self.drive(guard, until, seats)
        {
            return until.is_some_and(|until| Instant::now() >= until);
        }
        match until {
            Some(until) => self.changed.wait_until(guard, until.into_std()).timed_out(),
            None => {
                self.changed.wait(guard);
                false
            }
        }
    }

    /// Wakes one. After the change, with or without the mutex.
    pub fn notify_one(&self) {
        if !self.wake_driver() {
            self.changed.notify_one();
        }
    }

    /// Wakes all. After the change, with or without the mutex.
    pub fn notify_all(&self) {
        self.wake_driver();
        self.changed.notify_all();
    }

    fn drive<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        until: Option<Instant>,
        seats: &WireSeats,
    ) -> bool {
        if self.drives.lock().is_some() {
            return false;
        }
        let Some(turn) = seats.sit() else { return false };
        *self.drives.lock() = Some(turn.wire().clone());
        MutexGuard::unlocked(guard, || {
            turn.drive(until);
            // Who looks for a driver from here on wakes a sleeper instead; this thread looks at
            // what is waited for in any case.
            *self.drives.lock() = None;
            drop(turn);
        });
        true
    }

    fn wake_driver(&self) -> bool {
        match &*self.drives.lock() {
            Some(wire) => {
                wire.wake_guest();
                true
            }
            None => false,
        }
    }
}
