//! Which worker is whose home: bindings from keys to workers, and the strict callers of keys that
//! have none yet.
//!
//! A worker is named with its generation, so a successor in the same slot is another home. It must
//! not know what a key stands for; whoever gives keys forgets them.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::super::ids::WorkerId;

/// Whose call it is, and how much it matters that the same worker serves it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Home {
    /// Calls with the same key have the same home.
    pub key: u64,
    pub affinity: Affinity,
}

/// How much it matters that a call is served at its key's home. The first call of a key takes any
/// worker, which becomes the home.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Affinity {
    /// At home if there is room, else anywhere; that becomes the new home, unless the old one is
    /// held by strict calls.
    Hint,
    /// At home only, and waits for it.
    StrictQueue,
    /// At home only, and at once.
    StrictFailFast,
}

/// Why a strict call is not served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoHome {
    /// Its worker is gone or leaving; the next call starts a new home.
    Gone(WorkerId),
    Busy(WorkerId),
}

/// Which worker may serve a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Aim {
    Any,
    /// This one if it has room, else any.
    Rather(WorkerId),
    Only(WorkerId),
}

/// All bindings of a pool.
#[derive(Default)]
pub struct Homes {
    bound: FxHashMap<u64, Binding>,
    /// The tickets of strict callers that wait for any worker because their key has no home yet.
    seekers: FxHashMap<u64, BTreeSet<u64>>,
}

struct Binding {
    worker: WorkerId,
    strict: bool,
}

impl Home {
    /// Whether only the home will do.
    pub fn is_strict(self) -> bool {
        self.affinity != Affinity::Hint
    }
}

impl Homes {
    /// Where a call goes. That a strict call's home is gone is told once; then there is none.
    pub fn aim(
        &mut self,
        home: Option<Home>,
        is_open: impl FnOnce(WorkerId) -> bool,
    ) -> Result<Aim, NoHome> {
        let Some(home) = home else { return Ok(Aim::Any) };
        let Some(binding) = self.bound.get_mut(&home.key) else { return Ok(Aim::Any) };
        let worker = binding.worker;
        if !home.is_strict() {
            return Ok(Aim::Rather(worker));
        }
        if is_open(worker) {
            // Also for one who waits: no hint may move the home meanwhile.
            binding.strict = true;
            return Ok(Aim::Only(worker));
        }
        let was_strict = binding.strict;
        self.bound.remove(&home.key);
        // Nothing was promised of a home that only hints have used.
        if was_strict { Err(NoHome::Gone(worker)) } else { Ok(Aim::Any) }
    }

    /// The aim of one who waits for any worker.
    pub fn rather(&self, home: Option<Home>) -> Aim {
        let binding = home.and_then(|home| self.bound.get(&home.key));
        binding.map_or(Aim::Any, |binding| Aim::Rather(binding.worker))
    }

    /// The call was given to `worker`. Returns the seekers that have a home by that.
    pub fn bind(&mut self, home: Home, worker: WorkerId) -> BTreeSet<u64> {
        let binding = self.bound.entry(home.key).or_insert(Binding { worker, strict: false });
        if home.is_strict() {
            *binding = Binding { worker, strict: true };
        } else if !binding.strict {
            binding.worker = worker;
        }
        if self.seekers.is_empty() {
            return BTreeSet::new();
        }
        let seekers = self.seekers.remove(&home.key).unwrap_or_default();
        binding.strict |= !seekers.is_empty();
        seekers
    }

    /// A caller waits for any worker; a strict one is remembered.
    pub fn seek(&mut self, home: Option<Home>, ticket: u64) {
        if let Some(home) = home.filter(|home| home.is_strict()) {
            self.seekers.entry(home.key).or_default().insert(ticket);
        }
    }

    /// Such a caller waits no more.
    pub fn sought(&mut self, home: Option<Home>, ticket: u64) {
        let Some(home) = home.filter(|home| home.is_strict()) else { return };
        let Some(tickets) = self.seekers.get_mut(&home.key) else { return };
        tickets.remove(&ticket);
        if tickets.is_empty() {
            self.seekers.remove(&home.key);
        }
    }

    /// The key's callers have been told that `worker` is gone.
    pub fn part(&mut self, key: u64, worker: WorkerId) {
        if self.bound.get(&key).is_some_and(|binding| binding.worker == worker) {
            self.bound.remove(&key);
        }
    }

    pub fn forget(&mut self, key: u64) {
        self.bound.remove(&key);
    }
}
