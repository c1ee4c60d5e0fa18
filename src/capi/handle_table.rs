//! The tables behind handles: 64-bit ids that carry kind and generation, so that a stale, foreign
//! or invented id is told apart from a live one and never leads to freed memory.
//!
//! One table per kind for the whole process, in shards with a lock each. It knows nothing of what
//! it holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

use crate::core::{Error, Result, Status};

/// What a handle is of. The number is part of every id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Kind {
    Platform = 1,
    Pool = 2,
    Session = 3,
    Operation = 4,
    Queue = 5,
    Tool = 6,
    Invocation = 7,
    Watch = 8,
}

/// A one-field handle struct of the header, and where its objects are.
pub trait Handle: Copy {
    type Object: Send + Sync + 'static;
    fn table() -> &'static Table<Self::Object>;
    fn from_id(id: u64) -> Self;
    fn id(self) -> u64;
}

/// All live objects of one kind.
pub struct Table<T> {
    kind: Kind,
    shards: [RwLock<Shard<T>>; SHARDS],
    next_shard: AtomicUsize,
}

struct Shard<T> {
    slots: Vec<Slot<T>>,
    free: Vec<usize>,
}

struct Slot<T> {
    generation: u64,
    object: Option<Arc<T>>,
}

/// An id taken apart.
#[derive(Clone, Copy)]
struct Parts {
    kind: u64,
    generation: u64,
    shard: usize,
    slot: usize,
}

/// Gives `object` a handle. `ResourceExhausted` when there is none left.
pub fn insert<H: Handle>(object: Arc<H::Object>) -> Result<H> {
    H::table().insert(object).map(H::from_id)
}

/// The object of a live handle; `Handle` for every other id.
pub fn get<H: Handle>(handle: H) -> Result<Arc<H::Object>> {
    let table = H::table();
    table.get(handle.id()).ok_or_else(|| table.refuse(handle.id()))
}

/// Takes a handle back. None if it was not live; so a second free does nothing.
pub fn remove<H: Handle>(handle: H) -> Option<Arc<H::Object>> {
    H::table().remove(handle.id())
}

impl<T> Table<T> {
    pub const fn new(kind: Kind) -> Self {
        Table {
            kind,
            shards: [const { RwLock::new(Shard { slots: Vec::new(), free: Vec::new() }) }; SHARDS],
            next_shard: AtomicUsize::new(0),
        }
    }

    fn insert(&self, object: Arc<T>) -> Result<u64> {
        let shard_index = self.next_shard.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let Some(shard) = self.shards.get(shard_index) else { return Err(self.full()) };
        let mut shard = shard.write();
        if let Some(index) = shard.free.pop()
            && let Some(slot) = shard.slots.get_mut(index)
        {
            slot.object = Some(object);
            return Ok(self.id(slot.generation, shard_index, index));
        }
        let index = shard.slots.len();
        if index >= SLOTS_PER_SHARD_MAX {
            return Err(self.full());
        }
        shard.slots.push(Slot { generation: 1, object: Some(object) });
        Ok(self.id(1, shard_index, index))
    }

    fn get(&self, id: u64) -> Option<Arc<T>> {
        let parts = self.parts(id)?;
        let shard = self.shards.get(parts.shard)?.read();
        let slot = shard.slots.get(parts.slot)?;
        if slot.generation == parts.generation { slot.object.clone() } else { None }
    }

    fn remove(&self, id: u64) -> Option<Arc<T>> {
        let parts = self.parts(id)?;
        let mut shard = self.shards.get(parts.shard)?.write();
        let slot = shard.slots.get_mut(parts.slot)?;
        if slot.generation != parts.generation {
            return None;
        }
        let object = slot.object.take()?;
        slot.generation += 1;
        // A slot that has used up its generations is never given out again: a stale id must stay
        // stale.
        if slot.generation <= GENERATION_MAX {
            shard.free.push(parts.slot);
        }
        Some(object)
    }

    fn id(&self, generation: u64, shard: usize, slot: usize) -> u64 {
        let index = (slot * SHARDS + shard) as u64;
        (self.kind as u64) << KIND_SHIFT | generation << INDEX_BITS | index
    }

