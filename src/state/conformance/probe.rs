//! A store seen through one session: one short method for each thing that a promise asks, and the
//! comparisons that say what was expected.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::core::{Affinity, Error, SessionId, Status, Value};
use crate::state::backend::{
    Access, Command, NewVariable, Reply, SessionCommand, SessionReply, Write,
};
use crate::state::key::{SessionAbout, SessionKey, SessionRow};
use crate::state::name::NamePattern;
use crate::state::rule::Rule;
use crate::state::variable::{Past, SavedVariable, Variable};

use super::Outcome;
use super::subject::Subject;

/// One session of the store under test.
#[derive(Clone)]
pub struct Probe {
    pub subject: Subject,
    pub session: SessionKey,
}

/// Everything that a write may change about a variable.
pub type State = Vec<(String, u64, Value, Vec<Past>)>;

impl Probe {
    /// A new session with a name of its own.
    pub async fn new(subject: &Subject) -> Result<Self, String> {
        Probe::named(subject, &SessionId::generate().map_err(told)?, about(MINUTE)).await
    }

    /// A new session.
    pub async fn named(
        subject: &Subject,
        id: &SessionId,
        about: SessionAbout,
    ) -> Result<Self, String> {
        let row = opened(subject, SessionCommand::Open { id, about }).await?;
        Ok(Probe { subject: subject.clone(), session: row.key })
    }

    /// The session of this name that is there.
    pub async fn joined(subject: &Subject, id: &SessionId) -> Result<Self, String> {
        let row = opened(subject, SessionCommand::Join { id }).await?;
        Ok(Probe { subject: subject.clone(), session: row.key })
    }

    /// Whatever comes out.
    pub async fn apply(&self, command: Command<'_>) -> Result<Reply, Error> {
        self.subject.backend.apply(&self.session, command).resolve().await
    }

    /// Whatever comes out.
    pub async fn ask(&self, command: SessionCommand<'_>) -> Result<SessionReply, Error> {
        self.subject.backend.session(command).resolve().await
    }

    pub async fn close(&self) -> Outcome {
        let close = SessionCommand::Close { session: &self.session };
        self.ask(close).await.map(drop).map_err(told)
    }

    pub async fn register(
        &self,
        name: &str,
        type_name: &str,
        constraints: &str,
        value: Value,
    ) -> Result<Variable, String> {
        self.variable(Command::Register(variable(name, type_name, constraints, value)?)).await
    }

    /// Registers `n0`, `n1` … as integers of at most 100, each holding its own number.
    pub async fn register_numbers(&self, count: u64) -> Outcome {
        for index in 0..count {
            self.register(&numbered(index), "integer", r#"{"max":100}"#, number(index)).await?;
        }
        Ok(())
    }

    pub async fn get(&self, name: &str) -> Result<Variable, String> {
        self.variable(Command::Get { name }).await
    }

    pub async fn value(&self, name: &str) -> Result<Value, String> {
        Ok(self.get(name).await?.value)
    }

    pub async fn set(&self, name: &str, value: Value) -> Result<Variable, String> {
        self.variable(set(name, value, Access::ANY)).await
    }

    pub async fn get_many(&self, names: &[&str]) -> Result<(Vec<Variable>, Vec<String>), String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        match self.apply(Command::GetMany { names: &names }).await.map_err(told)? {
            Reply::Found { found, missing } => Ok((found, missing)),
            other => Err(format!("expected what was found, got {other:?}")),
        }
    }

    pub async fn set_many(
        &self,
        writes: Vec<Write>,
        owner: Option<&str>,
    ) -> Result<Vec<Variable>, String> {
        self.variables(Command::SetMany { writes, owner }).await
    }

    pub async fn history(&self, name: &str) -> Result<Vec<Past>, String> {
        match self.apply(Command::History { name }).await.map_err(told)? {
            Reply::History(past) => Ok(past),
            other => Err(format!("expected a history, got {other:?}")),
        }
    }

    pub async fn snapshot(&self) -> Result<Vec<SavedVariable>, String> {
        match self.apply(Command::Snapshot).await.map_err(told)? {
            Reply::Snapshot(saved) => Ok(saved),
            other => Err(format!("expected a snapshot, got {other:?}")),
        }
    }

    /// Everything the session holds, to be compared.
    pub async fn state(&self) -> Result<State, String> {
        let row = |saved: SavedVariable| {
            (saved.name.to_string(), saved.version, saved.value, saved.history)
        };
        Ok(self.snapshot().await?.into_iter().map(row).collect())
    }

