//! Variables as the platform uses them: names, types and constraints are checked here, before a
//! store sees anything.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::core::limits::{BATCH_MAX, LOCK_OWNER_BYTES_MAX, VERSION_SAVED_MAX};
use crate::core::{Error, Result, Status, Value};

use super::backend::{Access, Backend, Command, Measure, NewVariable, Reply, Write};
use super::constraints::object;
use super::key::SessionKey;
use super::name::{self, NamePattern};
use super::pending::Pending;
use super::rule::{Rule, object_bytes};
use super::update::Update;
use super::variable::{Past, RegisterVariable, SavedVariable, Variable};

/// The variables of all sessions, on one store.
pub struct Variables {
    backend: Arc<dyn Backend>,
}

impl Variables {
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Variables { backend }
    }

    /// Adds a variable at version 1. `InvalidArgument` for a bad name, constraint or metadata,
    /// `TypeMismatch` or `Constraint` for an initial value that the rule refuses, `AlreadyExists`,
    /// `ResourceExhausted`.
    pub fn register(
        &self,
        session: &SessionKey,
        register: RegisterVariable,
    ) -> Pending<Result<Variable>> {
        match checked(register) {
            Ok(new) => self.one(session, Command::Register(new)),
            Err(error) => Pending::Ready(Err(error)),
        }
    }

    /// Reads a variable. `NotFound` names the nearest one.
    pub fn get(&self, session: &SessionKey, name: &str) -> Pending<Result<Variable>> {
        match name::check(name) {
            Ok(()) => self.one(session, Command::Get { name }),
            Err(error) => Pending::Ready(Err(error)),
        }
    }

    /// Reads several at one moment: those there are, in the order of the names, and the names of
    /// those there are not.
    pub fn get_many(
        &self,
        session: &SessionKey,
        names: &[String],
    ) -> Pending<Result<(Vec<Variable>, Vec<String>)>> {
        if let Err(error) = check_batch(names.iter().map(String::as_str), names.len(), false) {
            return Pending::Ready(Err(error));
        }
        self.backend.apply(session, Command::GetMany { names }).map(|reply| match reply? {
            Reply::Found { found, missing } => Ok((found, missing)),
            _ => Err(wrong_reply()),
        })
    }

    /// Writes a value and gives the variable as it is then. `VersionConflict` when another version
    /// than the expected one is there, `Busy` while somebody else has it locked. A value that type
    /// or constraints refuse is refused before.
    pub fn set(
        &self,
        session: &SessionKey,
        name: &str,
        value: &Value,
        access: Access<'_>,
    ) -> Pending<Result<Variable>> {
        if let Err(error) = check_access(name, access.owner) {
            return Pending::Ready(Err(error));
        }
        let value = value.to_kept();
        self.one(session, Command::Set { name, value, access })
    }

    /// As `set`, and gives the new version only.
    pub fn set_version(
        &self,
        session: &SessionKey,
        name: &str,
        value: &Value,
        access: Access<'_>,
    ) -> Pending<Result<u64>> {
        if let Err(error) = check_access(name, access.owner) {
            return Pending::Ready(Err(error));
        }
        match self.backend.set_in_place(session, name, value, access) {
            Some(version) => Pending::Ready(version),
            None => self.set(session, name, value, access).map(|variable| Ok(variable?.version)),
        }
    }

    /// Writes several values, all or none, and gives the variables as they are then. An error is
    /// the first faulty write's.
    pub fn set_many(
        &self,
        session: &SessionKey,
        mut writes: Vec<Write>,
        owner: Option<&str>,
    ) -> Pending<Result<Vec<Variable>>> {
        let names = writes.iter().map(|write| write.name.as_str());
        if let Err(error) = check_batch(names, writes.len(), true).and_then(|()| check_owner(owner))
        {
            return Pending::Ready(Err(error));
        }
        writes.iter_mut().for_each(|write| write.value = write.value.to_kept());
        self.several(session, Command::SetMany { writes, owner })
    }

    /// Reads, reckons and writes in one step, and gives the variable as it is then.
    pub fn update(
        &self,
        session: &SessionKey,
        name: &str,
        update: &Update,
        access: Access<'_>,
    ) -> Pending<Result<Variable>> {
        match check_access(name, access.owner) {
            Ok(()) => self.one(session, Command::Update { name, update, access }),
            Err(error) => Pending::Ready(Err(error)),
        }
    }

    /// Writes an earlier value again, as a new version. `NotFound` when it is not kept.
    pub fn rollback(
        &self,
        session: &SessionKey,
        name: &str,
        version: u64,
        access: Access<'_>,
    ) -> Pending<Result<Variable>> {
        match check_access(name, access.owner) {
            Ok(()) => self.one(session, Command::Rollback { name, version, access }),
            Err(error) => Pending::Ready(Err(error)),
        }
    }

    /// Takes a variable away. `NotFound`, `Busy`, `VersionConflict`.
    pub fn delete(
        &self,
        session: &SessionKey,
        name: &str,
        access: Access<'_>,
    ) -> Pending<Result<()>> {
        match check_access(name, access.owner) {
            Ok(()) => self.backend.apply(session, Command::Delete { name, access }).map(done),
            Err(error) => Pending::Ready(Err(error)),
        }
    }

    /// The variables whose names match `pattern` (`*`, `?`; empty for all), ordered by name: at
    /// most `limit`, from the one behind `after`.
    pub fn list(
        &self,
        session: &SessionKey,
        pattern: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Pending<Result<Vec<Variable>>> {
        match NamePattern::new(pattern) {
            Ok(pattern) => self.several(session, Command::List { pattern: &pattern, after, limit }),
            Err(error) => Pending::Ready(Err(error)),
        }
    }

    /// The earlier values that are kept and the current one, oldest first.
    pub fn history(&self, session: &SessionKey, name: &str) -> Pending<Result<Vec<Past>>> {
        if let Err(error) = name::check(name) {
            return Pending::Ready(Err(error));
        }
        self.backend.apply(session, Command::History { name }).map(|reply| match reply? {
            Reply::History(past) => Ok(past),
            _ => Err(wrong_reply()),
        })
    }

    /// Keeps everybody but `owner` from writing for `ttl`. `Busy` while another owner has it.
    pub fn lock(
        &self,
        session: &SessionKey,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> Pending<Result<Variable>> {
        if ttl.is_zero() {
            let message = "lock time is 0, expected at least 1 ms";
            return Pending::Ready(Err(Error::invalid(message).with("field", "ttl_ms")));
        }
        match check_access(name, Some(owner)) {
            Ok(()) => self.one(session, Command::Lock { name, owner, ttl }),
            Err(error) => Pending::Ready(Err(error)),
        }
    }

    /// Gives a variable back; one that nobody has is left as it is.
    pub fn unlock(&self, session: &SessionKey, name: &str, owner: &str) -> Pending<Result<()>> {
        match check_access(name, Some(owner)) {
            Ok(()) => self.backend.apply(session, Command::Unlock { name, owner }).map(done),
            Err(error) => Pending::Ready(Err(error)),
        }
    }

    /// Everything of a session at one moment, in the order of names.
    pub fn snapshot(&self, session: &SessionKey) -> Pending<Result<Vec<SavedVariable>>> {
        self.backend.apply(session, Command::Snapshot).map(|reply| match reply? {
            Reply::Snapshot(saved) => Ok(saved),
            _ => Err(wrong_reply()),
        })
    }

    /// How much a session holds.
    pub fn measure(&self, session: &SessionKey) -> Pending<Result<Measure>> {
        self.backend.apply(session, Command::Measure).map(|reply| match reply? {
            Reply::Measure(measure) => Ok(measure),
            _ => Err(wrong_reply()),
        })
    }

    /// Adds variables as they were saved, all or none.
    pub fn load(&self, session: &SessionKey, variables: Vec<SavedVariable>) -> Pending<Result<()>> {
        match check_saved(&variables) {
            Ok(()) => self.backend.apply(session, Command::Load { variables }).map(done),
            Err(error) => Pending::Ready(Err(error)),
        }
    }

    fn one(&self, session: &SessionKey, command: Command<'_>) -> Pending<Result<Variable>> {
        self.backend.apply(session, command).map(|reply| match reply? {
            Reply::Variable(variable) => Ok(variable),
            _ => Err(wrong_reply()),
        })
    }

    fn several(
        &self,
        session: &SessionKey,
        command: Command<'_>,
    ) -> Pending<Result<Vec<Variable>>> {
        self.backend.apply(session, command).map(|reply| match reply? {
            Reply::Variables(variables) => Ok(variables),
            _ => Err(wrong_reply()),
        })
    }
}

/// The variable that is to be registered, if everything about it is right.
fn checked(register: RegisterVariable) -> Result<NewVariable> {
    let RegisterVariable { name, type_name, initial, constraints, metadata } = register;
    name::check(&name)?;
    let of_variable = |error: Error| error.with("variable", name.as_str());
    let rule = Rule::new(&type_name, &constraints.unwrap_or_default()).map_err(of_variable)?;
    let metadata = checked_metadata(&metadata.unwrap_or_default()).map_err(of_variable)?;
    rule.check(&name, &initial)?;
    Ok(NewVariable { name: name.into(), rule, metadata, value: initial.to_kept() })
}

fn checked_metadata(given: &Bytes) -> Result<Bytes> {
    let metadata = object_bytes(given);
    object(&metadata, "metadata")?;
    Ok(metadata)
}

fn check_access(name: &str, owner: Option<&str>) -> Result<()> {
    name::check(name)?;
    check_owner(owner)
}

fn check_owner(owner: Option<&str>) -> Result<()> {
    let Some(owner) = owner else { return Ok(()) };
    if !owner.is_empty() && owner.len() <= LOCK_OWNER_BYTES_MAX {
        return Ok(());
    }
    let given = owner.len();
    let message = format!("lock owner has {given} bytes, expected 1 to {LOCK_OWNER_BYTES_MAX}");
    Err(Error::invalid(message).with("field", "owner"))
}

fn check_batch<'a>(
    names: impl Iterator<Item = &'a str>,
    count: usize,
    once_each: bool,
) -> Result<()> {
    if count > BATCH_MAX {
        let message = format!("batch has {count} variables, the limit is {BATCH_MAX}");
        let error = Error::new(Status::ResourceExhausted, message).retryable(false);
        return Err(error.with("limit", BATCH_MAX));
    }
    check_names(names, once_each)
}

