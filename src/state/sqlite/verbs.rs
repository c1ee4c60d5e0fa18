//! Every verb on variables, in a transaction: the same checks in the same order as in memory, by
//! `Record` and `Usage`; what differs is where values are.

use std::sync::Arc;

use crate::core::{Error, Value};
use crate::state::backend::{NewVariable, Reply};
use crate::state::change::ChangeKind;
use crate::state::fault;
use crate::state::key::SessionKey;
use crate::state::quota::Usage;
use crate::state::record::Record;
use crate::state::variable::{Definition, SavedVariable, Variable};

use super::job::{Guard, Verb};
use super::ledger::Ledger;
use super::rows::{self, Spot, Stored};
use super::trouble::Outcome;

impl Ledger {
    pub fn on_variables(&mut self, key: &SessionKey, verb: &Verb) -> Outcome<Reply> {
        match verb {
            Verb::Register(new) => self.register(key, new),
            Verb::Get { name } => self.get(key, name).map(Reply::Variable),
            Verb::GetMany { names } => self.get_many(key, names),
            Verb::Set { name, value, guard } => self.set(key, name, value, guard),
            Verb::SetMany { writes, owner } => self.set_many(key, writes, owner.as_deref()),
            Verb::Update { name, update, guard } => {
                let record = self.record(key, name)?;
                let old = self.value(key.incarnation, &record)?;
                let value = update.apply(name, &record.definition.rule, &old)?;
                self.write_checked(key, record, value, guard)
            }
            Verb::Rollback { name, version, guard } => self.rollback(key, name, *version, guard),
            Verb::Delete { name, guard } => self.delete(key, name, guard),
            Verb::List { pattern, after, limit } => {
                self.list(key, pattern, after.as_deref(), *limit)
            }
            Verb::History { name } => self.history(key, name),
            Verb::Lock { name, owner, ttl } => self.lock(key, name, owner, *ttl),
            Verb::Unlock { name, owner } => self.unlock(key, name, owner),
            Verb::Snapshot => self.snapshot(key),
            Verb::Load { variables } => self.load(key, variables),
            Verb::Measure => self.measure(key),
        }
    }

    fn register(&mut self, key: &SessionKey, new: &NewVariable) -> Outcome<Reply> {
        let NewVariable { name, rule, metadata, value } = new.clone();
        let id = self.session(key)?.figures.revision + 1;
        let definition = Arc::new(Definition { name, id, rule, metadata });
        let record = Record::first(definition, Stored::of(&value));
        let usage = self.check_room(key, &record, None)?;
        self.add(key.incarnation, record, value, usage).map(Reply::Variable)
    }

    fn get_many(&mut self, key: &SessionKey, names: &[Arc<str>]) -> Outcome<Reply> {
        self.session(key)?;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for name in names {
            match self.find(key.incarnation, name)? {
                Some(_) => found.push(self.get(key, name)?),
                None => missing.push(name.as_ref().to_owned()),
            }
        }
        Ok(Reply::Found { found, missing })
    }

    fn set(
        &mut self,
        key: &SessionKey,
        name: &Arc<str>,
        value: &Value,
        guard: &Guard,
    ) -> Outcome<Reply> {
        let record = self.record(key, name)?;
        record.definition.rule.check(name, value)?;
        self.write_checked(key, record, value.clone(), guard)
    }

    fn rollback(
        &mut self,
        key: &SessionKey,
        name: &Arc<str>,
        version: u64,
        guard: &Guard,
    ) -> Outcome<Reply> {
        let record = self.record(key, name)?;
        let stored = *record.value_at(version)?;
        let spot = Spot { incarnation: key.incarnation, id: record.definition.id, version };
        let value = rows::value(&self.file, spot, stored)?;
        self.write_checked(key, record, value, guard)
    }

    /// Writes a value that keeps the rule.
    fn write_checked(
        &mut self,
        key: &SessionKey,
        record: Record<Stored>,
        value: Value,
        guard: &Guard,
    ) -> Outcome<Reply> {
        record.check_access(guard.access())?;
        let name = record.definition.name.clone();
        let sizes = (&*name, record.value.bytes, value.bytes_len());
        let usage = self.session(key)?.figures.usage;
        let usage = usage.rewritten(std::iter::once(sizes), &self.limits)?;
        self.write(key.incarnation, record, value, usage).map(Reply::Variable)
    }

