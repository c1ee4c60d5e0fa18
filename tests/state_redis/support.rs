//! Stores for tests, and the commands that they give most.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use snakepit_bridge::core::{Affinity, Result, SessionId, Value};
use snakepit_bridge::state::conformance::{LIMITS, Scale, Subject, Told};
use snakepit_bridge::state::{
    Access, Backend, Command, NewVariable, RedisOptions, RedisStore, Reply, Rule, SessionAbout,
    SessionCommand, SessionKey, SessionReply, Variable,
};
use tokio::runtime::Handle;

/// A store with who hears it.
pub async fn subject(url: impl Into<String>) -> Subject {
    with(RedisOptions::new(url)).await
}

pub async fn with(options: RedisOptions) -> Subject {
    let told = Arc::new(Told::default());
    let store = RedisStore::connect(options, LIMITS, told.clone(), Handle::current()).await;
    let backend: Arc<dyn Backend> = Arc::new(store.unwrap());
    Subject { backend, told, runtime: Handle::current(), scale: Scale::SHORT }
}

/// Impatient, so that tests of what takes too long are short.
pub fn impatient(url: impl Into<String>) -> RedisOptions {
    RedisOptions {
        connect_timeout: Duration::from_millis(200),
        answer_timeout: Duration::from_millis(200),
        command_timeout: Duration::from_millis(900),
        ..RedisOptions::new(url)
    }
}

pub async fn opened(subject: &Subject) -> SessionKey {
    let id = SessionId::generate().unwrap();
    let command = SessionCommand::Open { id: &id, about: about(Duration::from_secs(600)) };
    key_of(subject.backend.session(command).resolve().await)
}

pub async fn joined(subject: &Subject, id: &SessionId) -> SessionKey {
    key_of(subject.backend.session(SessionCommand::Join { id }).resolve().await)
}

pub fn about(ttl: Duration) -> SessionAbout {
    SessionAbout { metadata: Bytes::from_static(b"{}"), ttl, affinity: Affinity::None }
}

pub fn key_of(reply: Result<SessionReply>) -> SessionKey {
    match reply.unwrap() {
        SessionReply::Opened(row) => row.key,
        other => panic!("{other:?}"),
    }
}

pub async fn ask(subject: &Subject, session: &SessionKey, command: Command<'_>) -> Result<Reply> {
    subject.backend.apply(session, command).resolve().await
}

pub async fn one(
    subject: &Subject,
    session: &SessionKey,
    command: Command<'_>,
) -> Result<Variable> {
    match ask(subject, session, command).await? {
        Reply::Variable(variable) => Ok(variable),
        other => panic!("{other:?}"),
    }
}

pub async fn register(subject: &Subject, session: &SessionKey, name: &str) -> Variable {
    one(subject, session, Command::Register(integer(name, 0))).await.unwrap()
}

pub async fn get(subject: &Subject, session: &SessionKey, name: &str) -> Variable {
    one(subject, session, Command::Get { name }).await.unwrap()
}

pub fn integer(name: &str, value: u64) -> NewVariable {
    NewVariable {
        name: name.into(),
        rule: Rule::new("integer", &Bytes::new()).unwrap(),
        metadata: Bytes::from_static(b"{}"),
        value: number(value),
    }
}

pub fn set(name: &str, value: u64) -> Command<'_> {
    Command::Set { name, value: number(value), access: Access::ANY }
}

pub fn number(value: u64) -> Value {
    Value::from_document(&value.into())
}
