//! The variables of one session in memory, and every verb on them.
//!
//! A long value is held against its rule before the lock is taken, because a pattern over it takes
//! time; what a write displaces is freed after the lock is given back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use parking_lot::{RwLock, RwLockWriteGuard};

use crate::core::{Error, Result, Value};
use crate::state::backend::{Access, Command, Measure, NewVariable, Reply, StoreLimits, Write};
use crate::state::change::{Change, ChangeKind, ChangeSink};
use crate::state::fault;
use crate::state::key::SessionKey;
use crate::state::name::NamePattern;
use crate::state::quota::Usage;
use crate::state::record::{Gone, Record};
use crate::state::rule::Rule;
use crate::state::update::Update;
use crate::state::variable::{SavedVariable, Variable};

/// One session's variables.
pub(super) struct Room {
    session: SessionKey,
    limits: StoreLimits,
    sink: Arc<dyn ChangeSink>,
    contents: RwLock<Contents>,
}

#[derive(Default)]
struct Contents {
    /// Names come from Python as well, so the hash is keyed at random.
    records: HashMap<Arc<str>, Record, RandomState>,
    bytes: usize,
    revision: u64,
    is_closed: bool,
}

impl Contents {
    fn usage(&self) -> Usage {
        Usage { variables: self.records.len(), bytes: self.bytes }
    }
}

impl Room {
    pub fn new(session: SessionKey, limits: StoreLimits, sink: Arc<dyn ChangeSink>) -> Self {
        Room { session, limits, sink, contents: RwLock::default() }
    }

    /// Forgets everything; whoever found the room before it went finds it closed.
    pub fn close(&self) {
        let mut contents = self.contents.write();
        contents.is_closed = true;
        let records = std::mem::take(&mut contents.records);
        drop(contents);
        drop(records);
    }

    pub fn apply(&self, command: Command<'_>) -> Result<Reply> {
        match command {
            Command::Register(new) => self.register(new),
            Command::Get { name } => self.get(name),
            Command::GetMany { names } => self.get_many(names),
            Command::Set { name, value, access } => {
                self.set(name, value, access, Record::view).map(Reply::Variable)
            }
            Command::SetMany { writes, owner } => self.set_many(writes, owner),
            Command::Update { name, update, access } => self.update(name, update, access),
            Command::Rollback { name, version, access } => self.rollback(name, version, access),
            Command::Delete { name, access } => self.delete(name, access),
            Command::List { pattern, after, limit } => self.list(pattern, after, limit),
            Command::History { name } => self.history(name),
            Command::Lock { name, owner, ttl } => self.lock(name, owner, ttl),
            Command::Unlock { name, owner } => self.unlock(name, owner),
            Command::Snapshot => self.snapshot(),
            Command::Load { variables } => self.load(variables),
            Command::Measure => self.measure(),
        }
    }

    fn register(&self, new: NewVariable) -> Result<Reply> {
        let mut contents = self.contents.write();
        self.check_open(&contents)?;
        let record = Record::new(new, contents.revision + 1);
        Ok(Reply::Variable(self.add(&mut contents, record)?))
    }

    fn get(&self, name: &str) -> Result<Reply> {
        let contents = self.contents.read();
        Ok(Reply::Variable(self.record(&contents, name)?.view()))
    }

    fn get_many(&self, names: &[String]) -> Result<Reply> {
        let contents = self.contents.read();
        self.check_open(&contents)?;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for name in names {
            match contents.records.get(name.as_str()) {
                Some(record) => found.push(record.view()),
                None => missing.push(name.clone()),
            }
        }
        Ok(Reply::Found { found, missing })
    }

    /// As `Command::Set`, and gives the new version only.
    pub fn set_version(&self, name: &str, value: Value, access: Access<'_>) -> Result<u64> {
        self.set(name, value, access, |record| record.version)
    }

    fn set<T>(
        &self,
        name: &str,
        value: Value,
        access: Access<'_>,
        shown: impl FnOnce(&Record) -> T,
    ) -> Result<T> {
        let checked = self.check_early(name, &value)?;
        self.put(self.contents.write(), (name, value), checked.as_ref(), access, shown)
    }

    fn set_many(&self, writes: Vec<Write>, owner: Option<&str>) -> Result<Reply> {
        // What is found early is told in its turn, behind the faults of the writes before it.
        let early = writes.iter().map(|write| self.check_early(&write.name, &write.value));
        let early: Vec<_> = early.collect();
        let mut contents = self.contents.write();
        for (write, checked) in writes.iter().zip(early) {
            let access = Access { expected_version: write.expected_version, owner };
            let record = self.record(&contents, &write.name)?;
            check_record(record, &write.name, &write.value, checked?.as_ref(), access)?;
        }
        self.check_growth(&contents, writes.iter().map(|write| (&*write.name, &write.value)))?;
        let (mut variables, mut gone) = (Vec::with_capacity(writes.len()), Vec::new());
        for Write { name, value, .. } in writes {
            let (variable, past) = self.write(&mut contents, &name, value)?;
            variables.push(variable);
            gone.extend(past);
        }
        drop(contents);
        drop(gone);
        Ok(Reply::Variables(variables))
    }