    fn parts(&self, id: u64) -> Option<Parts> {
        let parts = take_apart(id);
        (parts.kind == self.kind as u64).then_some(parts)
    }

    fn full(&self) -> Error {
        let message = format!("no {} handle is left", self.kind.name());
        Error::new(Status::ResourceExhausted, message).retryable(false)
    }

    fn refuse(&self, id: u64) -> Error {
        let expected = self.kind.name();
        let message = match Kind::of(take_apart(id).kind) {
            _ if id == 0 => format!("{expected} handle is 0"),
            Some(kind) if kind == self.kind => {
                format!("{expected} handle {id:#x} is not live: it was freed or never given out")
            }
            Some(kind) => format!("handle {id:#x} is of {}, expected {expected}", kind.name()),
            None => format!("{expected} handle {id:#x} was never given out"),
        };
        Error::new(Status::Handle, message)
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Platform => "platform",
            Kind::Pool => "pool",
            Kind::Session => "session",
            Kind::Operation => "operation",
            Kind::Queue => "queue",
            Kind::Tool => "tool",
            Kind::Invocation => "invocation",
            Kind::Watch => "watch",
        }
    }

    fn of(number: u64) -> Option<Kind> {
        KINDS.into_iter().find(|kind| *kind as u64 == number)
    }
}

fn take_apart(id: u64) -> Parts {
    let index = (id & INDEX_MASK) as usize;
    Parts {
        kind: id >> KIND_SHIFT,
        generation: id >> INDEX_BITS & GENERATION_MAX,
        shard: index % SHARDS,
        slot: index / SHARDS,
    }
}

const KINDS: [Kind; 8] = [
    Kind::Platform,
    Kind::Pool,
    Kind::Session,
    Kind::Operation,
    Kind::Queue,
    Kind::Tool,
    Kind::Invocation,
    Kind::Watch,
];
/// Enough that the cores of a large machine seldom meet at a lock.
const SHARDS: usize = 16;
/// Sixteen million live handles of a kind, and 68 billion lives of each slot.
const INDEX_BITS: u32 = 24;
const INDEX_MASK: u64 = (1 << INDEX_BITS) - 1;
const KIND_SHIFT: u32 = 60;
const GENERATION_MAX: u64 = (1 << (KIND_SHIFT - INDEX_BITS)) - 1;
const SLOTS_PER_SHARD_MAX: usize = (1 << INDEX_BITS) / SHARDS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_live_from_insert_to_remove_and_never_again() {
        let table = Table::new(Kind::Session);
        let ids: Vec<u64> = (0..100).map(|n| table.insert(Arc::new(n)).unwrap()).collect();
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(*table.get(*id).unwrap(), n);
            assert_eq!(*table.remove(*id).unwrap(), n);
            assert!(table.get(*id).is_none());
            assert!(table.remove(*id).is_none());
        }
        for n in 0..100 {
            assert!(!ids.contains(&table.insert(Arc::new(n)).unwrap()), "a stale id came back");
        }
    }

    #[test]
    fn ids_of_other_kinds_and_invented_ones_are_refused_by_what_they_are() {
        let sessions = Table::new(Kind::Session);
        let pools = Table::new(Kind::Pool);
        let pool = pools.insert(Arc::new(())).unwrap();
        sessions.insert(Arc::new(())).unwrap();
        for (id, text) in [
            (0, "session handle is 0"),
            (pool, "is of pool, expected session"),
            (u64::MAX, "never given out"),
            (0x3000_0000_ffff_ffff, "is not live"),
            (42, "never given out"),
        ] {
            assert!(sessions.get(id).is_none());
            let error = sessions.refuse(id);
            assert_eq!(error.status(), Status::Handle);
            assert!(error.message().contains(text), "{error}");
        }
    }

    #[test]
    fn a_slot_out_of_generations_is_retired() {
        let table = Table::new(Kind::Pool);
        let id = table.insert(Arc::new(())).unwrap();
        let parts = take_apart(id);
        table.shards[parts.shard].write().slots[parts.slot].generation = GENERATION_MAX;
        let last = table.id(GENERATION_MAX, parts.shard, parts.slot);
        assert!(table.remove(last).is_some());
        assert!(table.shards[parts.shard].read().free.is_empty());
    }
}
