//! Commands that own what they need, for the way to the store's thread, and the answers back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::core::{Result, SessionId, Value};
use crate::state::backend::{
    Access, Command, NewVariable, Reply, SessionCommand, SessionReply, Write,
};
use crate::state::key::{SessionAbout, SessionKey};
use crate::state::name::NamePattern;
use crate::state::update::Update;
use crate::state::variable::SavedVariable;

/// What the thread is asked.
#[derive(Debug)]
pub(super) enum Job {
    Work(Order),
    /// Ends the thread when everything before it is done; told when the file is closed.
    Close(oneshot::Sender<()>),
}

/// A command with whoever waits for it.
#[derive(Debug)]
pub(super) struct Order {
    pub work: Work,
    /// None once it is answered.
    pub answer: Option<oneshot::Sender<Result<Answer>>>,
}

/// A command. It is only lent to whoever carries it out, because it may have to be tried again.
#[derive(Debug)]
pub(super) enum Work {
    Sessions(SessionVerb),
    Variables(SessionKey, Verb),
}

/// What comes back.
#[derive(Debug)]
pub(super) enum Answer {
    Sessions(SessionReply),
    Variables(Reply),
}

/// See `SessionCommand`.
#[derive(Debug)]
pub(super) enum SessionVerb {
    Open {
        id: SessionId,
        about: SessionAbout,
    },
    Join {
        id: SessionId,
    },
    Touch {
        session: SessionKey,
    },
    /// On a store of one host, a session that this host has not used is one that nobody has.
    End {
        session: SessionKey,
    },
    List {
        after: Option<SessionId>,
        limit: usize,
    },
    Sweep,
}

/// See `Command`.
#[derive(Debug)]
pub(super) enum Verb {
    Register(NewVariable),
    Get { name: Arc<str> },
    GetMany { names: Vec<Arc<str>> },
    Set { name: Arc<str>, value: Value, guard: Guard },
    SetMany { writes: Vec<Write>, owner: Option<String> },
    Update { name: Arc<str>, update: Update, guard: Guard },
    Rollback { name: Arc<str>, version: u64, guard: Guard },
    Delete { name: Arc<str>, guard: Guard },
    List { pattern: NamePattern, after: Option<String>, limit: usize },
    History { name: Arc<str> },
    Lock { name: Arc<str>, owner: String, ttl: Duration },
    Unlock { name: Arc<str>, owner: String },
    Snapshot,
    Load { variables: Vec<SavedVariable> },
    Measure,
}

/// An `Access` of its own.
#[derive(Debug)]
pub(super) struct Guard {
    expected_version: Option<u64>,
    owner: Option<String>,
}

impl Order {
    /// Answers; whoever asked may have gone.
    pub fn tell(&mut self, outcome: Result<Answer>) {
        if let Some(answer) = self.answer.take() {
            answer.send(outcome).unwrap_or_default();
        }
    }
}

impl Guard {
    pub fn access(&self) -> Access<'_> {
        Access { expected_version: self.expected_version, owner: self.owner.as_deref() }
    }
}

impl From<Access<'_>> for Guard {
    fn from(access: Access<'_>) -> Self {
        let Access { expected_version, owner } = access;
        Guard { expected_version, owner: owner.map(str::to_owned) }
    }
}

impl Work {
    /// What it brings along, roughly.
    pub fn bytes_len(&self) -> usize {
        match self {
            Work::Variables(_, Verb::Register(new)) => new.value.bytes_len(),
            Work::Variables(_, Verb::Set { value, .. }) => value.bytes_len(),
            Work::Variables(_, Verb::SetMany { writes, .. }) => {
                writes.iter().map(|write| write.value.bytes_len()).sum()
            }
            Work::Variables(_, Verb::Load { variables }) => {
                variables.iter().map(|saved| saved.value.bytes_len()).sum()
            }
            _ => 0,
        }
    }
}

impl From<SessionCommand<'_>> for SessionVerb {
    fn from(command: SessionCommand<'_>) -> Self {
        match command {
            SessionCommand::Open { id, about } => SessionVerb::Open { id: id.clone(), about },
            SessionCommand::Join { id } => SessionVerb::Join { id: id.clone() },
            SessionCommand::Touch { session } => SessionVerb::Touch { session: session.clone() },
            SessionCommand::Expire { session } | SessionCommand::Close { session } => {
                SessionVerb::End { session: session.clone() }
            }
            SessionCommand::List { after, limit } => {
                SessionVerb::List { after: after.cloned(), limit }
            }
            SessionCommand::Sweep => SessionVerb::Sweep,
        }
    }
}

impl From<Command<'_>> for Verb {
    fn from(command: Command<'_>) -> Self {
        match command {
            Command::Register(new) => Verb::Register(new),
            Command::Get { name } => Verb::Get { name: name.into() },
            Command::GetMany { names } => {
                Verb::GetMany { names: names.iter().map(|name| name.as_str().into()).collect() }
            }
            Command::Set { name, value, access } => {
                Verb::Set { name: name.into(), value, guard: access.into() }
            }
            Command::SetMany { writes, owner } => {
                Verb::SetMany { writes, owner: owner.map(str::to_owned) }
            }
            Command::Update { name, update, access } => {
                Verb::Update { name: name.into(), update: update.clone(), guard: access.into() }
            }
            Command::Rollback { name, version, access } => {
                Verb::Rollback { name: name.into(), version, guard: access.into() }
            }
            Command::Delete { name, access } => {
                Verb::Delete { name: name.into(), guard: access.into() }
            }
            Command::List { pattern, after, limit } => {
                let after = after.map(str::to_owned);
                Verb::List { pattern: pattern.clone(), after, limit }
            }
            Command::History { name } => Verb::History { name: name.into() },
            Command::Lock { name, owner, ttl } => {
                Verb::Lock { name: name.into(), owner: owner.to_owned(), ttl }
            }
            Command::Unlock { name, owner } => {
                Verb::Unlock { name: name.into(), owner: owner.to_owned() }
            }
            Command::Snapshot => Verb::Snapshot,
            Command::Load { variables } => Verb::Load { variables },
            Command::Measure => Verb::Measure,
        }
    }
}