    fn update(&self, name: &str, update: &Update, access: Access<'_>) -> Result<Reply> {
        let contents = self.contents.write();
        let record = self.record(&contents, name)?;
        let rule = record.definition.rule.clone();
        let value = update.apply(name, &rule, &record.value)?;
        self.put(contents, (name, value), Some(&rule), access, Record::view).map(Reply::Variable)
    }

    fn rollback(&self, name: &str, version: u64, access: Access<'_>) -> Result<Reply> {
        let contents = self.contents.write();
        let record = self.record(&contents, name)?;
        let rule = record.definition.rule.clone();
        let value = record.value_at(version)?.clone();
        self.put(contents, (name, value), Some(&rule), access, Record::view).map(Reply::Variable)
    }

    fn delete(&self, name: &str, access: Access<'_>) -> Result<Reply> {
        let mut contents = self.contents.write();
        self.record(&contents, name)?.check_access(access)?;
        let removed = contents.records.remove(name);
        if let Some(record) = &removed {
            contents.bytes -= record.bytes();
            self.tell(&mut contents.revision, ChangeKind::Deleted, record, None);
        }
        drop(contents);
        drop(removed);
        Ok(Reply::Done)
    }

    fn list(&self, pattern: &NamePattern, after: Option<&str>, limit: usize) -> Result<Reply> {
        let contents = self.contents.read();
        self.check_open(&contents)?;
        let is_wanted =
            |name: &str| after.is_none_or(|after| name > after) && pattern.matches(name);
        let mut found: Vec<&Record> =
            contents.records.values().filter(|held| is_wanted(&held.definition.name)).collect();
        found.sort_unstable_by(|a, b| a.definition.name.cmp(&b.definition.name));
        Ok(Reply::Variables(found.into_iter().take(limit).map(Record::view).collect()))
    }

    fn history(&self, name: &str) -> Result<Reply> {
        let contents = self.contents.read();
        Ok(Reply::History(self.record(&contents, name)?.past_and_present()))
    }

    fn lock(&self, name: &str, owner: &str, ttl: Duration) -> Result<Reply> {
        let mut contents = self.contents.write();
        let (record, revision) = self.record_mut(&mut contents, name)?;
        record.lock(owner, ttl)?;
        self.tell(revision, ChangeKind::Locked { owner: owner.into() }, record, None);
        Ok(Reply::Variable(record.view()))
    }

    fn unlock(&self, name: &str, owner: &str) -> Result<Reply> {
        let mut contents = self.contents.write();
        let (record, revision) = self.record_mut(&mut contents, name)?;
        if record.unlock(owner)? {
            self.tell(revision, ChangeKind::Unlocked, record, None);
        }
        Ok(Reply::Done)
    }

    fn snapshot(&self) -> Result<Reply> {
        let contents = self.contents.read();
        self.check_open(&contents)?;
        let mut saved: Vec<_> = contents.records.values().map(Record::saved).collect();
        saved.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(Reply::Snapshot(saved))
    }

    fn load(&self, variables: Vec<SavedVariable>) -> Result<Reply> {
        let mut contents = self.contents.write();
        self.check_open(&contents)?;
        let mut records = Vec::with_capacity(variables.len());
        let mut usage = contents.usage();
        for (id, saved) in (contents.revision + 1..).zip(variables) {
            let record = Record::restored(saved, id, &self.limits);
            usage = self.check_room(&contents, &record, usage)?;
            records.push(record);
        }
        for record in records {
            self.add(&mut contents, record)?;
        }
        Ok(Reply::Done)
    }

    fn measure(&self) -> Result<Reply> {
        let contents = self.contents.read();
        self.check_open(&contents)?;
        let (variables, bytes) = (contents.records.len(), contents.bytes);
        Ok(Reply::Measure(Measure { variables, bytes, revision: contents.revision }))
    }

    /// Adds a record whose id is the next revision.
    fn add(&self, contents: &mut Contents, record: Record) -> Result<Variable> {
        contents.bytes = self.check_room(contents, &record, contents.usage())?.bytes;
        let variable = record.view();
        self.tell(&mut contents.revision, ChangeKind::Registered, &record, Some(&record.value));
        contents.records.insert(variable.name().clone(), record);
        Ok(variable)
    }

