//! A store reduced to its promise: what a backend must answer to any sequence of commands, worked
//! out with plain maps and integers. Tests make random steps, run them on a real store and on this
//! one, and compare. Test support; the platform does not use it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::core::{Result, Status, Value};

use super::backend::{Access, Backend, Command, NewVariable, Reply};
use super::key::SessionKey;
use super::name::NamePattern;
use super::rule::Rule;
use super::variable::Variable;

/// One command on integer variables of a few sessions. Numbers stand for names, so that random
/// steps meet each other.
#[derive(Clone, Debug)]
pub enum Step {
    Register { session: u8, name: u8, min: i64, max: i64, value: i64 },
    Get { session: u8, name: u8 },
    Set { session: u8, name: u8, value: i64, expected_version: Option<u64> },
    Delete { session: u8, name: u8, expected_version: Option<u64> },
    List { session: u8, pattern: &'static str },
}

/// What a step comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    Variable {
        name: String,
        value: i64,
        version: u64,
    },
    /// Names with values and versions, in order.
    Variables(Vec<(String, i64, u64)>),
    Done,
    Refused(Status),
}

/// The reference.
pub struct Model {
    variables_max: usize,
    sessions: BTreeMap<u8, BTreeMap<String, Held>>,
}

struct Held {
    min: i64,
    max: i64,
    value: i64,
    version: u64,
}

impl Model {
    /// Without any variable; sessions hold at most `variables_max`.
    pub fn new(variables_max: usize) -> Self {
        Model { variables_max, sessions: BTreeMap::new() }
    }

    /// What the step must come to.
    pub fn run(&mut self, step: &Step) -> Outcome {
        match *step {
            Step::Register { session, name, min, max, value } => {
                self.register(session, name, Held { min, max, value, version: 1 })
            }
            Step::Get { session, name } => match self.held(session, name) {
                Some(held) => held.outcome(name),
                None => Outcome::Refused(Status::NotFound),
            },
            Step::Set { session, name, value, expected_version } => {
                let Some(held) = self.held(session, name) else {
                    return Outcome::Refused(Status::NotFound);
                };
                held.set(name, value, expected_version)
            }
            Step::Delete { session, name, expected_version } => {
                self.delete(session, name, expected_version)
            }
            Step::List { session, pattern } => self.list(session, pattern),
        }
    }

    fn register(&mut self, session: u8, name: u8, held: Held) -> Outcome {
        let variables = self.sessions.entry(session).or_default();
        if variables.contains_key(&name_of(name)) {
            return Outcome::Refused(Status::AlreadyExists);
        }
        if variables.len() >= self.variables_max {
            return Outcome::Refused(Status::ResourceExhausted);
        }
        let outcome = held.outcome(name);
        variables.insert(name_of(name), held);
        outcome
    }

    fn delete(&mut self, session: u8, name: u8, expected_version: Option<u64>) -> Outcome {
        match self.held(session, name) {
            None => return Outcome::Refused(Status::NotFound),
            Some(held) if expected_version.is_some_and(|expected| expected != held.version) => {
                return Outcome::Refused(Status::VersionConflict);
            }
            Some(_) => {}
        }
        self.sessions.entry(session).or_default().remove(&name_of(name));
        Outcome::Done
    }

    fn list(&self, session: u8, pattern: &str) -> Outcome {
        let variables = self.sessions.get(&session).into_iter().flatten();
        // Of all patterns only a leading text with one `*` behind it.
        let start = pattern.trim_end_matches('*');
        let found = variables.filter(|(name, _)| name.starts_with(start));
        let rows = found.map(|(name, held)| (name.clone(), held.value, held.version));
        Outcome::Variables(rows.collect())
    }

    fn held(&mut self, session: u8, name: u8) -> Option<&mut Held> {
        self.sessions.get_mut(&session)?.get_mut(&name_of(name))
    }
}

impl Held {
    fn set(&mut self, name: u8, value: i64, expected_version: Option<u64>) -> Outcome {
        if value < self.min || value > self.max {
            return Outcome::Refused(Status::Constraint);
        }
        if expected_version.is_some_and(|expected| expected != self.version) {
            return Outcome::Refused(Status::VersionConflict);
        }
        self.value = value;
        self.version += 1;
        self.outcome(name)
    }

    fn outcome(&self, name: u8) -> Outcome {
        Outcome::Variable { name: name_of(name), value: self.value, version: self.version }
    }
}

/// Runs the step on a store. `sessions` are the ids that the step's numbers stand for. An error is
/// one of the test itself, not of the store.
pub async fn run_on(
    backend: &dyn Backend,
    sessions: &[SessionKey],
    step: &Step,
) -> Result<Outcome> {
    let (number, name) = match *step {
        Step::Register { session, name, .. }
        | Step::Get { session, name }
        | Step::Set { session, name, .. }
        | Step::Delete { session, name, .. } => (session, name_of(name)),
        Step::List { session, .. } => (session, String::new()),
    };
    let session = sessions
        .get(usize::from(number))
        .ok_or_else(|| crate::core::Error::invalid(format!("no session {number}")))?;
    let pattern;
    let command = match *step {
        Step::Register { min, max, value, .. } => {
            Command::Register(variable(&name, min, max, value)?)
        }
        Step::Get { .. } => Command::Get { name: &name },
        Step::Set { value, expected_version, .. } => {
            let access = Access { expected_version, owner: None };
            Command::Set { name: &name, value: number_value(value), access }
        }
        Step::Delete { expected_version, .. } => {
            Command::Delete { name: &name, access: Access { expected_version, owner: None } }
        }
        Step::List { pattern: text, .. } => {
            pattern = NamePattern::new(text)?;
            Command::List { pattern: &pattern, after: None, limit: usize::MAX }
        }
    };
    outcome(backend.apply(session, command).resolve().await)
}

fn outcome(reply: Result<Reply>) -> Result<Outcome> {
    Ok(match reply {
        Err(error) => Outcome::Refused(error.status()),
        Ok(Reply::Done) => Outcome::Done,
        Ok(Reply::Variable(variable)) => {
            let (name, value, version) = row(&variable)?;
            Outcome::Variable { name, value, version }
        }
        Ok(Reply::Variables(found)) => {
            Outcome::Variables(found.iter().map(row).collect::<Result<_>>()?)
        }
        Ok(other) => return Err(crate::core::Error::invalid(format!("unexpected {other:?}"))),
    })
}

fn row(variable: &Variable) -> Result<(String, i64, u64)> {
    let document = variable.value.to_document()?;
    let value = document
        .as_i64()
        .ok_or_else(|| crate::core::Error::invalid(format!("{document} is no integer")))?;
    Ok((variable.name().as_ref().to_owned(), value, variable.version))
}

fn variable(name: &str, min: i64, max: i64, value: i64) -> Result<NewVariable> {
    let constraints = Bytes::from(format!("{{\"min\":{min},\"max\":{max}}}"));
    Ok(NewVariable {
        name: Arc::from(name),
        rule: Rule::new("integer", &constraints)?,
        value: number_value(value),
        metadata: Bytes::from_static(b"{}"),
    })
}

fn number_value(value: i64) -> Value {
    Value::from_document(&serde_json::Value::from(value))
}

/// Two groups of names, so that patterns tell some from others.
fn name_of(number: u8) -> String {
    let group = if number.is_multiple_of(2) { "even" } else { "odd" };
    format!("{group}.{number}")
}