fn check_saved(variables: &[SavedVariable]) -> Result<()> {
    check_names(variables.iter().map(|saved| &*saved.name), true)?;
    for saved in variables {
        checked_metadata(&saved.metadata).map_err(|error| error.with("variable", &*saved.name))?;
        for value in saved.history.iter().map(|past| &past.value).chain([&saved.value]) {
            saved.rule.check(&saved.name, value)?;
        }
        let versions = saved.history.iter().map(|past| past.version).chain([saved.version]);
        let is_rising = versions.clone().zip(versions.skip(1)).all(|(a, b)| a < b);
        if saved.version == 0 || saved.version > VERSION_SAVED_MAX || !is_rising {
            let message = format!(
                "variable {:?}: versions do not rise from 1 to at most {VERSION_SAVED_MAX}",
                saved.name
            );
            return Err(Error::invalid(message).with("variable", &*saved.name));
        }
    }
    Ok(())
}

fn check_names<'a>(names: impl Iterator<Item = &'a str>, once_each: bool) -> Result<()> {
    let mut seen = HashSet::new();
    for name in names {
        name::check(name)?;
        if once_each && !seen.insert(name) {
            let message = format!("variable {name:?} stands twice in one batch");
            return Err(Error::invalid(message).with("variable", name));
        }
    }
    Ok(())
}

fn done(reply: Result<Reply>) -> Result<()> {
    match reply? {
        Reply::Done => Ok(()),
        _ => Err(wrong_reply()),
    }
}

fn wrong_reply() -> Error {
    Error::new(Status::Store, "the store answered another question than it was asked")
}

#[cfg(test)]
mod tests;