    fn delete(&mut self, key: &SessionKey, name: &Arc<str>, guard: &Guard) -> Outcome<Reply> {
        let incarnation = key.incarnation;
        let record = self.record(key, name)?;
        record.check_access(guard.access())?;
        self.will_write();
        rows::remove(&self.file, incarnation, name, record.definition.id)?;
        let session = self.session_mut(incarnation);
        session.locks.remove(name);
        let figures = session.written();
        figures.usage = figures.usage.without(record.bytes());
        self.forget(incarnation, name);
        self.tell(incarnation, ChangeKind::Deleted, &record.definition, record.version, None);
        Ok(Reply::Done)
    }

    fn load(&mut self, key: &SessionKey, variables: &[SavedVariable]) -> Outcome<Reply> {
        let first = self.session(key)?.figures.revision + 1;
        let mut usage = None;
        let mut records = Vec::with_capacity(variables.len());
        for (id, saved) in (first..).zip(variables) {
            check_version(saved)?;
            let record = Record::restored(saved.clone(), id, &self.limits);
            usage = Some(self.check_room(key, &without_values(&record), usage)?);
            records.push((record, usage.unwrap_or_default()));
        }
        for (record, usage) in records {
            let spot = |version| {
                let id = record.definition.id;
                Spot { incarnation: key.incarnation, id, version }
            };
            self.will_write();
            for past in record.past() {
                rows::add_value(&self.file, spot(past.version), &past.value)?;
            }
            let stored = without_values(&record);
            self.add(key.incarnation, stored, record.value, usage)?;
        }
        Ok(Reply::Done)
    }
}

/// What writes have in common.
impl Ledger {
    /// What the session holds with the variable, which must be new; `usage` is what it holds
    /// before, if that is not what it holds now.
    fn check_room(
        &mut self,
        key: &SessionKey,
        record: &Record<Stored>,
        usage: Option<Usage>,
    ) -> Outcome<Usage> {
        let name = &record.definition.name;
        if self.find(key.incarnation, name)?.is_some() {
            return Err(fault::already_exists(name).into());
        }
        let usage = usage.unwrap_or(self.session(key)?.figures.usage);
        Ok(usage.with(name, record.bytes(), &self.limits)?)
    }

    /// Adds a variable whose id is the next revision.
    fn add(
        &mut self,
        incarnation: u64,
        record: Record<Stored>,
        value: Value,
        usage: Usage,
    ) -> Outcome<Variable> {
        self.will_write();
        rows::add(&self.file, incarnation, &record)?;
        let spot = Spot { incarnation, id: record.definition.id, version: record.version };
        rows::add_value(&self.file, spot, &value)?;
        self.session_mut(incarnation).written().usage = usage;
        Ok(self.written(incarnation, ChangeKind::Registered, record, value))
    }

    /// Writes what has been checked.
    pub(super) fn write(
        &mut self,
        incarnation: u64,
        mut record: Record<Stored>,
        value: Value,
        usage: Usage,
    ) -> Outcome<Variable> {
        self.will_write();
        let id = record.definition.id;
        let gone = record.write(Stored::of(&value), &self.limits);
        let version = record.version;
        rows::add_value(&self.file, Spot { incarnation, id, version }, &value)?;
        for past in gone {
            let spot = Spot { incarnation, id, version: past.version };
            rows::remove_value(&self.file, spot, past.value)?;
        }
        rows::set_version(&self.file, incarnation, &record.definition.name, version)?;
        self.session_mut(incarnation).written().usage = usage;
        Ok(self.written(incarnation, ChangeKind::Written, record, value))
    }

    fn written(
        &mut self,
        incarnation: u64,
        kind: ChangeKind,
        record: Record<Stored>,
        value: Value,
    ) -> Variable {
        let variable = record.view_of(value.clone());
        self.keep(incarnation, record, value);
        let Variable { definition, version, value, .. } = &variable;
        self.tell(incarnation, kind, definition, *version, Some(value));
        variable
    }
}

fn without_values(record: &Record) -> Record<Stored> {
    let past = record.past().map(|past| crate::state::variable::Past {
        version: past.version,
        value: Stored::of(&past.value),
    });
    let (definition, value) = (record.definition.clone(), Stored::of(&record.value));
    Record::kept(definition, value, record.version, past.collect())
}

/// The file counts to 2^63-1, and the next write needs one more.
fn check_version(saved: &SavedVariable) -> Result<(), Error> {
    if i64::try_from(saved.version).is_ok_and(|version| version < i64::MAX) {
        return Ok(());
    }
    let (name, version) = (&*saved.name, saved.version);
    let message = format!("variable {name:?} is at version {version}, expected less than 2^63-1");
    Err(Error::invalid(message).with("variable", name))
}
