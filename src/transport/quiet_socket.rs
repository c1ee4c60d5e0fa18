//! A Unix socket of a runtime that wakes its reader for bytes, and for nothing else.
//!
//! The usual registration hears of every bit of room that the peer makes by reading, too, which is
//! a wake-up for each message sent. Here room is asked for only when there was none. Both ends of a
//! worker's connection use it; it knows nothing of what travels.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmsg};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

thread_local! {
    static ONLY_WRITES: Cell<bool> = const { Cell::new(false) };
}

/// Nothing is read on the calling thread by what `act` polls: bytes that are there stay for who
/// polls next, and there may be many of them. So does the end of the connection. It is not called
/// inside of itself.
pub fn only_writing<T>(act: impl FnOnce() -> T) -> T {
    struct Over;
    impl Drop for Over {
        fn drop(&mut self) {
            ONLY_WRITES.set(false);
        }
    }
    ONLY_WRITES.set(true);
    let _over = Over;
    act()
}

/// A connected stream socket.
pub struct QuietSocket {
    socket: AsyncFd<UnixStream>,
    /// There while a write waits for room.
    room: Option<AsyncFd<OwnedFd>>,
}

impl QuietSocket {
    /// Takes a connected socket into the current runtime.
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = register(socket, Interest::READABLE)?;
        Ok(QuietSocket { socket, room: None })
    }

    fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut nothing_beside = SendAncillaryBuffer::default();
        // A peer that is gone is an error here, not a signal to whichever thread this is.
        let flags = SendFlags::NOSIGNAL;
        Ok(sendmsg(self.socket.get_ref(), parts, &mut nothing_beside, flags)?)
    }

    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.room.is_none() {
            // One descriptor is registered once; this is another one of the same socket.
            let twin = OwnedFd::from(self.socket.get_ref().try_clone()?);
            self.room = Some(register(twin, Interest::WRITABLE)?);
        }
        let Some(room) = &self.room else { return Poll::Ready(Ok(())) };
        let mut guard = ready!(room.poll_write_ready(context))?;
        guard.clear_ready();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for QuietSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.socket.poll_read_ready(context))?;
            if ONLY_WRITES.get() {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let wanted = buffer.remaining().min(READ_BYTES_MAX);
            let space = buffer.initialize_unfilled_to(wanted);
            let read = guard.try_io(|socket| {
                let (bytes, _) = recv(socket.get_ref(), &mut *space, RecvFlags::empty())?;
                Ok(bytes)
            });
            let read = match read {
                Err(_) => continue,
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(read) => read?,
            };
            if (1..wanted).contains(&read) {
                // There was no more; the next bytes are an event of their own.
                guard.clear_ready();
            }
            buffer.advance(read);
            return Poll::Ready(Ok(()));
        }
    }
}

impl AsyncWrite for QuietSocket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let parts = parts.get(..parts.len().min(PARTS_MAX)).unwrap_or_default();
        loop {
            match self.try_write(parts) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.poll_room(context))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The peer is gone; what it said before is read first, by who may.
                Err(_) if ONLY_WRITES.get() => {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                done => {
                    self.room = None;
                    return Poll::Ready(done);
                }
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.get_ref().shutdown(std::net::Shutdown::Write))
    }
}

/// What is registered here owns its descriptor and never changes it, which is all that the unsafe
/// function that took the place of this one asks for.
#[expect(deprecated, reason = "its successor is unsafe, for types that lie about their descriptor")]
fn register<T: AsRawFd>(owner: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(owner, interest)
}

/// Read at once: what is to be read into is zeroed first.
const READ_BYTES_MAX: usize = 256 * 1024;
/// Parts that the kernel takes in one call (`UIO_MAXIOV`).
const PARTS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn pair() -> (QuietSocket, QuietSocket) {
        let (here, there) = UnixStream::pair().unwrap();
        (QuietSocket::new(here).unwrap(), QuietSocket::new(there).unwrap())
    }

    #[tokio::test]
    async fn more_than_the_kernel_holds_arrives_whole_and_in_order() {
        let (mut here, mut there) = pair();
        let sent: Vec<u8> = (0..8 << 20).map(|place: u32| (place % 251) as u8).collect();
        let expected = sent.clone();
        let writing = tokio::spawn(async move {
            here.write_all(&sent).await.unwrap();
            here.shutdown().await.unwrap();
            let mut answer = [0; 2];
            here.read_exact(&mut answer).await.unwrap();
            answer
        });
        let mut got = Vec::new();
        there.read_to_end(&mut got).await.unwrap();
        assert!(got == expected);
        there.write_all(b"ok").await.unwrap();
        assert_eq!(&writing.await.unwrap(), b"ok");
    }

    #[tokio::test]
    async fn who_only_writes_leaves_the_bytes_to_the_next_one() {
        let (mut here, mut there) = pair();
        here.write_all(b"ok").await.unwrap();
        there.socket.readable().await.unwrap().retain_ready();
        let mut space = [0; 2];
        let is_read = std::future::poll_fn(|context| {
            let mut buffer = ReadBuf::new(&mut space);
            let there = Pin::new(&mut there);
            Poll::Ready(only_writing(|| there.poll_read(context, &mut buffer)).is_ready())
        });
        assert!(!is_read.await);
        there.read_exact(&mut space).await.unwrap();
        assert_eq!(&space, b"ok");
    }

    #[tokio::test]
    async fn who_only_writes_leaves_what_a_peer_said_before_its_end_to_be_read() {
        let (mut here, mut there) = pair();
        here.write_all(b"ok").await.unwrap();
        drop(here);
        let is_over = std::future::poll_fn(|context| {
            let there = Pin::new(&mut there);
            Poll::Ready(only_writing(|| there.poll_write(context, b"late")).is_ready())
        });
        assert!(!is_over.await);
        let mut said = Vec::new();
        there.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"ok");
        let late = there.write_all(b"late").await.unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_is_an_error_for_who_waits_for_room() {
        let (mut here, there) = pair();
        let writing = tokio::spawn(async move {
            let endless = vec![0; 1 << 20];
            loop {
                if let Err(error) = here.write_all(&endless).await {
                    return error.kind();
                }
            }
        });
        // It has filled what the kernel holds when the first bytes are there to be read.
        there.socket.readable().await.unwrap().retain_ready();
        drop(there);
        assert_eq!(writing.await.unwrap(), io::ErrorKind::BrokenPipe);
    }
}
