//! One variable as a store of this process keeps it, and every rule about changing it. Pure: no
//! lock, no I/O; the store says what time it is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::core::{Result, Value};

use super::backend::{Access, NewVariable, StoreLimits};
use super::fault;
use super::variable::{Definition, Lock, Past, SavedVariable, Variable};

/// A variable, its past, and who has it. `V` is a value, or what a store that keeps its values
/// elsewhere knows of one.
#[derive(Clone, Debug)]
pub struct Record<V = Value> {
    pub definition: Arc<Definition>,
    pub value: V,
    pub version: u64,
    /// Oldest first.
    history: VecDeque<Past<V>>,
    history_bytes: usize,
    pub lock: Option<HeldLock>,
}

/// What fell out of a history: as a rule one value, for which nothing is allocated.
pub type Gone<V = Value> = SmallVec<[Past<V>; 1]>;

/// What rules ask about a value that is kept.
pub trait Kept: Clone {
    /// Document and attachments together.
    fn bytes_len(&self) -> usize;
}

impl Kept for Value {
    fn bytes_len(&self) -> usize {
        Value::bytes_len(self)
    }
}

/// A lock with the moment at which it ends.
#[derive(Clone, Debug)]
pub struct HeldLock {
    pub owner: Arc<str>,
    pub until: Instant,
}

impl Record {
    /// At version 1, without a past.
    pub fn new(new: NewVariable, id: u64) -> Self {
        let NewVariable { name, rule, metadata, value } = new;
        Record::first(Arc::new(Definition { name, id, rule, metadata }), value)
    }

    /// As it was saved, within the limits of history.
    pub fn restored(saved: SavedVariable, id: u64, limits: &StoreLimits) -> Self {
        let SavedVariable { name, rule, metadata, value, version, history } = saved;
        let definition = Arc::new(Definition { name, id, rule, metadata });
        let mut record = Record::kept(definition, value, version, history);
        record.forget(limits);
        record
    }

    /// As readers see it now.
    pub fn view(&self) -> Variable {
        self.view_of(self.value.clone())
    }

    /// With its past, without its lock and id.
    pub fn saved(&self) -> SavedVariable {
        SavedVariable {
            name: self.definition.name.clone(),
            rule: self.definition.rule.clone(),
            metadata: self.definition.metadata.clone(),
            value: self.value.clone(),
            version: self.version,
            history: self.history.iter().cloned().collect(),
        }
    }

    /// The earlier values that are kept and the current one, oldest first.
    pub fn past_and_present(&self) -> Vec<Past> {
        let present = Past { version: self.version, value: self.value.clone() };
        self.history.iter().cloned().chain([present]).collect()
    }
}

impl<V: Kept> Record<V> {
    /// At version 1, without a past.
    pub fn first(definition: Arc<Definition>, value: V) -> Self {
        Record::kept(definition, value, 1, Vec::new())
    }

    /// As a store has it, nobody's.
    pub fn kept(
        definition: Arc<Definition>,
        value: V,
        version: u64,
        history: Vec<Past<V>>,
    ) -> Self {
        let history_bytes = history.iter().map(|past| past.value.bytes_len()).sum();
        let history = history.into();
        Record { definition, value, version, history, history_bytes, lock: None }
    }

    /// As readers see it now, given its value.
    pub fn view_of(&self, value: Value) -> Variable {
        Variable {
            definition: self.definition.clone(),
            value,
            version: self.version,
            lock: self.lock.as_ref().and_then(HeldLock::view),
        }
    }

    /// The earlier values that are kept, oldest first.
    pub fn past(&self) -> impl Iterator<Item = &Past<V>> {
        self.history.iter()
    }

    /// The value of a version that is kept. `NotFound` tells which are.
    pub fn value_at(&self, version: u64) -> Result<&V> {
        if version == self.version {
            return Ok(&self.value);
        }
        let kept = self.history.iter().find(|past| past.version == version);
        kept.map(|past| &past.value).ok_or_else(|| {
            let versions: Vec<u64> = self.history.iter().map(|past| past.version).collect();
            fault::version_not_kept(&self.definition.name, version, &versions, self.version)
        })
    }

    /// Whether `access` may write: the lock first, then the version.
    pub fn check_access(&self, access: Access<'_>) -> Result<()> {
        if let Some(lock) = self.lock.as_ref().and_then(HeldLock::view)
            && access.owner != Some(&*lock.owner)
        {
            return Err(fault::locked(&self.definition.name, &lock));
        }
        match access.expected_version {
            Some(expected) if expected != self.version => {
                Err(fault::version_conflict(&self.definition.name, expected, self.version))
            }
            _ => Ok(()),
        }
    }

    /// What it takes of the session's bytes; its past is limited by itself.
    pub fn bytes(&self) -> usize {
        let Definition { name, rule, metadata, .. } = &*self.definition;
        name.len() + rule.constraints().len() + metadata.len() + self.value.bytes_len()
    }

    /// Writes: the version grows by one, the old value joins the past. Gives what fell out of it,
    /// to be freed where that may take its time.
    pub fn write(&mut self, value: V, limits: &StoreLimits) -> Gone<V> {
        let old = std::mem::replace(&mut self.value, value);
        self.history_bytes += old.bytes_len();
        self.history.push_back(Past { version: self.version, value: old });
        self.version += 1;
        self.forget(limits)
    }

    /// Gives it to `owner` for `ttl`.
    pub fn lock(&mut self, owner: &str, ttl: Duration) -> Result<()> {
        self.check_access(Access { owner: Some(owner), expected_version: None })?;
        let now = Instant::now();
        let until = now.checked_add(ttl).unwrap_or(now + LOCK_TIME_MAX);
        self.lock = Some(HeldLock { owner: owner.into(), until });
        Ok(())
    }

    /// Takes it back from `owner`; `true` when it was locked.
    pub fn unlock(&mut self, owner: &str) -> Result<bool> {
        self.check_access(Access { owner: Some(owner), expected_version: None })?;
        let was_locked = self.lock.as_ref().is_some_and(|lock| lock.view().is_some());
        self.lock = None;
        Ok(was_locked)
    }

    fn forget(&mut self, limits: &StoreLimits) -> Gone<V> {
        let mut gone = Gone::new();
        while self.history.len() > limits.history_max
            || self.history_bytes > limits.history_bytes_max
        {
            let Some(past) = self.history.pop_front() else { break };
            self.history_bytes -= past.value.bytes_len();
            gone.push(past);
        }
        gone
    }
}

impl HeldLock {
    /// None once its time has passed.
    pub fn view(&self) -> Option<Lock> {
        let expires_in = self.until.saturating_duration_since(Instant::now());
        (!expires_in.is_zero()).then(|| Lock { owner: self.owner.clone(), expires_in })
    }
}

/// A time beyond this is for ever.
const LOCK_TIME_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
