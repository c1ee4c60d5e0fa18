//! Messages that carry descriptors, over a pair of sockets that keeps them apart.
//!
//! What a message means is the business of those who send it. Every descriptor that arrives is
//! closed on exec.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A message with its descriptors; no bytes mean that the other side is gone.
pub type Message = (Vec<u8>, Vec<OwnedFd>);

/// The host's end of such a pair. Needs a runtime.
pub struct MessageSocket(AsyncFd<OwnedFd>);

impl MessageSocket {
    /// A new pair: our end, and the one to give away.
    #[expect(unsafe_code, reason = "registers a descriptor with the runtime")]
    pub fn pair() -> io::Result<(MessageSocket, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        // SAFETY: the descriptor is owned by what is registered, so it stays open, and the same.
        let ours = unsafe { AsyncFd::register_with_interest(ours, interest) };
        Ok((MessageSocket(ours.map_err(io::Error::from)?), theirs))
    }

    /// Sends a message whole, or not at all: `WouldBlock` until `writable`.
    pub fn try_send(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.0.try_io(Interest::WRITABLE, |socket| send_message(socket, bytes, descriptors))
    }

    /// Resolves when there may be room.
    pub async fn writable(&self) -> io::Result<()> {
        self.0.writable().await.map(|mut ready| ready.retain_ready())
    }

    /// The next message. May be dropped and called again without losing anything.
    pub async fn receive(&self) -> io::Result<Message> {
        self.0.async_io(Interest::READABLE, |socket| receive_message(socket)).await
    }
}

/// Sends one message.
pub fn send_message(
    socket: impl AsFd,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); SPACE_BYTES];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    let flags = SendFlags::NOSIGNAL;
    sendmsg(socket.as_fd(), &[IoSlice::new(bytes)], &mut ancillary, flags)?;
    Ok(())
}

/// Receives one message of at most `MESSAGE_BYTES_MAX`.
pub fn receive_message(socket: impl AsFd) -> io::Result<Message> {
    let mut bytes = vec![0; MESSAGE_BYTES_MAX];
    let count = receive_into(socket, &mut bytes)?;
    bytes.truncate(count.0);
    Ok((bytes, count.1))
}

/// Receives one byte of a stream, and the descriptor that came with it.
pub fn receive_descriptor(stream: impl AsFd) -> io::Result<OwnedFd> {
    let (_, descriptors) = receive_into(stream, &mut [0])?;
    descriptors.into_iter().next().ok_or_else(|| io::Error::other("no descriptor came"))
}

/// This process, for others to watch.
pub fn own_process() -> io::Result<OwnedFd> {
    Ok(pidfd_open(getpid(), PidfdFlags::empty())?)
}

fn receive_into(socket: impl AsFd, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); SPACE_BYTES];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(socket.as_fd(), &mut [IoSliceMut::new(bytes)], &mut ancillary, flags)?;
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    Ok((received.bytes, descriptors))
}

/// Requests and answers are a line each; a refusal names threads.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;
const DESCRIPTORS_MAX: usize = 4;
const SPACE_BYTES: usize = rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX));
