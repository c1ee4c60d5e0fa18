//! Driving a runtime from whichever thread has the seat, and how the runtime's own thread learns
//! that nobody does.
//!
//! A guest that leaves sets no timer, which costs more than all else that it does on a virtual
//! machine: the own thread looks at the seat now and then, as long as guests come and go. The
//! runtime belongs to that thread alone: a forked child, which lacks it, never drops the runtime.
//! Who has the seat is decided in `seat`. The worker's link mounts this file, too.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{OnceLock, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::seat::Look;
use super::spin::Spin;

/// The means to drive.
#[derive(Default)]
pub struct Drive {
    runtime: OnceLock<(Weak<Runtime>, Spin)>,
    /// Ends a guest's turn: what it waits for may have come.
    pub guest: Notify,
    /// Ends the turn of the own thread.
    pub own: Notify,
    turns: Mutex<Turns>,
    rest: Mutex<Rest>,
    called: Condvar,
}

/// Who drives now, and what is to run as soon as somebody does.
#[derive(Default)]
struct Turns {
    /// More than one for a moment, while one follows the other.
    drivers: usize,
    /// At most one for each connection.
    tasks: Vec<Waker>,
}

/// One who drives; dropping it says that this is over.
pub struct Driver<'a>(&'a Drive);

/// How the own thread rests.
#[derive(Default)]
struct Rest {
    is_called: bool,
    /// It does not look by itself: a guest drives and has not left since the last look.
    is_endless: bool,
}

impl Drive {
    /// Lets guests drive `runtime`, who look for `spin` before they sleep. Once; without it, all
    /// wait for the own thread.
    pub fn open(&self, runtime: Weak<Runtime>, spin: Duration) {
        // Once in its life.
        let _ = self.runtime.set((runtime, Spin::new(spin)));
    }

    /// A guest's turn: drives until it is told that something came, at most until `until`. Where
    /// that has passed, it sends what waits, and takes what has come.
    pub fn turn(&self, until: Option<Instant>) {
        let Some((runtime, spin)) = self.runtime.get() else { return };
        let Some(runtime) = runtime.upgrade() else { return };
        let mut told = std::pin::pin!(self.guest.notified());
        let (_driver, tasks) = self.begin();
        runtime.block_on(async {
            tasks.into_iter().for_each(Waker::wake);
            if let Some(limit) = spin.begin() {
                let is_told = look(told.as_mut(), limit).await;
                spin.end(is_told);
                if is_told {
                    return;
                }
            }
            match until {
                Some(until) if until <= Instant::now() => once().await,
                // Whether the time is up is the caller's question.
                Some(until) => drop(timeout_at(until, told).await),
                None => told.await,
            }
        });
    }

    /// A turn of the own thread: until it shall give the seat up.
    pub fn own_turn(&self, runtime: &Runtime) {
        let (_driver, tasks) = self.begin();
        runtime.block_on(async {
            tasks.into_iter().for_each(Waker::wake);
            self.own.notified().await;
        });
    }

    /// Somebody drives as long as the first lives; wakes the second from inside the runtime.
    pub fn begin(&self) -> (Driver<'_>, Vec<Waker>) {
        let mut turns = self.turns.lock();
        turns.drivers += 1;
        (Driver(self), std::mem::take(&mut turns.tasks))
    }

    /// Whether somebody drives.
    pub fn is_driven(&self) -> bool {
        self.turns.lock().drivers > 0
    }

    /// Wakes a task of the runtime: at once if somebody drives, or else when somebody begins to,
    /// which costs no call of the kernel.
    pub fn wake(&self, task: Waker) {
        let mut turns = self.turns.lock();
        if turns.drivers == 0 {
            return turns.tasks.push(task);
        }
        drop(turns);
        task.wake();
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

/// Looks for what comes in, again and again and without sleeping, until it is `told`, or for
/// `limit`: whether it was told.
async fn look(mut told: Pin<&mut impl Future<Output = ()>>, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    loop {
        if poll_fn(|context| Poll::Ready(told.as_mut().poll(context).is_ready())).await {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        // The runtime asks the kernel without waiting, and runs what is ready.
        tokio::task::yield_now().await;
    }
}

/// The runtime runs what is ready and asks the kernel without waiting, then runs what that brought.
async fn once() {
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
}

impl Drop for Driver<'_> {
    fn drop(&mut self) {
        self.0.turns.lock().drivers -= 1;
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

    struct Count(std::sync::atomic::AtomicUsize);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }

    #[test]
    fn a_task_is_woken_by_whoever_drives_next() {
        let count = Arc::new(Count(Default::default()));
        let woken = || count.0.load(std::sync::atomic::Ordering::SeqCst);
        let drive = Drive::default();
        drive.wake(Waker::from(count.clone()));
        assert_eq!(woken(), 0, "nobody drives");
        let (driver, tasks) = drive.begin();
        assert_eq!(tasks.len(), 1);
        tasks.into_iter().for_each(Waker::wake);
        drive.wake(Waker::from(count.clone()));
        assert_eq!(woken(), 2, "somebody does");
        drop(driver);
        drive.wake(Waker::from(count.clone()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        drive.own.notify_one();
        drive.own_turn(&runtime);
        assert_eq!(woken(), 3);
    }

    #[test]
    fn a_turn_whose_time_is_over_sends_what_waits_and_takes_what_has_come() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let runtime = Arc::new(runtime);
        let drive = Drive::default();
        drive.open(Arc::downgrade(&runtime), Duration::ZERO);
        let (mut near, mut far) =
            runtime.block_on(async { tokio::net::UnixStream::pair() }).unwrap();
        let (said, heard) = channel();
        runtime.spawn(async move {
            let mut byte = [0];
            far.read_exact(&mut byte).await.unwrap();
            said.send(byte[0]).unwrap();
        });
        drive.turn(Some(Instant::now()));
        assert!(heard.try_recv().is_err(), "it does not wait");
        runtime.spawn(async move { near.write_all(&[7]).await.unwrap() });
        drive.turn(Some(Instant::now()));
        assert_eq!(heard.try_recv(), Ok(7));
    }

    #[test]
    fn a_guest_that_looks_before_it_sleeps_runs_what_is_ready() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let runtime = Arc::new(runtime);
        for spin in [Duration::ZERO, PAUSE, Duration::from_secs(60)] {
            let drive = Arc::new(Drive::default());
            drive.open(Arc::downgrade(&runtime), spin);
            let theirs = drive.clone();
            runtime.spawn(async move {
                tokio::time::sleep(PAUSE * 2).await;
                theirs.guest.notify_one();
            });
            drive.turn(None);
        }
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
