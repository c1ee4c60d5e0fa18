//! Definitions of variables that this host has seen, with their last small values, so that the
//! usual write is one round trip. Redis decides whether they still hold: every write names the id
//! and, where it was reckoned, the version that it is based on.

use std::sync::Arc;

use ahash::RandomState;
use parking_lot::Mutex;

use crate::core::Value;
use crate::core::limits::{REDIS_CACHED_BYTES_MAX, REDIS_CACHED_MAX};
use crate::state::variable::{Definition, Variable};

/// What was seen, in two generations: when the younger is full, the older is forgotten.
#[derive(Debug, Default)]
pub struct Cache {
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: Map,
    old: Map,
}

type Map = std::collections::HashMap<(u64, Arc<str>), Seen, RandomState>;

/// A variable as it was when it was last seen.
#[derive(Clone, Debug)]
pub struct Seen {
    pub definition: Arc<Definition>,
    /// Unless it is too large to be kept.
    pub value: Option<(u64, Value)>,
}

impl Cache {
    pub fn seen(&self, incarnation: u64, name: &str) -> Option<Seen> {
        let key = (incarnation, Arc::from(name));
        let mut generations = self.generations.lock();
        if let Some(seen) = generations.young.get(&key) {
            return Some(seen.clone());
        }
        let seen = generations.old.remove(&key)?;
        generations.put(key, seen.clone());
        Some(seen)
    }

    pub fn see(&self, incarnation: u64, variable: &Variable) {
        let is_small = variable.value.bytes_len() <= REDIS_CACHED_BYTES_MAX;
        let value = is_small.then(|| (variable.version, variable.value.clone()));
        let seen = Seen { definition: variable.definition.clone(), value };
        self.generations.lock().put((incarnation, variable.name().clone()), seen);
    }

    /// The definition alone, where no value is known.
    pub fn see_definition(&self, incarnation: u64, definition: &Arc<Definition>) {
        let key = (incarnation, definition.name.clone());
        let seen = Seen { definition: definition.clone(), value: None };
        self.generations.lock().put(key, seen);
    }
}

impl Generations {
    /// An older view of the same variable, out of a slow answer, does not replace a newer one.
    fn put(&mut self, key: (u64, Arc<str>), seen: Seen) {
        let of = |seen: &Seen| {
            (seen.definition.id, seen.value.as_ref().map_or(0, |(version, _)| *version))
        };
        if self.young.get(&key).is_some_and(|known| of(known) > of(&seen)) {
            return;
        }
        if self.young.len() >= REDIS_CACHED_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, seen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::rule::Rule;

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let cache = Cache::default();
        (0..3 * REDIS_CACHED_MAX as u64).for_each(|number| {
            cache.see(1, &variable(&format!("n{number}"), 1, 1));
            cache.see(1, &variable("used", 1, 1 + number));
            assert!(cache.seen(1, "used").is_some());
        });
        assert!(cache.seen(1, "n0").is_none() && cache.seen(2, "used").is_none());
        let generations = cache.generations.lock();
        assert!(generations.young.len() + generations.old.len() <= 2 * REDIS_CACHED_MAX);
    }

    #[test]
    fn a_slow_answer_does_not_bring_back_the_past() {
        let cache = Cache::default();
        for (id, version) in [(1, 5), (1, 4), (2, 1), (1, 9)] {
            cache.see(1, &variable("n", id, version));
        }
        let seen = cache.seen(1, "n").unwrap();
        assert_eq!((seen.definition.id, seen.value.unwrap().0), (2, 1));
    }

    fn variable(name: &str, id: u64, version: u64) -> Variable {
        let rule = Rule::new("json", &Default::default()).unwrap();
        let definition = Definition { name: name.into(), id, rule, metadata: Default::default() };
        Variable { definition: Arc::new(definition), value: Value::null(), version, lock: None }
    }
}
