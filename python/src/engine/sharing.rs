//! The link's part in shared memory: large content goes out in regions of this process, and comes
//! in as views of the host's.
//!
//! Until the lane is open, or where it never is, everything travels in messages. Knows nothing of
//! Python; what is said of regions waits here for the link's thread, because a view may end
//! anywhere, under any lock.

use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::Mutex;
use snakepit_bridge_proto as pb;
use tokio::sync::Notify;

use super::outbox::payload_mut;
use crate::limits::{
    SHARED_BYTES_MAX, SHARED_BYTES_MIN, SHARED_FREE_BYTES_MAX, SHARED_FROM_HOST_BYTES_MAX,
    SHARED_IDLE, SHARED_REGIONS_MAX,
};
use crate::shared_memory::payload::{resolve, share};
use crate::shared_memory::{Borrower, Fault, Lane, Lender, Notes, Pool, PoolLimits};

/// What is shared with the host.
pub struct Sharing {
    pool: Arc<Pool>,
    notes: Arc<NoteQueue>,
    ends: OnceLock<Ends>,
}

struct Ends {
    lender: Arc<Lender>,
    borrower: Borrower,
}

impl Default for Sharing {
    fn default() -> Self {
        let pool = Pool::new(PoolLimits {
            bytes_max: SHARED_BYTES_MAX,
            free_bytes_max: SHARED_FREE_BYTES_MAX,
            regions_max: SHARED_REGIONS_MAX,
        });
        Sharing { pool, notes: Arc::default(), ends: OnceLock::new() }
    }
}

impl Sharing {
    /// The lane to the host is open.
    pub fn open(&self, lane: OwnedFd) {
        let lane = Arc::new(Lane::new(lane));
        let notes: Arc<dyn Notes> = self.notes.clone();
        let lender = Lender::new(self.pool.clone(), lane.clone(), notes.clone());
        let borrower = Borrower::new(lane, notes, SHARED_FROM_HOST_BYTES_MAX);
        // A link has one lane in its life.
        let _ = self.ends.set(Ends { lender, borrower });
    }

    /// Has `fill` write `bytes` of content into a region, if that is where so many belong and one
    /// is to be had.
    pub fn filled(&self, bytes: usize, fill: impl FnOnce(&mut [u8])) -> Option<Bytes> {
        if bytes < SHARED_BYTES_MIN || self.ends.get().is_none() {
            return None;
        }
        let mut blank = self.pool.blank(bytes).ok()?;
        fill(blank.bytes_mut());
        Some(blank.filled())
    }

    /// Names regions instead of sending what lies in them. The last thing before frames are sent.
    pub fn share(&self, frames: &mut [pb::WorkerFrame]) {
        let Some(ends) = self.ends.get() else { return };
        for frame in frames {
            if let Some(payload) = frame.kind.as_mut().and_then(payload_mut) {
                share(payload, &ends.lender, SHARED_BYTES_MIN);
            }
        }
    }

    /// Puts the content in that the host has named.
    pub fn resolve(&self, payload: &mut pb::Payload) -> Result<(), Fault> {
        match self.ends.get() {
            Some(ends) => resolve(payload, &ends.borrower),
            None => Ok(()),
        }
    }

    /// What the host says of regions.
    pub fn heed(&self, notes: &pb::RegionNotes) {
        let Some(ends) = self.ends.get() else { return };
        notes.returned.iter().for_each(|&region| ends.lender.returned(region));
        notes.missing.iter().for_each(|&region| ends.lender.missing(region));
        notes.forgotten.iter().for_each(|&region| ends.borrower.forgotten(region));
    }

    /// Gives back what has not been used for a while. To be called now and then.
    pub fn rest(&self) {
        self.pool.trim(SHARED_IDLE);
    }

    /// The host is gone, with all that it looked at.
    pub fn end(&self) {
        if let Some(ends) = self.ends.get() {
            ends.lender.end();
        }
    }

    /// Waits for something to say of regions.
    pub async fn noted(&self) -> pb::RegionNotes {
        loop {
            self.notes.added.notified().await;
            let notes = std::mem::take(&mut *self.notes.waiting.lock());
            if notes != pb::RegionNotes::default() {
                return notes;
            }
        }
    }
}

/// Notes for the host. There are never more than content that it shared, or regions of ours.
#[derive(Default)]
struct NoteQueue {
    waiting: Mutex<pb::RegionNotes>,
    added: Notify,
}

impl NoteQueue {
    fn add(&self, note: impl FnOnce(&mut pb::RegionNotes)) {
        note(&mut self.waiting.lock());
        self.added.notify_one();
    }
}

impl Notes for NoteQueue {
    fn returned(&self, region: u64) {
        self.add(|notes| notes.returned.push(region));
    }

    fn missing(&self, region: u64) {
        self.add(|notes| notes.missing.push(region));
    }

    fn forgotten(&self, region: u64) {
        self.add(|notes| notes.forgotten.push(region));
    }
}
