//! The store in memory: answers in place, loses everything with the platform.
//!
//! Sessions are spread over shards, and each has a lock of its own that is held for short steps
//! only: a long value is checked before the lock is taken, because a pattern over it takes time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use ahash::RandomState;
use parking_lot::RwLock;

use crate::core::{Error, Result, SessionId, Value};

use super::backend::{Backend, Command, Reply};
use super::fault;
use super::name::NamePattern;
use super::pending::Pending;
use super::rule::Rule;
use super::variable::Variable;

/// Variables in memory.
pub struct MemoryStore {
    shards: [Shard; SHARDS],
    hasher: RandomState,
    variables_max: usize,
}

type Shard = RwLock<HashMap<SessionId, Arc<Session>, RandomState>>;
type Session = RwLock<Named>;
/// Names come from Python as well, so the hash is keyed at random.
type Named = HashMap<Arc<str>, Variable, RandomState>;

impl MemoryStore {
    /// An empty store whose sessions hold at most `variables_max` variables each.
    pub fn new(variables_max: usize) -> Self {
        MemoryStore {
            shards: std::array::from_fn(|_| Shard::default()),
            hasher: RandomState::new(),
            variables_max,
        }
    }

    fn run(&self, id: &SessionId, command: Command<'_>) -> Result<Reply> {
        match command {
            Command::Register(variable) => self.register(id, variable),
            Command::Get { name } => self.get(id, name),
            Command::Set { name, value, expected_version } => {
                self.set(id, name, value, expected_version)
            }
            Command::Delete { name, expected_version } => self.delete(id, name, expected_version),
            Command::List { pattern } => Ok(self.list(id, pattern)),
            Command::DropSession => {
                let dropped = self.shard(id).write().remove(id);
                drop(dropped);
                Ok(Reply::Done)
            }
        }
    }

    fn register(&self, id: &SessionId, variable: Variable) -> Result<Reply> {
        let session = self.shard(id).write().entry(id.clone()).or_default().clone();
        let mut variables = session.write();
        let is_full = variables.len() >= self.variables_max;
        match variables.entry(variable.name.clone()) {
            Entry::Occupied(_) => Err(fault::already_exists(&variable.name)),
            Entry::Vacant(_) if is_full => Err(fault::full(&variable.name, self.variables_max)),
            Entry::Vacant(place) => Ok(Reply::Variable(place.insert(variable).clone())),
        }
    }

    fn get(&self, id: &SessionId, name: &str) -> Result<Reply> {
        let session = self.session(id, name)?;
        let variables = session.read();
        match variables.get(name) {
            Some(variable) => Ok(Reply::Variable(variable.clone())),
            None => Err(missing(&variables, name)),
        }
    }

    fn set(
        &self,
        id: &SessionId,
        name: &str,
        value: Value,
        expected_version: Option<u64>,
    ) -> Result<Reply> {
        let session = self.session(id, name)?;
        // What takes time is checked without the lock; for the rest, taking it twice costs more.
        let is_long = value.json().len() > CHECKED_UNDER_LOCK_BYTES_MAX;
        let rule = if is_long { rule_of(&session, name) } else { None };
        if let Some(rule) = &rule {
            rule.check(name, &value)?;
        }
        let mut variables = session.write();
        let Some(variable) = variables.get_mut(name) else {
            return Err(missing(&variables, name));
        };
        // Short, or registered anew in between: the rule that holds now decides.
        if !rule.is_some_and(|rule| Arc::ptr_eq(&rule, &variable.rule)) {
            variable.rule.check(name, &value)?;
        }
        check_version(variable, expected_version)?;
        let before = std::mem::replace(&mut variable.value, value);
        variable.version += 1;
        let after = variable.clone();
        drop(variables);
        drop(before);
        Ok(Reply::Variable(after))
    }

    fn delete(&self, id: &SessionId, name: &str, expected_version: Option<u64>) -> Result<Reply> {
        let session = self.session(id, name)?;
        let mut variables = session.write();
        match variables.get(name) {
            Some(variable) => check_version(variable, expected_version)?,
            None => return Err(missing(&variables, name)),
        }
        variables.remove(name);
        Ok(Reply::Done)
    }

    fn list(&self, id: &SessionId, pattern: &NamePattern) -> Reply {
        let session = self.shard(id).read().get(id).cloned();
        let mut found: Vec<Variable> = session.map_or_else(Vec::new, |session| {
            let variables = session.read();
            variables.values().filter(|variable| pattern.matches(&variable.name)).cloned().collect()
        });
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Reply::Variables(found)
    }

    fn shard(&self, id: &SessionId) -> &Shard {
        let [first, ..] = &self.shards;
        let hash = self.hasher.hash_one(id) % SHARDS as u64;
        usize::try_from(hash).ok().and_then(|index| self.shards.get(index)).unwrap_or(first)
    }

    /// The session's variables; one without any has no variable `name` either.
    fn session(&self, id: &SessionId, name: &str) -> Result<Arc<Session>> {
        let session = self.shard(id).read().get(id).cloned();
        session.ok_or_else(|| fault::not_found(name, std::iter::empty()))
    }
}

impl Backend for MemoryStore {
    fn apply(&self, session: &SessionId, command: Command<'_>) -> Pending<Result<Reply>> {
        Pending::Ready(self.run(session, command))
    }
}

fn rule_of(session: &Session, name: &str) -> Option<Arc<Rule>> {
    session.read().get(name).map(|variable| variable.rule.clone())
}

fn missing(variables: &Named, name: &str) -> Error {
    fault::not_found(name, variables.keys().map(AsRef::as_ref))
}

fn check_version(variable: &Variable, expected_version: Option<u64>) -> Result<()> {
    match expected_version {
        Some(expected) if expected != variable.version => {
            Err(fault::version_conflict(&variable.name, expected, variable.version))
        }
        _ => Ok(()),
    }
}

/// A value of this size is checked in about a microsecond.
const CHECKED_UNDER_LOCK_BYTES_MAX: usize = 1024;
/// Enough that threads of one machine seldom meet.
const SHARDS: usize = 64;

#[cfg(test)]
mod tests;
