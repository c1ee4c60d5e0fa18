//! What is in the file for good, as far as it is at hand: read by any thread without a way to the
//! store's own. It is told of a change after the commit and before the answer, so a reader sees
//! every write that was acknowledged before it asked.

use std::sync::Arc;

use parking_lot::RwLock;
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use rustc_hash::FxHashSet;

use crate::core::limits::{SQLITE_CACHE_BYTES_MAX, SQLITE_CACHED_VALUE_BYTES_MAX};
use crate::state::record::Record;
use crate::state::variable::Variable;

/// Open sessions, and some of their variables.
pub(super) struct Committed {
    /// By incarnation: those that were opened or joined.
    open: RwLock<FxHashSet<u64>>,
    variables: Cache<Place, Arc<Record>, Weight>,
}

/// A variable's session and name.
pub(super) type Place = (u64, Arc<str>);

/// A place whose name is borrowed.
#[derive(Hash)]
struct PlaceRef<'a>(u64, &'a str);

impl Equivalent<Place> for PlaceRef<'_> {
    fn equivalent(&self, place: &Place) -> bool {
        self.0 == place.0 && self.1 == &*place.1
    }
}

#[derive(Clone)]
struct Weight;

impl Weighter<Place, Arc<Record>> for Weight {
    fn weight(&self, _: &Place, record: &Arc<Record>) -> u64 {
        (record.bytes() + ENTRY_BYTES) as u64
    }
}

impl Committed {
    pub fn new() -> Self {
        let bytes_max = SQLITE_CACHE_BYTES_MAX as u64;
        let variables = Cache::with_weighter(ENTRIES_EXPECTED, bytes_max, Weight);
        Committed { open: RwLock::default(), variables }
    }

    pub fn is_open(&self, incarnation: u64) -> bool {
        self.open.read().contains(&incarnation)
    }

    /// None when the file has to be asked.
    pub fn variable(&self, incarnation: u64, name: &str) -> Option<Variable> {
        let record = self.variables.get(&PlaceRef(incarnation, name))?;
        self.is_open(incarnation).then(|| record.view())
    }

    pub fn opened(&self, incarnation: u64) {
        self.open.write().insert(incarnation);
    }

    /// Its variables are not found any more, and give way to others.
    pub fn ended(&self, incarnation: u64) {
        self.open.write().remove(&incarnation);
    }

    /// As it is now, without its past.
    pub fn keep(&self, incarnation: u64, record: Record) {
        let place = (incarnation, record.definition.name.clone());
        if record.bytes() <= SQLITE_CACHED_VALUE_BYTES_MAX {
            self.variables.insert(place, Arc::new(record));
        } else {
            self.variables.remove(&place);
        }
    }

    pub fn forget(&self, incarnation: u64, name: &str) {
        self.variables.remove(&PlaceRef(incarnation, name));
    }
}

/// What an entry takes besides what is counted.
const ENTRY_BYTES: usize = 512;
const ENTRIES_EXPECTED: usize = 10_000;