    fn check_room(&self, contents: &Contents, record: &Record, usage: Usage) -> Result<Usage> {
        let name = &record.definition.name;
        if contents.records.contains_key(name) {
            return Err(fault::already_exists(name));
        }
        usage.with(name, record.bytes(), &self.limits)
    }
}

/// What writes have in common.
impl Room {
    /// A long value against the rule of the moment, without the lock; the rule it was held against.
    fn check_early(&self, name: &str, value: &Value) -> Result<Option<Arc<Rule>>> {
        if value.bytes_len() <= CHECKED_UNDER_LOCK_BYTES_MAX {
            return Ok(None);
        }
        let rule = self.record(&self.contents.read(), name)?.definition.rule.clone();
        rule.check(name, value)?;
        Ok(Some(rule))
    }

    fn check_growth<'a>(
        &self,
        contents: &Contents,
        writes: impl Iterator<Item = (&'a str, &'a Value)>,
    ) -> Result<()> {
        let sizes = writes.map(|(name, value)| {
            let old = contents.records.get(name).map_or(0, |record| record.value.bytes_len());
            (name, old, value.bytes_len())
        });
        contents.usage().rewritten(sizes, &self.limits).map(drop)
    }

    /// Checks and writes one value, with one look-up of its name; what `shown` gives of it then.
    /// `checked` is the rule that it was held against already.
    fn put<T>(
        &self,
        mut contents: RwLockWriteGuard<'_, Contents>,
        (name, value): (&str, Value),
        checked: Option<&Arc<Rule>>,
        access: Access<'_>,
        shown: impl FnOnce(&Record) -> T,
    ) -> Result<T> {
        self.check_open(&contents)?;
        let usage = contents.usage();
        let Contents { records, bytes, revision, .. } = &mut *contents;
        let Some(record) = records.get_mut(name) else {
            return Err(missing(&contents, name));
        };
        check_record(record, name, &value, checked, access)?;
        let sizes = (name, record.value.bytes_len(), value.bytes_len());
        let usage = usage.rewritten(std::iter::once(sizes), &self.limits)?;
        let gone = record.write(value, &self.limits);
        *bytes = usage.bytes;
        self.tell(revision, ChangeKind::Written, record, Some(&record.value));
        let shown = shown(record);
        drop(contents);
        drop(gone);
        Ok(shown)
    }

    /// Writes what has been checked. Gives the variable, and what its history let go of.
    fn write(&self, contents: &mut Contents, name: &str, value: Value) -> Result<(Variable, Gone)> {
        let Contents { records, bytes, revision, .. } = contents;
        let record = records.get_mut(name).ok_or_else(|| fault::not_found(name, [].into_iter()))?;
        *bytes = *bytes - record.value.bytes_len() + value.bytes_len();
        let gone = record.write(value, &self.limits);
        self.tell(revision, ChangeKind::Written, record, Some(&record.value));
        Ok((record.view(), gone))
    }

    /// Counts a change, and tells it to whoever listens.
    fn tell(&self, revision: &mut u64, kind: ChangeKind, record: &Record, value: Option<&Value>) {
        *revision += 1;
        if self.sink.wants(self.session.incarnation) {
            let change = Change {
                kind,
                name: record.definition.name.clone(),
                id: record.definition.id,
                version: record.version,
                revision: *revision,
                value: value.cloned(),
            };
            self.sink.changed(self.session.incarnation, change);
        }
    }

    fn record<'a>(&self, contents: &'a Contents, name: &str) -> Result<&'a Record> {
        self.check_open(contents)?;
        contents.records.get(name).ok_or_else(|| missing(contents, name))
    }

    /// With the session's revision.
    fn record_mut<'a>(
        &self,
        contents: &'a mut Contents,
        name: &str,
    ) -> Result<(&'a mut Record, &'a mut u64)> {
        self.record(contents, name)?;
        let found = contents.records.get_mut(name);
        let record = found.ok_or_else(|| fault::not_found(name, [].into_iter()))?;
        Ok((record, &mut contents.revision))
    }

    fn check_open(&self, contents: &Contents) -> Result<()> {
        if contents.is_closed { Err(fault::session_closed(&self.session)) } else { Ok(()) }
    }
}

/// Short, or registered anew in between: the rule that holds now decides.
fn check_record(
    record: &Record,
    name: &str,
    value: &Value,
    checked: Option<&Arc<Rule>>,
    access: Access<'_>,
) -> Result<()> {
    if !checked.is_some_and(|rule| Arc::ptr_eq(rule, &record.definition.rule)) {
        record.definition.rule.check(name, value)?;
    }
    record.check_access(access)
}

fn missing(contents: &Contents, name: &str) -> Error {
    fault::not_found(name, contents.records.keys().map(AsRef::as_ref))
}

/// A value of this size is checked in about a microsecond.
const CHECKED_UNDER_LOCK_BYTES_MAX: usize = 1024;
