//! The verbs on variables that read, lock, or write several; see `verbs` for the others.

use std::sync::Arc;
use std::time::Duration;

use crate::state::backend::{Access, Measure, Reply, Write};
use crate::state::change::ChangeKind;
use crate::state::key::SessionKey;
use crate::state::name::NamePattern;
use crate::state::quota::Usage;
use crate::state::record::Record;
use crate::state::variable::{Past, SavedVariable, Variable};

use super::ledger::{Effect, Ledger, current};
use super::rolls::Figures;
use super::rows::{self, Spot, Stored, Wanted};
use super::trouble::Outcome;

impl Ledger {
    pub(super) fn get(&mut self, key: &SessionKey, name: &Arc<str>) -> Outcome<Variable> {
        let record = self.record(key, name)?;
        let value = self.value(key.incarnation, &record)?;
        let kept = current(&record, value.clone());
        self.effects.push(Effect::Kept(key.incarnation, kept));
        Ok(record.view_of(value))
    }

    pub(super) fn measure(&mut self, key: &SessionKey) -> Outcome<Reply> {
        let Figures { revision, usage } = self.session(key)?.figures;
        let Usage { variables, bytes } = usage;
        Ok(Reply::Measure(Measure { variables, bytes, revision }))
    }

    pub(super) fn set_many(
        &mut self,
        key: &SessionKey,
        writes: &[Write],
        owner: Option<&str>,
    ) -> Outcome<Reply> {
        let mut usage = self.session(key)?.figures.usage;
        let mut records = Vec::with_capacity(writes.len());
        for write in writes {
            let record = self.record(key, &Arc::from(write.name.as_str()))?;
            record.definition.rule.check(&write.name, &write.value)?;
            record.check_access(Access { expected_version: write.expected_version, owner })?;
            records.push(record);
        }
        let sizes = writes.iter().zip(&records).map(|(write, record)| {
            (write.name.as_str(), record.value.bytes, write.value.bytes_len())
        });
        usage = usage.rewritten(sizes, &self.limits)?;
        let mut variables = Vec::with_capacity(writes.len());
        for (write, record) in writes.iter().zip(records) {
            variables.push(self.write(key.incarnation, record, write.value.clone(), usage)?);
        }
        Ok(Reply::Variables(variables))
    }

    pub(super) fn list(
        &mut self,
        key: &SessionKey,
        pattern: &NamePattern,
        after: Option<&str>,
        limit: usize,
    ) -> Outcome<Reply> {
        let mut found = Vec::new();
        for record in self.matching(key, pattern, after, limit)? {
            let value = self.value(key.incarnation, &record)?;
            found.push(record.view_of(value));
        }
        Ok(Reply::Variables(found))
    }

    pub(super) fn history(&mut self, key: &SessionKey, name: &Arc<str>) -> Outcome<Reply> {
        let record = self.record(key, name)?;
        let mut all = self.past(key.incarnation, &record)?;
        let value = self.value(key.incarnation, &record)?;
        all.push(Past { version: record.version, value });
        Ok(Reply::History(all))
    }

    /// Locks are in memory: whoever owns one is gone when this process is.
    pub(super) fn lock(
        &mut self,
        key: &SessionKey,
        name: &Arc<str>,
        owner: &str,
        ttl: Duration,
    ) -> Outcome<Reply> {
        let incarnation = key.incarnation;
        let mut record = self.record(key, name)?;
        record.lock(owner, ttl)?;
        let value = self.value(incarnation, &record)?;
        if let Some(lock) = record.lock.clone() {
            self.session_mut(incarnation).locks.insert(name.clone(), lock);
        }
        self.effects.push(Effect::Kept(incarnation, current(&record, value.clone())));
        let kind = ChangeKind::Locked { owner: owner.into() };
        self.tell(incarnation, kind, &record.definition, record.version, None);
        Ok(Reply::Variable(record.view_of(value)))
    }

    pub(super) fn unlock(
        &mut self,
        key: &SessionKey,
        name: &Arc<str>,
        owner: &str,
    ) -> Outcome<Reply> {
        let incarnation = key.incarnation;
        let mut record = self.record(key, name)?;
        let was_locked = record.unlock(owner)?;
        self.session_mut(incarnation).locks.remove(name);
        self.effects.push(Effect::Dropped(incarnation, name.clone()));
        if was_locked {
            let kind = ChangeKind::Unlocked;
            self.tell(incarnation, kind, &record.definition, record.version, None);
        }
        Ok(Reply::Done)
    }

    pub(super) fn snapshot(&mut self, key: &SessionKey) -> Outcome<Reply> {
        let everything = NamePattern::new("")?;
        let mut saved = Vec::new();
        for record in self.matching(key, &everything, None, usize::MAX)? {
            let history = self.past(key.incarnation, &record)?;
            let value = self.value(key.incarnation, &record)?;
            let definition = &record.definition;
            saved.push(SavedVariable {
                name: definition.name.clone(),
                rule: definition.rule.clone(),
                metadata: definition.metadata.clone(),
                value,
                version: record.version,
                history,
            });
        }
        Ok(Reply::Snapshot(saved))
    }

    /// In the order of names, with their locks. They do not push others out of memory.
    fn matching(
        &mut self,
        key: &SessionKey,
        pattern: &NamePattern,
        after: Option<&str>,
        limit: usize,
    ) -> Outcome<Vec<Record<Stored>>> {
        self.session(key)?;
        let incarnation = key.incarnation;
        let mut found: Vec<Record<Stored>> = Vec::new();
        rows::each(&self.file, incarnation, after.unwrap_or_default(), |head| {
            if found.len() >= limit {
                return Ok(Wanted::NoMore);
            }
            if pattern.matches(&head.name) {
                found.push(rows::whole(&self.file, incarnation, head)?);
            }
            Ok(Wanted::More)
        })?;
        let locks = &self.session(key)?.locks;
        for record in &mut found {
            record.lock = locks.get(&record.definition.name).cloned();
        }
        Ok(found)
    }

    fn past(&self, incarnation: u64, record: &Record<Stored>) -> Outcome<Vec<Past>> {
        let id = record.definition.id;
        let read = |past: &Past<Stored>| {
            let spot = Spot { incarnation, id, version: past.version };
            let value = rows::value(&self.file, spot, past.value)?;
            Ok(Past { version: past.version, value })
        };
        record.past().map(read).collect()
    }
}
