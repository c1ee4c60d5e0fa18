//! The borrowing side of a connection: regions of the other process, mapped once and for as long as
//! it uses them, and the views of what lies in them.
//!
//! Nothing of what the other side says is believed: a region is sealed and of the size that was
//! said, a view lies within it, and all together stay within a limit.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::snakepit::os::{BorrowedRegion, arm_fork_marker, is_forked_child};

use super::lane::{Lane, Record};
use super::lender::Place;
use super::notes::Notes;

/// Borrows regions over one connection.
pub struct Borrower {
    lane: Arc<Lane>,
    notes: Arc<dyn Notes>,
    bytes_max: usize,
    borrowed: Mutex<Borrowed>,
}

/// Why there is no view.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The region is not here, because this process could not take it or never got it.
    Missing(String),
    /// What the other side said cannot be.
    Impossible(String),
}

#[derive(Default)]
struct Borrowed {
    regions: HashMap<u64, Arc<BorrowedRegion>>,
    bytes: usize,
    /// Why the last record could not be used.
    trouble: Option<String>,
}

impl Borrower {
    /// `bytes_max` is for all regions of the other side together.
    pub fn new(lane: Arc<Lane>, notes: Arc<dyn Notes>, bytes_max: usize) -> Self {
        // Without it, a forked child would speak for its parent. It fails where there is no memory.
        let _ = arm_fork_marker();
        Borrower { lane, notes, bytes_max, borrowed: Mutex::default() }
    }

    /// The `bytes` at `place`. When the last of them is gone the other side is told.
    pub fn borrow(&self, place: Place, bytes: u64) -> Result<Bytes, Fault> {
        let Place { region, offset_bytes } = place;
        let mut borrowed = self.borrowed.lock();
        if !borrowed.regions.contains_key(&region) {
            self.take_records(&mut borrowed);
        }
        let Some(memory) = borrowed.regions.get(&region).cloned() else {
            let trouble = borrowed.trouble.take();
            drop(borrowed);
            self.notes.missing(region);
            let why = trouble.unwrap_or_else(|| "its descriptor has not come".to_owned());
            return Err(Fault::Missing(format!("region {region} of shared memory: {why}")));
        };
        drop(borrowed);
        let view = View { memory, start: 0, end: 0, region, notes: self.notes.clone() };
        view.of(offset_bytes, bytes).map(Bytes::from_owner)
    }

    /// The other side will not use `region` again. Views that are left keep it mapped.
    pub fn forgotten(&self, region: u64) {
        let mut borrowed = self.borrowed.lock();
        // Its record may still lie on the lane.
        self.take_records(&mut borrowed);
        let gone = borrowed.regions.remove(&region);
        borrowed.bytes -= gone.as_ref().map_or(0, |region| region.bytes().len());
        drop(borrowed);
        drop(gone);
    }

    /// Takes in whatever lies on the lane.
    fn take_records(&self, borrowed: &mut Borrowed) {
        loop {
            let outcome = match self.lane.receive() {
                Ok((record, descriptor)) => self.take(borrowed, record, descriptor),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    borrowed.trouble = Some(error.to_string());
                    return;
                }
            };
            if let Err(error) = outcome {
                borrowed.trouble = Some(error.to_string());
            }
        }
    }

    fn take(
        &self,
        borrowed: &mut Borrowed,
        record: Record,
        descriptor: Option<OwnedFd>,
    ) -> io::Result<()> {
        let Some(descriptor) = descriptor else {
            return Err(io::Error::other("no descriptor is left for it in this process"));
        };
        if borrowed.regions.contains_key(&record.region) {
            // It was taken for lost, and sent again.
            return Ok(());
        }
        let bytes = usize::try_from(record.bytes).unwrap_or(usize::MAX);
        if borrowed.bytes.saturating_add(bytes) > self.bytes_max {
            let limit = self.bytes_max;
            return Err(io::Error::other(format!("more than {limit} bytes from one side")));
        }
        let memory = BorrowedRegion::open(&descriptor, bytes)?;
        borrowed.bytes += bytes;
        borrowed.regions.insert(record.region, Arc::new(memory));
        Ok(())
    }
}

/// The owner behind `Bytes`: keeps the region mapped, and tells the other side of its end.
struct View {
    memory: Arc<BorrowedRegion>,
    start: usize,
    end: usize,
    region: u64,
    notes: Arc<dyn Notes>,
}

impl View {
    /// A refused one is told as ended, too: the other side has counted it.
    fn of(mut self, offset: u64, bytes: u64) -> Result<Self, Fault> {
        let end = offset.checked_add(bytes).and_then(|end| usize::try_from(end).ok());
        let capacity = self.memory.bytes().len();
        match (usize::try_from(offset), end) {
            (Ok(start), Some(end)) if end <= capacity => {
                (self.start, self.end) = (start, end);
                Ok(self)
            }
            _ => Err(Fault::Impossible(format!(
                "{bytes} bytes at {offset} are not within region {} of {capacity} bytes",
                self.region
            ))),
        }
    }
}

impl AsRef<[u8]> for View {
    fn as_ref(&self) -> &[u8] {
        self.memory.bytes().get(self.start..self.end).unwrap_or_default()
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // A forked child has the memory, and not the connection.
        if !is_forked_child() {
            self.notes.returned(self.region);
        }
    }
}
