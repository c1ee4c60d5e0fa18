//! The threads on which workers' connections live: each has a runtime of its own, so that a frame
//! never goes from one thread to another between socket and call.
//!
//! A connection stays on the runtime that it was given. A thread of the host that waits for what
//! workers send may drive that runtime itself, in the thread's stead: see `seat`. It knows nothing
//! of what is spoken there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::Instant;

use crate::core::limits::SEAT_LOOK;
use crate::core::{Error, Result, Status};
use crate::telemetry::LogDispatch;

use super::drive::Drive;
use super::seat::{Guest, Seat};

/// The threads. Dropping it ends them, with what still runs on them.
pub struct Wires {
    threads: Vec<WireThread>,
    seats: Arc<WireSeats>,
}

/// Where threads of the host can drive: the wires' seats.
pub struct WireSeats {
    wires: Vec<Arc<Wire>>,
    /// The one that brought something last.
    latest: Arc<AtomicUsize>,
}

/// One of them, as those see it who drive it or run on it.
pub struct Wire {
    seat: Mutex<Places>,
    risen: Condvar,
    drive: Drive,
    spin: Duration,
    number: usize,
    latest: Arc<AtomicUsize>,
    dispatch: LogDispatch,
    /// The thread that queued the first of what waits, as `here` names it.
    sender: AtomicUsize,
}

#[derive(Default)]
struct Places {
    seat: Seat,
    guest: Option<ThreadId>,
}

/// A guest's turn. Dropping it leaves the seat.
pub struct Turn<'a> {
    wire: &'a Arc<Wire>,
}

/// A thread that sleeps beside whoever drives. Dropping it says that it is awake.
pub struct Asleep<'a> {
    wire: &'a Wire,
    guest: Guest,
}

struct WireThread {
    wire: Arc<Wire>,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Wires {
    /// Starts `count` threads, whose records go to `dispatch`; each calls `on_start` first. Guests
    /// look for `spin` before they sleep.
    pub fn start(
        count: usize,
        spin: Duration,
        dispatch: LogDispatch,
        on_start: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self> {
        let latest = Arc::new(AtomicUsize::new(0));
        let wires: Vec<_> =
            (0..count.max(1)).map(|number| Wire::new(number, &latest, spin, &dispatch)).collect();
        let seats = Arc::new(WireSeats { wires: wires.clone(), latest });
        let mut started = Wires { threads: Vec::new(), seats };
        let on_start: Arc<dyn Fn() + Send + Sync> = Arc::new(on_start);
        for wire in wires {
            let thread = WireThread::start(wire, on_start.clone()).map_err(|error| {
                Error::new(Status::ResourceExhausted, format!("cannot start I/O threads: {error}"))
            })?;
            started.threads.push(thread);
        }
        Ok(started)
    }

    /// One for each thread.
    pub fn each(&self) -> impl Iterator<Item = (&Handle, &Arc<Wire>)> {
        self.threads.iter().map(|thread| (&thread.handle, &thread.wire))
    }

    /// Where threads of the host can drive them.
    pub fn seats(&self) -> &Arc<WireSeats> {
        &self.seats
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        self.threads.iter().for_each(|thread| thread.wire.stop());
        let here = std::thread::current().id();
        for WireThread { wire, thread, .. } in &mut self.threads {
            // The last owner may be a task of one of them. A panic has been told where it happened.
            if let Some(thread) = thread.take()
                && thread.thread().id() != here
                && wire.seat.lock().guest != Some(here)
            {
                let _ = thread.join();
            }
        }
    }
}

impl WireSeats {
    /// A turn on the wire that brought something last, if nobody drives it, and if the calling
    /// thread may.
    pub fn sit(&self) -> Option<Turn<'_>> {
        let wire = self.wires.get(self.latest.load(Ordering::Relaxed))?;
        if !may_drive_here() || !wire.sit() {
            return None;
        }
        Some(Turn { wire })
    }

    /// The calling thread sleeps for a message that others may read, since it got no turn.
    pub fn fall_asleep(&self) -> Option<Asleep<'_>> {
        let wire = self.wires.get(self.latest.load(Ordering::Relaxed))?;
        let guest = wire.guest_here();
        wire.seat.lock().seat.begin_sleep(guest);
        Some(Asleep { wire, guest })
    }
}

/// Whether the calling thread is neither one of a runtime nor so far at its end that it cannot be
/// in one any more.
pub(super) fn may_drive_here() -> bool {
    Handle::try_current().is_err_and(|none| none.is_missing_context())
}

impl Wire {
    /// A message came, with so many frames while its worker had so many calls; to read it takes
    /// no time if it `is_light`.
    pub fn note_message(&self, frames: usize, calls: usize, is_light: bool) {
        self.latest.store(self.number, Ordering::Relaxed);
        let mut places = self.seat.lock();
        let own_leaves = places.seat.note_message(frames, calls, is_light);
        let guest_leaves = places.seat.is_asked();
        drop(places);
        if own_leaves {
            self.drive.own.notify_one();
        }
        if guest_leaves {
            self.drive.guest.notify_one();
        }
    }