    pub async fn names(
        &self,
        pattern: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, String> {
        let pattern = NamePattern::new(pattern).map_err(told)?;
        let found = self.variables(Command::List { pattern: &pattern, after, limit }).await?;
        Ok(found.iter().map(|variable| variable.name().to_string()).collect())
    }

    pub async fn lock(&self, name: &str, owner: &str, ttl: Duration) -> Result<Variable, String> {
        self.variable(Command::Lock { name, owner, ttl }).await
    }

    pub async fn variable(&self, command: Command<'_>) -> Result<Variable, String> {
        match self.apply(command).await.map_err(told)? {
            Reply::Variable(variable) => Ok(variable),
            other => Err(format!("expected a variable, got {other:?}")),
        }
    }

    pub async fn variables(&self, command: Command<'_>) -> Result<Vec<Variable>, String> {
        match self.apply(command).await.map_err(told)? {
            Reply::Variables(variables) => Ok(variables),
            other => Err(format!("expected variables, got {other:?}")),
        }
    }

    pub async fn done(&self, command: Command<'_>) -> Outcome {
        match self.apply(command).await.map_err(told)? {
            Reply::Done => Ok(()),
            other => Err(format!("expected done, got {other:?}")),
        }
    }

    pub async fn refusal(&self, command: Command<'_>, status: Status) -> Result<Error, String> {
        let asked = format!("{command:?}");
        match self.apply(command).await {
            Err(error) if error.status() == status => Ok(error),
            other => Err(short(&format!("expected {status}, got {other:?} for {asked}"))),
        }
    }
}

/// The answer to `Open` and `Join`.
pub async fn opened(subject: &Subject, command: SessionCommand<'_>) -> Result<SessionRow, String> {
    match subject.backend.session(command).resolve().await.map_err(told)? {
        SessionReply::Opened(row) => Ok(row),
        other => Err(format!("expected an opened session, got {other:?}")),
    }
}

/// A session with metadata that a store which parses and writes anew would change.
pub fn about(ttl: Duration) -> SessionAbout {
    let metadata = Bytes::from_static(SESSION_METADATA.as_bytes());
    SessionAbout { metadata, ttl, affinity: Affinity::Hint }
}

/// A variable with metadata that a store which parses and writes anew would change.
pub fn variable(
    name: &str,
    type_name: &str,
    constraints: &str,
    value: Value,
) -> Result<NewVariable, String> {
    let rule = Rule::new(type_name, &Bytes::copy_from_slice(constraints.as_bytes()));
    let metadata = Bytes::from_static(METADATA.as_bytes());
    Ok(NewVariable { name: Arc::from(name), rule: rule.map_err(told)?, metadata, value })
}

pub fn set<'a>(name: &'a str, value: Value, access: Access<'a>) -> Command<'a> {
    Command::Set { name, value, access }
}

/// A write over whatever version is there.
pub fn write(name: &str, value: Value) -> Write {
    Write { name: name.to_owned(), value, expected_version: None }
}

/// Only as this owner, over whatever version is there.
pub fn by(owner: &str) -> Access<'_> {
    Access { expected_version: None, owner: Some(owner) }
}

pub fn numbered(index: u64) -> String {
    format!("n{index}")
}

pub fn number(number: u64) -> Value {
    Value::from_document(&number.into())
}

/// A document of exactly so many bytes, quotes included.
pub fn text(bytes: usize) -> Value {
    Value::from_document(&"x".repeat(bytes.saturating_sub(2)).into())
}

pub fn json(document: &str) -> Result<Value, String> {
    Value::from_json(document.to_owned()).map_err(told)
}

pub fn same<T: PartialEq + std::fmt::Debug + ?Sized>(
    what: &str,
    given: &T,
    expected: &T,
) -> Outcome {
    if given == expected {
        return Ok(());
    }
    Err(format!(
        "{what} is {}, expected {}",
        short(&format!("{given:?}")),
        short(&format!("{expected:?}"))
    ))
}

/// For people: values may be long.
fn short(text: &str) -> String {
    text.chars().take(1000).collect()
}

/// One of an error's details.
pub fn detail(error: &Error, key: &str, expected: impl Into<serde_json::Value>) -> Outcome {
    let given = error.details().get(key);
    same(&format!("details.{key} of {error:?}"), &given, &Some(&expected.into()))
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
pub fn told(error: Error) -> String {
    format!("{error:?}")
}

pub const MINUTE: Duration = Duration::from_secs(60);
pub const METADATA: &str = "{\"unit\" : \"ms\"}";
pub const SESSION_METADATA: &str = "{\"user\" : \"\\u00e9\", \"n\":1.0}";
