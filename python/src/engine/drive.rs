//! Driving the link's runtime from whichever thread has the seat, and the alarm by which the link's
//! thread learns that nobody does.
//!
//! The runtime belongs to the link's thread alone: a forked child, which lacks that thread, never
//! drops it. Who has the seat is decided in `seat`.

use std::os::fd::OwnedFd;
use std::sync::{OnceLock, Weak};
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// The means to drive.
#[derive(Default)]
pub struct Drive {
    parts: OnceLock<Parts>,
    /// Ends a guest's turn: what it waits for may have come.
    pub guest: Notify,
    /// Ends the turn of the link's thread.
    pub link: Notify,
}

struct Parts {
    runtime: Weak<Runtime>,
    alarm: OwnedFd,
}

impl Drive {
    /// Lets guests drive `runtime`. Once; without it, all wait for the link's thread.
    pub fn open(&self, runtime: Weak<Runtime>) -> std::io::Result<()> {
        let alarm = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
        // A link opens once in its life.
        let _ = self.parts.set(Parts { runtime, alarm });
        Ok(())
    }

    /// A guest's turn: drives until it is told that something came, at most until `until`.
    pub fn turn(&self, until: Instant) {
        let Some(runtime) = self.parts.get().and_then(|parts| parts.runtime.upgrade()) else {
            return;
        };
        // Whether the time is up is the caller's question.
        let _ = runtime.block_on(async { timeout_at(until, self.guest.notified()).await });
    }

    /// Wakes the link's thread after `delay`; it takes the seat then, if nobody has it.
    pub fn wake_link_after(&self, delay: Duration) {
        self.set_alarm(delay.max(Duration::from_nanos(1)));
    }

    /// Lets the link's thread sleep: somebody has the seat.
    pub fn let_link_sleep(&self) {
        self.set_alarm(Duration::ZERO);
    }

    /// Waits for the alarm.
    pub fn wait_for_alarm(&self) {
        let Some(parts) = self.parts.get() else { return };
        let mut expirations = [0; 8];
        // Interrupted or not: the caller looks at the seat.
        let _ = rustix::io::read(&parts.alarm, &mut expirations);
    }

    fn set_alarm(&self, delay: Duration) {
        let Some(parts) = self.parts.get() else { return };
        let it_value = Timespec {
            tv_sec: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: delay.subsec_nanos().into(),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        // It fails for bad descriptors and times only.
        let _ = timerfd_settime(&parts.alarm, TimerfdTimerFlags::empty(), &once);
    }
}
