//! The guard's end of the control socket, and its eye on the host's process.
//!
//! Blocking reads and writes of small frames; it knows what is said, not what is done about it.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, getppid, pidfd_open};

use super::super::os::{own_process, receive_descriptor, send_message};
use super::super::spec::ProcessSpec;
use super::frames::{Frames, encode};
use super::wire::Report;

/// The connection to the host: its socket, and the host's own process where the kernel lets us
/// watch it. The second counts when a child that the host forked keeps a copy of the socket open.
pub(super) struct HostLink {
    socket: std::fs::File,
    process: Option<OwnedFd>,
    frames: Frames,
}

/// What one wait has found.
pub(super) struct Happened {
    pub order: bool,
    pub child: bool,
    pub host_gone: bool,
}

impl HostLink {
    /// As `new`, for a guard whose parent is not the host; `process` is the host's.
    pub fn watching(process: OwnedFd) -> io::Result<HostLink> {
        let socket = rustix::io::fcntl_dupfd_cloexec(io::stdin().as_fd(), 3)?;
        let frames = Frames::default();
        Ok(HostLink { socket: socket.into(), process: Some(process), frames })
    }

    /// As `watching`, with a host that sends its process ahead of everything else and is told
    /// ours: neither is the other's parent or child.
    pub fn greeted() -> io::Result<HostLink> {
        let socket = io::stdin();
        send_message(&socket, b"g", &[own_process()?.as_fd()])?;
        // The host sent its own before the service manager was asked to start us.
        HostLink::watching(receive_descriptor(&socket)?)
    }

    /// Takes the socket from the standard input. `host` is the parent at the very start of the
    /// program.
    pub fn new(host: Option<Pid>) -> io::Result<HostLink> {
        let socket = rustix::io::fcntl_dupfd_cloexec(io::stdin().as_fd(), 3)?;
        let process = host.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        // A host that died before it could be watched has left us to another parent.
        if getppid() != host {
            return Err(io::Error::other("the host is gone"));
        }
        Ok(HostLink { socket: socket.into(), process, frames: Frames::default() })
    }

    /// What to start, and the bytes to hand over.
    pub fn read_spec(&mut self, wake: &OwnedFd) -> io::Result<(ProcessSpec, Vec<u8>)> {
        let spec = self.read_frame(wake)?;
        let handoff = self.read_frame(wake)?;
        Ok((serde_json::from_slice(&spec)?, handoff))
    }

    /// A descriptor that the host sends ahead of everything else.
    pub fn receive_descriptor(&self, wake: &OwnedFd) -> io::Result<OwnedFd> {
        loop {
            let happened = self.poll(wake)?;
            if happened.host_gone {
                return Err(io::Error::other("the host left before it sent a socket"));
            }
            if happened.order {
                return receive_descriptor(&self.socket);
            }
        }
    }

    fn read_frame(&mut self, wake: &OwnedFd) -> io::Result<Vec<u8>> {
        loop {
            if let Some(frame) = self.frames.next_frame()? {
                return Ok(frame);
            }
            let happened = self.poll(wake)?;
            if happened.host_gone || happened.order && !self.read_more()? {
                return Err(io::Error::other("the host left before it said what to start"));
            }
        }
    }

    /// Takes in what has arrived; false at the end of the stream.
    pub fn read_more(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 8192];
        let count = match self.socket.read(&mut bytes) {
            // A host that died with unread reports in its socket ends the stream this way.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
            read => read?,
        };
        self.frames.push(bytes.get(..count).unwrap_or_default());
        Ok(count > 0)
    }

    /// The next whole frame that has been read.
    pub fn next_frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.frames.next_frame()
    }

    /// Waits, without a limit, for the host or a child: one of them always comes.
    pub fn poll(&self, wake: &OwnedFd) -> io::Result<Happened> {
        // Poll skips a descriptor it is given twice no more than once: without the host's process
        // the socket stands in, whose own entry says the same.
        let host: BorrowedFd<'_> = self.process.as_ref().map_or(self.socket.as_fd(), AsFd::as_fd);
        let watch_host = if self.process.is_some() { PollFlags::IN } else { PollFlags::empty() };
        let mut fds = [
            PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN),
            PollFd::new(wake, PollFlags::IN),
            PollFd::from_borrowed_fd(host, watch_host),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [order, child, host] = fds.map(|fd| fd.revents());
        Ok(Happened {
            order: !order.is_empty(),
            child: !child.is_empty(),
            host_gone: host.contains(PollFlags::IN),
        })
    }

    /// A host that no longer listens is no error: there is nobody left to tell.
    pub fn report(&mut self, report: &Report) -> io::Result<()> {
        let frame = encode(&serde_json::to_vec(report)?)?;
        match self.socket.write_all(&frame) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }
}