    /// How long guests look before they sleep.
    pub fn spin(&self) -> Duration {
        self.spin
    }

    /// The calling thread sends something.
    pub fn note_sender(&self) {
        self.sender.store(here(), Ordering::Relaxed);
    }

    /// Whether nobody drives it.
    pub fn is_free(&self) -> bool {
        self.seat.lock().seat.is_free()
    }

    /// Lets the own thread drive at once, if nobody does.
    pub fn call(&self) {
        if self.is_free() {
            self.drive.call_own();
        }
    }

    /// Whether somebody drives it who would have to be woken, rather than being at work anyway.
    pub fn is_driven_at_leisure(&self) -> bool {
        self.drive.is_driven() && !self.seat.lock().seat.is_busy()
    }

    /// Does its `work` on a thread of the host.
    pub fn within(&self, work: impl FnOnce()) {
        self.dispatch.run(work);
    }

    /// Wakes a task that runs here.
    pub fn wake(&self, task: Waker) {
        self.drive.wake(task);
    }

    /// Ends the guest's turn: what it waits for may have come.
    pub fn wake_guest(&self) {
        self.drive.guest.notify_one();
    }

    fn new(
        number: usize,
        latest: &Arc<AtomicUsize>,
        spin: Duration,
        dispatch: &LogDispatch,
    ) -> Arc<Self> {
        Arc::new(Wire {
            seat: Mutex::default(),
            risen: Condvar::new(),
            drive: Drive::default(),
            spin,
            number,
            latest: latest.clone(),
            dispatch: dispatch.clone(),
            sender: AtomicUsize::new(NOBODY),
        })
    }

    /// How the calling thread lives: who sends what becomes of what it takes, and alone, is back at
    /// once.
    fn guest_here(&self) -> Guest {
        let sender = self.sender.load(Ordering::Relaxed);
        if sender != NOBODY && sender == here() { Guest::Regular } else { Guest::Passing }
    }

    fn sit(&self) -> bool {
        let guest = self.guest_here();
        let mut places = self.seat.lock();
        let sits = places.seat.sit(guest);
        if sits {
            places.guest = Some(std::thread::current().id());
        }
        sits
    }

    /// Lets the own thread take the seat that a guest has left, unless one comes back soon.
    fn rise(&self) {
        let mut places = self.seat.lock();
        // The one for whom it gives way has been woken.
        let gives_way = places.seat.is_asked() && !places.seat.is_closed();
        let is_urgent = places.seat.rise(self.guest_here()) && !gives_way;
        places.guest = None;
        drop(places);
        self.risen.notify_all();
        match is_urgent {
            true => self.drive.call_own(),
            false => self.drive.watch_seat(),
        }
    }

    fn stop(&self) {
        self.seat.lock().seat.close();
        self.drive.own.notify_one();
        self.drive.guest.notify_one();
        self.drive.call_own();
    }

    fn is_stopped(&self) -> bool {
        self.seat.lock().seat.is_closed()
    }

    /// The own thread's life: it drives whenever no guest does.
    fn run(&self, runtime: &Runtime) {
        while !self.is_stopped() {
            let drives = self.seat.lock().seat.take_over();
            if drives {
                self.drive.own_turn(runtime);
                self.seat.lock().seat.give_up();
            }
            self.drive.rest(SEAT_LOOK, || self.seat.lock().seat.look());
        }
        let mut places = self.seat.lock();
        while places.seat.look().is_driven {
            self.drive.guest.notify_one();
            self.risen.wait(&mut places);
        }
    }
}

impl Turn<'_> {
    /// What is driven.
    pub fn wire(&self) -> &Arc<Wire> {
        self.wire
    }

    /// Drives until somebody wakes the guest, at most until `until`.
    pub fn drive(&self, until: Option<Instant>) {
        self.wire.within(|| self.wire.drive.turn(until));
    }

    /// Another guest waits, and a message came that may be its own.
    pub fn is_asked(&self) -> bool {
        self.wire.seat.lock().seat.is_asked()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.wire.rise();
    }
}

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        self.wire.seat.lock().seat.end_sleep(self.guest);
    }
}

impl WireThread {
    fn start(wire: Arc<Wire>, on_start: Arc<dyn Fn() + Send + Sync>) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let runtime = Arc::new(runtime);
        wire.drive.open(Arc::downgrade(&runtime), wire.spin);
        let handle = runtime.handle().clone();
        let thread = std::thread::Builder::new().name(format!("spb-wire-{}", wire.number));
        let thread = thread.spawn({
            let wire = wire.clone();
            move || {
                on_start();
                wire.run(&runtime);
            }
        })?;
        Ok(WireThread { wire, handle, thread: Some(thread) })
    }
}

/// The calling thread, as long as it lives; `NOBODY` for one that is in its last destructors.
fn here() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.try_with(|here| std::ptr::from_ref(here).addr()).unwrap_or(NOBODY)
}

const NOBODY: usize = 0;

#[cfg(test)]
#[path = "wires_tests.rs"]
mod tests;
