//! A region of the pool, and what it is in turn: blank, filled, and free again.
//!
//! Ownership decides all of it. A `Blank` may be written; filled, it becomes bytes that nobody
//! writes, and a `Lease` that all of them and every borrower share. When the last is gone the
//! region returns to its pool. Those who were told of a region hear of its end.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::snakepit::os::{OwnedRegion, is_forked_child};

use super::pool::Pool;

/// Memory with a number that no other region of its pool ever has.
pub struct Region {
    pub(super) number: u64,
    pub(super) memory: OwnedRegion,
    /// Empty as long as nobody was lent it.
    knowers: Mutex<Vec<Weak<dyn Knower>>>,
}

/// Somebody who has passed a region's descriptor on.
pub trait Knower: Send + Sync {
    /// The region will not be used again. Called without any lock held.
    fn forget(&self, region: u64);
}

/// A region to be written.
pub struct Blank {
    region: Option<Region>,
    pool: Arc<Pool>,
    bytes: usize,
}

/// A region in use: whoever holds it can rely on its content.
pub struct Lease {
    region: Option<Region>,
    pool: Arc<Pool>,
}

impl Region {
    pub(super) fn new(number: u64, memory: OwnedRegion) -> Self {
        Region { number, memory, knowers: Mutex::default() }
    }

    pub(super) fn start(&self) -> usize {
        self.memory.bytes().as_ptr().addr()
    }

    pub(super) fn capacity(&self) -> usize {
        self.memory.bytes().len()
    }

    /// `knower` wants to hear of the end.
    pub(super) fn known_by(&self, knower: Weak<dyn Knower>) {
        let mut knowers = self.knowers.lock();
        knowers.retain(|other| other.strong_count() > 0);
        knowers.push(knower);
    }

    /// Whether anyone was ever told of it.
    pub(super) fn was_lent(&self) -> bool {
        !self.knowers.lock().is_empty()
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        for knower in self.knowers.get_mut().iter().filter_map(Weak::upgrade) {
            knower.forget(self.number);
        }
    }
}

impl Blank {
    pub(super) fn new(region: Region, pool: Arc<Pool>, bytes: usize) -> Self {
        Blank { region: Some(region), pool, bytes }
    }

    /// What is to be filled, with whatever lay there before.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let all = self.region.as_mut().map(|region| region.memory.bytes_mut());
        all.and_then(|all| all.get_mut(..self.bytes)).unwrap_or_default()
    }

    /// The content, from now on unchanged until the last of these bytes is gone.
    pub fn filled(mut self) -> Bytes {
        let lease = Lease { region: self.region.take(), pool: self.pool.clone() };
        let lease = Arc::new(lease);
        self.pool.enter(&lease);
        Bytes::from_owner(Content { lease, bytes: self.bytes })
    }
}

impl Drop for Blank {
    fn drop(&mut self) {
        give_back(self.region.take(), &self.pool);
    }
}

impl Lease {
    pub(super) fn region(&self) -> Option<&Region> {
        self.region.as_ref()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        give_back(self.region.take(), &self.pool);
    }
}

fn give_back(region: Option<Region>, pool: &Arc<Pool>) {
    let Some(region) = region else { return };
    if is_forked_child() {
        // The memory is the parent's, and the locks may be held by threads that are not here.
        std::mem::forget(region);
    } else {
        pool.give_back(region);
    }
}

/// The owner behind `Bytes`.
struct Content {
    lease: Arc<Lease>,
    bytes: usize,
}

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        let all = self.lease.region().map(|region| region.memory.bytes());
        all.and_then(|all| all.get(..self.bytes)).unwrap_or_default()
    }
}
