//! Waits for one process without touching the host's SIGCHLD, and without getting in the way of a
//! host that ignores it or waits for any child: the process is held by a pidfd, and "already
//! reaped" or "not our child" is a fine answer.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A process that is waited for, and reaped if it is our child.
pub struct Reaper {
    pid: u32,
    pidfd: OwnedFd,
}

impl Reaper {
    /// Takes hold of a process that was started a moment ago. One that is not our child must only
    /// be waited for: its number may have passed to another before it was taken hold of.
    pub fn open(pid: u32) -> io::Result<Reaper> {
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let number = number.ok_or_else(|| io::Error::other("a child without a process id"))?;
        Ok(Reaper { pid, pidfd: pidfd_open(number, PidfdFlags::NONBLOCK)? })
    }

    /// The process's number; its own until it is reaped.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Takes hold of a process that somebody else has taken hold of.
    pub fn from_pidfd(pid: u32, pidfd: OwnedFd) -> io::Result<Reaper> {
        rustix::fs::fcntl_setfl(&pidfd, rustix::fs::OFlags::NONBLOCK)?;
        Ok(Reaper { pid, pidfd })
    }

    /// As `from_pidfd`; fails if the process has ended, or cannot be seen from here.
    pub fn from_descriptor(pidfd: OwnedFd) -> io::Result<Reaper> {
        Reaper::from_pidfd(number_of(&pidfd)?, pidfd)
    }

    /// As `pid`, asked of the kernel; `None` once the process is gone.
    pub fn living_pid(&self) -> Option<u32> {
        number_of(&self.pidfd).ok()
    }

    /// Sends KILL, to this very process and never to one that got its number later.
    pub fn kill(&self) {
        // It fails when the process has ended, which is what was wanted.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// Kills it and waits for it, blocking, for no longer than a KILL can take.
    pub fn end(&self) {
        self.kill();
        let limit = Timespec { tv_sec: END_LIMIT_SECONDS, tv_nsec: 0 };
        let _ = poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&limit));
        // It has been waited for by now, or by somebody else, or never will be.
        let _ = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
    }

    /// Resolves when the process has ended, and leaves no zombie behind.
    #[expect(unsafe_code, reason = "registers a descriptor with the runtime")]
    pub async fn ended(&self) -> io::Result<()> {
        // SAFETY: the descriptor is borrowed from `self`, so it stays open as long as it is
        // registered.
        let ready =
            unsafe { AsyncFd::register_with_interest(self.pidfd.as_fd(), Interest::READABLE) }
                .map_err(io::Error::from)?;
        loop {
            let mut guard = ready.readable().await?;
            match waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED) {
                Ok(Some(_)) | Err(Errno::CHILD) => return Ok(()),
                Ok(None) | Err(Errno::AGAIN | Errno::INTR) => guard.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The number of the process behind a pidfd. Fails if it has ended, or cannot be seen from here.
fn number_of(pidfd: &OwnedFd) -> io::Result<u32> {
    let facts = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))?;
    let number = facts.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok());
    number.ok_or_else(|| io::Error::other("a process that is not to be seen"))
}

const END_LIMIT_SECONDS: i64 = 2;
