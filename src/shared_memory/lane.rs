//! The lane: a socket beside the ordinary connection that carries the descriptors of regions.
//!
//! A record is a region's number and size with its descriptor. Neither side ever waits on it: who
//! sends a record does so before anything that names the region, so who reads of a region finds its
//! record there. Knows nothing of what regions are used for.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// One end of a lane.
pub struct Lane {
    socket: OwnedFd,
}

/// What is said of a region.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record {
    pub region: u64,
    /// Its whole size.
    pub bytes: u64,
}

impl Lane {
    /// Over a connected stream socket, of which both sides use nothing else from here on.
    pub fn new(socket: OwnedFd) -> Self {
        Lane { socket }
    }

    /// Sends a record, or nothing: `WouldBlock` where the other side does not read.
    pub fn send(&self, record: Record, region: BorrowedFd<'_>) -> io::Result<()> {
        let mut bytes = [0; RECORD_BYTES];
        let (number, size) = bytes.split_at_mut(RECORD_BYTES / 2);
        number.copy_from_slice(&record.region.to_le_bytes());
        size.copy_from_slice(&record.bytes.to_le_bytes());
        let mut space = [MaybeUninit::uninit(); SPACE_BYTES];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let descriptors = [region];
        if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::Error::other("no space for a descriptor"));
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match sendmsg(self.socket.as_fd(), &[IoSlice::new(&bytes)], &mut ancillary, flags)? {
            RECORD_BYTES => Ok(()),
            // A socket of this kind takes so few bytes whole or not at all.
            _ => Err(io::Error::other("a record was cut")),
        }
    }

    /// The next record that is there. Without a descriptor where this process could not take it.
    /// `WouldBlock` when there is none, `UnexpectedEof` when none can come.
    pub fn receive(&self) -> io::Result<(Record, Option<OwnedFd>)> {
        let mut bytes = [0; RECORD_BYTES];
        let mut space = [MaybeUninit::uninit(); SPACE_BYTES];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let mut into = [IoSliceMut::new(&mut bytes)];
        let received = recvmsg(self.socket.as_fd(), &mut into, &mut ancillary, flags)?;
        let mut descriptors = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(rights) => Some(rights),
            _ => None,
        });
        let descriptor = descriptors.next().and_then(|mut rights| rights.next());
        match received.bytes {
            RECORD_BYTES => Ok((record(&bytes), descriptor)),
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a cut record")),
        }
    }
}

fn record(bytes: &[u8; RECORD_BYTES]) -> Record {
    let whole = u128::from_le_bytes(*bytes);
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    let region = whole as u64;
    Record { region, bytes: u64::try_from(whole >> 64).unwrap_or(u64::MAX) }
}

const RECORD_BYTES: usize = 16;
const SPACE_BYTES: usize = rustix::cmsg_space!(ScmRights(1));

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::net::UnixStream;

    #[test]
    fn records_arrive_in_order_each_with_its_own_descriptor() {
        let (here, there) = UnixStream::pair().unwrap();
        let (here, there) = (Lane::new(here.into()), Lane::new(there.into()));
        let none = there.receive().unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::WouldBlock);
        let files = ["/dev/null", "/dev/zero"].map(|path| File::open(path).unwrap());
        for (number, file) in (7..).zip(&files) {
            let record = Record { region: number, bytes: u64::MAX - number };
            here.send(record, file.as_fd()).unwrap();
        }
        drop(here);
        for (number, file) in (7..).zip(&files) {
            let (record, descriptor) = there.receive().unwrap();
            assert_eq!(record, Record { region: number, bytes: u64::MAX - number });
            let inode = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).unwrap().st_ino;
            assert_eq!(inode(descriptor.unwrap().as_fd()), inode(file.as_fd()));
        }
        assert_eq!(there.receive().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_side_that_does_not_read_blocks_nobody() {
        let (here, _there) = UnixStream::pair().unwrap();
        let here = Lane::new(here.into());
        let file = File::open("/dev/null").unwrap();
        let record = Record { region: 1, bytes: 1 };
        let refused = (0..100_000).find_map(|_| here.send(record, file.as_fd()).err());
        assert!(refused.is_some());
    }
}
