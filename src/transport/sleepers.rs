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
    /// They wait for something that has been asked of a worker.
    awaits_answer: bool,
    /// Locked after the mutex, or alone.
    driver: Mutex<Driver>,
}

/// The one of them who does not sleep.
#[derive(Default)]
struct Driver {
    /// What it drives.
    wire: Option<Arc<Wire>>,
    /// It was woken: something has changed here.
    is_told: bool,
    /// It has left the seat to those who sleep elsewhere, for whom something came: the next one
    /// here sleeps.
    gave_way: bool,
}

impl Sleepers {
    /// For those who wait until something ends that has been asked of a worker: a thread that
    /// drives does not leave without anybody taking its place.
    pub fn for_answers() -> Self {
        Sleepers { awaits_answer: true, ..Sleepers::default() }
    }

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
        let _asleep = seats.filter(|_| self.awaits_answer).and_then(WireSeats::fall_asleep);
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
        let mut driver = self.driver.lock();
        if driver.wire.is_some() || std::mem::take(&mut driver.gave_way) {
            return false;
        }
        let Some(turn) = seats.sit() else { return false };
        *driver = Driver { wire: Some(turn.wire().clone()), ..Driver::default() };
        drop(driver);
        MutexGuard::unlocked(guard, || {
            turn.drive(until);
            // Who looks for a driver from here on wakes a sleeper instead; this thread looks at
            // what is waited for in any case.
            let mut driver = self.driver.lock();
            driver.wire = None;
            driver.gave_way = !driver.is_told && turn.is_asked();
            drop(driver);
            drop(turn);
        });
        true
    }

    fn wake_driver(&self) -> bool {
        let mut driver = self.driver.lock();
        let Some(wire) = &driver.wire else { return false };
        wire.wake_guest();
        driver.is_told = true;
        true
    }
}
