//! Variables as the platform uses them: names, types and constraints are checked here, before a
//! store sees anything.

use std::sync::Arc;

use bytes::Bytes;

use crate::core::{Error, Result, SessionId, Status, Value};

use super::backend::{Backend, Command, Reply};
use super::constraints::object;
use super::memory::MemoryStore;
use super::name::{self, NamePattern};
use super::pending::Pending;
use super::rule::{Rule, object_bytes};
use super::variable::{RegisterVariable, Variable, VariableView};

/// The variables of all sessions, on one store.
pub struct Variables {
    backend: Arc<dyn Backend>,
}

impl Variables {
    /// On a store of the caller's choice.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Variables { backend }
    }

    /// On a fresh store in memory, with at most `variables_max` variables in each session.
    pub fn in_memory(variables_max: usize) -> Self {
        Variables::new(Arc::new(MemoryStore::new(variables_max)))
    }

    /// Adds a variable at version 1. `InvalidArgument` for a bad name, constraint or metadata,
    /// `Unsupported` for a type that is to come, `TypeMismatch` or `Constraint` for an initial
    /// value that the rule refuses, `AlreadyExists`, `ResourceExhausted`.
    pub fn register(
        &self,
        session: &SessionId,
        register: RegisterVariable,
    ) -> Pending<Result<VariableView>> {
        match checked(register) {
            Ok(variable) => self.one(session, Command::Register(variable)),
            Err(error) => Pending::Ready(Err(error)),
        }
    }

    /// Reads a variable. `NotFound` names the nearest one.
    pub fn get(&self, session: &SessionId, name: &str) -> Pending<Result<VariableView>> {
        match name::check(name) {
            Ok(()) => self.one(session, Command::Get { name }),
            Err(error) => Pending::Ready(Err(error)),
        }
    }

    /// Writes a value and gives the variable as it is then. With `expected_version`, only if that
    /// is the current one: else `VersionConflict`. A value that type or constraints refuse is
    /// refused before versions are compared.
    pub fn set(
        &self,
        session: &SessionId,
        name: &str,
        value: Value,
        expected_version: Option<u64>,
    ) -> Pending<Result<VariableView>> {
        if let Err(error) = name::check(name) {
            return Pending::Ready(Err(error));
        }
        let value = value.to_kept();
        self.one(session, Command::Set { name, value, expected_version })
    }

    /// Takes a variable away. `NotFound`, `VersionConflict`.
    pub fn delete(
        &self,
        session: &SessionId,
        name: &str,
        expected_version: Option<u64>,
    ) -> Pending<Result<()>> {
        if let Err(error) = name::check(name) {
            return Pending::Ready(Err(error));
        }
        self.backend.apply(session, Command::Delete { name, expected_version }).map(done)
    }

    /// The variables whose names match `pattern` (`*`, `?`; empty for all), ordered by name.
    pub fn list(&self, session: &SessionId, pattern: &str) -> Pending<Result<Vec<VariableView>>> {
        let pattern = match NamePattern::new(pattern) {
            Ok(pattern) => pattern,
            Err(error) => return Pending::Ready(Err(error)),
        };
        self.backend.apply(session, Command::List { pattern: &pattern }).map(|reply| match reply? {
            Reply::Variables(found) => Ok(found.into_iter().map(VariableView::from).collect()),
            _ => Err(wrong_reply()),
        })
    }

    /// Forgets everything of a session that closes.
    pub fn drop_session(&self, session: &SessionId) -> Pending<Result<()>> {
        self.backend.apply(session, Command::DropSession).map(done)
    }

    fn one(&self, session: &SessionId, command: Command<'_>) -> Pending<Result<VariableView>> {
        self.backend.apply(session, command).map(|reply| match reply? {
            Reply::Variable(variable) => Ok(VariableView::from(variable)),
            _ => Err(wrong_reply()),
        })
    }
}

/// The variable that is to be registered, if everything about it is right.
fn checked(register: RegisterVariable) -> Result<Variable> {
    let RegisterVariable { name, type_name, initial, constraints, metadata } = register;
    name::check(&name)?;
    let of_variable = |error: Error| error.with("variable", name.as_str());
    let rule = Rule::new(&type_name, &constraints.unwrap_or_default()).map_err(of_variable)?;
    let metadata = checked_metadata(&metadata.unwrap_or_default()).map_err(of_variable)?;
    rule.check(&name, &initial)?;
    Ok(Variable { name: name.into(), rule, value: initial.to_kept(), version: 1, metadata })
}

fn checked_metadata(given: &Bytes) -> Result<Bytes> {
    let metadata = object_bytes(given);
    object(&metadata, "metadata")?;
    Ok(metadata)
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
