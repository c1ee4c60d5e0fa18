//! Variables that this worker has read and may answer with until the host says otherwise.
//!
//! Part of the link's state: frames put them in and take them out in the order in which they came,
//! so what is in here is never older than anything the host has told. Bounded by number and by
//! bytes; what was used least lately goes first. Knows nothing of Python or the network.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use lru::LruCache;
use snakepit_bridge_proto as pb;

use super::outbox::payload_bytes;
use crate::limits::{CACHE_BYTES_MAX, CACHE_ENTRIES_MAX};

/// The variables, by the session's incarnation and the name.
pub struct Cache {
    entries: LruCache<(u64, Arc<str>), Entry>,
    /// The same names by session, to be found without a copy and to go together.
    names: HashMap<u64, HashSet<Arc<str>>>,
    bytes: usize,
}

struct Entry {
    variable: Arc<pb::Variable>,
    bytes: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Cache { entries: LruCache::unbounded(), names: HashMap::new(), bytes: 0 }
    }
}

impl Cache {
    /// Keeps a variable, in place of what there is under its name.
    pub fn put(&mut self, session: u64, variable: &pb::Variable) {
        let bytes = weight(variable);
        if bytes > CACHE_BYTES_MAX {
            return self.remove(session, &variable.name);
        }
        self.remove(session, &variable.name);
        let name: Arc<str> = variable.name.as_str().into();
        self.names.entry(session).or_default().insert(name.clone());
        self.entries.put((session, name), Entry { variable: Arc::new(variable.clone()), bytes });
        self.bytes += bytes;
        while self.bytes > CACHE_BYTES_MAX || self.entries.len() > CACHE_ENTRIES_MAX {
            let Some(((session, name), _)) = self.entries.peek_lru() else { return };
            let (session, name) = (*session, name.clone());
            self.remove(session, &name);
        }
    }

    /// What is kept under this name; it counts as a use.
    pub fn get(&mut self, session: u64, name: &str) -> Option<Arc<pb::Variable>> {
        let name = self.names.get(&session)?.get(name)?;
        let key = (session, name.clone());
        self.entries.get(&key).map(|entry| entry.variable.clone())
    }

    /// It is out of date.
    pub fn remove(&mut self, session: u64, name: &str) {
        let Some(names) = self.names.get_mut(&session) else { return };
        let Some(name) = names.take(name) else { return };
        if names.is_empty() {
            self.names.remove(&session);
        }
        if let Some(entry) = self.entries.pop(&(session, name)) {
            self.bytes -= entry.bytes;
        }
    }

    /// Everything of a session is out of date.
    pub fn remove_session(&mut self, session: u64) {
        for name in self.names.remove(&session).unwrap_or_default() {
            if let Some(entry) = self.entries.pop(&(session, name)) {
                self.bytes -= entry.bytes;
            }
        }
    }
}

/// Documents and attachments, and about what an entry itself takes.
fn weight(variable: &pb::Variable) -> usize {
    let value = variable.value.as_ref().map_or(0, payload_bytes);
    let texts = variable.constraints_json.len() + variable.metadata_json.len();
    value + texts + variable.name.len() + ENTRY_BYTES
}

const ENTRY_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, version: u64, bytes: usize) -> pb::Variable {
        let json = vec![b' '; bytes].into();
        let value = Some(pb::Payload { json, ..pb::Payload::default() });
        pb::Variable { name: name.into(), version, value, ..pb::Variable::default() }
    }

    fn version(cache: &mut Cache, session: u64, name: &str) -> Option<u64> {
        cache.get(session, name).map(|held| held.version)
    }

    #[test]
    fn what_is_gone_is_gone_for_its_session_only() {
        let mut cache = Cache::default();
        for (session, name) in [(1, "a"), (1, "b"), (2, "a")] {
            cache.put(session, &variable(name, session, 10));
        }
        cache.put(1, &variable("a", 7, 10));
        assert_eq!(version(&mut cache, 1, "a"), Some(7));
        cache.remove(1, "a");
        cache.remove(1, "a");
        assert_eq!(version(&mut cache, 1, "a"), None);
        assert_eq!(version(&mut cache, 2, "a"), Some(2));
        cache.remove_session(1);
        assert_eq!(version(&mut cache, 1, "b"), None);
        cache.remove_session(2);
        assert_eq!((cache.bytes, cache.entries.len(), cache.names.len()), (0, 0, 0));
    }

    #[test]
    fn what_was_used_least_lately_makes_room() {
        let mut cache = Cache::default();
        cache.put(1, &variable("a", 1, CACHE_BYTES_MAX / 3));
        cache.put(1, &variable("b", 1, CACHE_BYTES_MAX / 3));
        assert!(cache.get(1, "a").is_some());
        cache.put(1, &variable("c", 1, CACHE_BYTES_MAX / 2));
        assert_eq!(version(&mut cache, 1, "b"), None);
        assert!(cache.get(1, "a").is_some() && cache.get(1, "c").is_some());
        cache.put(1, &variable("a", 2, CACHE_BYTES_MAX));
        assert_eq!(version(&mut cache, 1, "a"), None, "too large to keep, and not out of date");
        for index in 0..CACHE_ENTRIES_MAX + 5 {
            cache.put(2, &variable(&index.to_string(), 1, 1));
        }
        assert_eq!(cache.entries.len(), CACHE_ENTRIES_MAX);
        assert!(cache.get(2, "0").is_none());
    }
}
