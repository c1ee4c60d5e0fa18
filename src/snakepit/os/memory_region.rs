//! Memory that two processes share: a memfd that its owner writes and that others can only read.
//!
//! The owner maps it writable first and seals it then: it can neither shrink nor grow, so that no
//! reader is ever hit by SIGBUS, and nobody can map it writable any more. What lies in it, and when
//! it may be written again, is the business of those who share it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A region of our own making, mapped writable; dropping it unmaps and closes it.
pub struct OwnedRegion {
    file: OwnedFd,
    map: Map,
}

/// A region that somebody else owns, mapped read-only; dropping it unmaps it.
pub struct BorrowedRegion {
    map: Map,
}

impl OwnedRegion {
    /// Makes a region of `bytes` zeros. Its pages cost nothing until they are written. Fails where
    /// the kernel has no descriptor, address space or seals for it.
    pub fn create(bytes: usize) -> io::Result<OwnedRegion> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = rustix::fs::memfd_create("spb-region", flags)?;
        ftruncate(&file, u64::try_from(bytes).unwrap_or(u64::MAX))?;
        let map = Map::new(&file, bytes, ProtFlags::READ | ProtFlags::WRITE)?;
        fcntl_add_seals(&file, SEALS.union(SealFlags::SEAL))?;
        Ok(OwnedRegion { file, map })
    }

    /// What is to be passed to those who shall read it.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    pub fn bytes(&self) -> &[u8] {
        self.map.bytes()
    }

    /// For writing. Whoever has it mapped elsewhere sees what is written at once.
    #[expect(unsafe_code, reason = "the mapping as a slice")]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `create` mapped so many bytes for writing, they stay mapped as long as `self`,
        // and `&mut self` says that nobody in this process reads them.
        unsafe { std::slice::from_raw_parts_mut(self.map.start.as_ptr(), self.map.bytes) }
    }
}

impl BorrowedRegion {
    /// Maps a region that came from another process and is said to have `bytes`. Refused as
    /// `InvalidData`: what is no memfd, is not sealed as `OwnedRegion` seals it, or is not of that
    /// size.
    pub fn open(file: &OwnedFd, bytes: usize) -> io::Result<BorrowedRegion> {
        let refused = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        let Ok(seals) = fcntl_get_seals(file) else { return refused("no region of memory") };
        if !seals.contains(SEALS) {
            return refused("a region that is not sealed");
        }
        if u64::try_from(fstat(file)?.st_size) != Ok(bytes as u64) || bytes == 0 {
            return refused("a region of another size than it was said to have");
        }
        Ok(BorrowedRegion { map: Map::new(file, bytes, ProtFlags::READ)? })
    }

    /// What the owner has written. It keeps it unchanged for as long as both have agreed.
    pub fn bytes(&self) -> &[u8] {
        self.map.bytes()
    }
}

struct Map {
    start: NonNull<u8>,
    bytes: usize,
}

impl Map {
    #[expect(unsafe_code, reason = "a mapping at an address of the kernel's choice")]
    fn new(file: &OwnedFd, bytes: usize, prot: ProtFlags) -> io::Result<Map> {
        let null = std::ptr::null_mut();
        // SAFETY: a mapping at an address of the kernel's choice touches no existing memory.
        let start = unsafe { mmap(null, bytes, prot, MapFlags::SHARED, file, 0)? };
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mapped at null"))?;
        Ok(Map { start, bytes })
    }

    #[expect(unsafe_code, reason = "the mapping as a slice")]
    fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes were mapped for reading and stay so as long as `self`; the file
        // behind them cannot shrink.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }
}

impl Drop for Map {
    #[expect(unsafe_code, reason = "munmap")]
    fn drop(&mut self) {
        // SAFETY: the range is the mapping that `new` made, whole, and every slice of it borrowed
        // `self`. An error cannot happen then.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

// SAFETY: a mapping belongs to the process, not to a thread; `&Map` only reads.
#[expect(unsafe_code, reason = "a pointer to a mapping")]
unsafe impl Send for Map {}

// SAFETY: as above.
#[expect(unsafe_code, reason = "a pointer to a mapping")]
unsafe impl Sync for Map {}

/// What a reader insists on.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::FUTURE_WRITE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_what_the_owner_writes_and_can_change_nothing() {
        let mut owned = OwnedRegion::create(8192).unwrap();
        let file = owned.file().try_clone_to_owned().unwrap();
        let borrowed = BorrowedRegion::open(&file, 8192).unwrap();
        owned.bytes_mut()[8191] = 7;
        assert_eq!(borrowed.bytes()[8190..], [0, 7]);
        assert!(Map::new(&file, 8192, ProtFlags::READ | ProtFlags::WRITE).is_err());
        assert!(ftruncate(&file, 1).is_err());
        assert!(ftruncate(&file, 16384).is_err());
        assert!(rustix::io::pwrite(&file, b"x", 0).is_err());
        drop(owned);
        assert_eq!(borrowed.bytes()[8191], 7, "the reader's view outlives the owner");
    }

    #[test]
    fn what_is_not_sealed_or_not_as_said_is_refused() {
        let kind = |file: &OwnedFd, bytes| BorrowedRegion::open(file, bytes).err().unwrap().kind();
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let open = rustix::fs::memfd_create("open", flags).unwrap();
        ftruncate(&open, 4096).unwrap();
        assert_eq!(kind(&open, 4096), io::ErrorKind::InvalidData);
        fcntl_add_seals(&open, SealFlags::SHRINK | SealFlags::GROW).unwrap();
        assert_eq!(kind(&open, 4096), io::ErrorKind::InvalidData, "others could still write");
        let owned = OwnedRegion::create(4096).unwrap();
        let file = owned.file().try_clone_to_owned().unwrap();
        assert_eq!(kind(&file, 8192), io::ErrorKind::InvalidData);
        assert_eq!(kind(&file, 0), io::ErrorKind::InvalidData);
        let socket = std::os::unix::net::UnixDatagram::unbound().unwrap().into();
        assert_eq!(kind(&socket, 4096), io::ErrorKind::InvalidData);
    }
}
