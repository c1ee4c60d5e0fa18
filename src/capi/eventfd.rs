//! A descriptor that is readable exactly while a queue has events: for epoll, libuv, Go's and the
//! BEAM's pollers.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::core::{Error, Result, Status};

/// Level-triggered readiness. Hosts poll it and never read it.
pub struct EventFd {
    fd: OwnedFd,
}

impl EventFd {
    pub fn new() -> Result<Self> {
        // SAFETY: makes a new descriptor and touches nothing else.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            let message = format!("no eventfd: {}", std::io::Error::last_os_error());
            return Err(Error::new(Status::ResourceExhausted, message));
        }
        // SAFETY: just made, and nobody else has it.
        Ok(EventFd { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    pub fn number(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Makes it readable.
    pub fn set(&self) {
        let one = 1_u64;
        // SAFETY: writes eight bytes of ours to our own descriptor. It fails only when it is
        // readable anyway.
        unsafe { libc::write(self.number(), (&raw const one).cast(), size_of::<u64>()) };
    }

    /// Makes it unreadable.
    pub fn clear(&self) {
        let mut count = 0_u64;
        // SAFETY: reads eight bytes of our own descriptor into a word of ours. It fails only when
        // it is clear.
        unsafe { libc::read(self.number(), (&raw mut count).cast(), size_of::<u64>()) };
    }
}
