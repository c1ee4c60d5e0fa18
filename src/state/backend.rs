//! The seam that a store implements: one verb in, one answer out. `Backend` says what every store
//! promises.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::core::{Result, SessionId, Value};

use super::key::{SessionAbout, SessionKey, SessionRow};
use super::name::NamePattern;
use super::pending::Pending;
use super::rule::Rule;
use super::update::Update;
use super::variable::{Past, SavedVariable, Variable};

/// A place where sessions and their variables are kept. Shared by all threads; anybody may
/// implement it.
///
/// What every store promises, and `conformance` checks:
/// * Each command is one step: nobody sees half of it, and two writers of a variable are in order.
///   `SetMany` and `Load` happen whole or not at all.
/// * A command for a session that has ended is `Closed`, whatever is open under its name by now.
/// * `Register` refuses a name that is taken (`AlreadyExists`) and starts at version 1.
/// * A write holds, in this order: the value against the rule that the variable has at that moment
///   (`TypeMismatch`, `Constraint`), the lock (`Busy`, unless the writer is its owner), the version
///   (`VersionConflict`), the quota (`ResourceExhausted`, only when the session grows). Then it
///   adds one to the version and keeps the old value within the limits of history.
/// * Values, constraints and metadata come back byte for byte.
/// * Sessions do not see each other's variables. After `Close` nothing of one is left.
/// * A store that cannot tell whether a write happened finds out, or answers with status `Store`
///   and `details.outcome` "unknown"; never `Ok`.
/// * Changes are told to the `ChangeSink` that the store was made with.
///
/// Names and rules are checked above; a store sees only good ones.
///
/// Answering `Later` is for stores that do I/O: they copy what they need of a command before they
/// return, and never block the calling thread.
pub trait Backend: Send + Sync {
    /// "memory", "sqlite", "redis": for people and for metrics.
    fn name(&self) -> &'static str;

    /// Opens, joins, lists and ends sessions.
    fn session(&self, command: SessionCommand<'_>) -> Pending<Result<SessionReply>>;

    /// Carries out one command in a session.
    fn apply(&self, session: &SessionKey, command: Command<'_>) -> Pending<Result<Reply>>;

    /// As `Command::Set`, and gives the new version only: from a store that answers in place, which
    /// then need not show the variable. `None`, with nothing done, from every other.
    fn set_in_place(
        &self,
        session: &SessionKey,
        name: &str,
        value: &Value,
        access: Access<'_>,
    ) -> Option<Result<u64>> {
        let _ = (session, name, value, access);
        None
    }

    /// From the answer on, every change of the session is told to the sink, also those that other
    /// hosts make; or no longer. Stores of one host tell them anyway.
    fn follow(&self, session: &SessionKey, on: bool) -> Pending<Result<()>> {
        let _ = (session, on);
        Pending::Ready(Ok(()))
    }

    /// Ends the store's own threads and connections. What was acknowledged is kept, as far as the
    /// store keeps anything; later commands fail with `Closed`.
    fn close(&self) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }
}

/// What a session may hold, and what is kept of the past.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoreLimits {
    pub variables_max: usize,
    /// Names, constraints, metadata and current values together. Earlier values are limited by
    /// themselves.
    pub bytes_max: usize,
    /// Earlier values of one variable; the oldest go first.
    pub history_max: usize,
    /// Of the earlier values of one variable together; the oldest go first.
    pub history_bytes_max: usize,
}

/// What can be asked about sessions.
#[derive(Clone, Debug)]
pub enum SessionCommand<'a> {
    /// A new, empty session. Answer: `Opened`. `AlreadyExists`.
    Open { id: &'a SessionId, about: SessionAbout },
    /// A session that is in the store, opened by another host or before a restart. Answer:
    /// `Opened`, and its time starts again. `NotFound`.
    Join { id: &'a SessionId },
    /// It was used: its time starts again. Answer: `Done`. `Closed`.
    Touch { session: &'a SessionKey },
    /// Nobody on this host has used it for its time. Answer: `Done` when it has ended now or
    /// before, `Alive` with the time left when another host has used it.
    Expire { session: &'a SessionKey },
    /// Answer: `Done`, also when it had ended before.
    Close { session: &'a SessionKey },
    /// Sessions in the order of their ids, from the one behind `after`. Answer: `Sessions`.
    List { after: Option<&'a SessionId>, limit: usize },
    /// Ends the sessions of the store that nobody has opened or joined, and whose time has passed.
    /// Answer: `Done`.
    Sweep,
}

/// What a store answers about sessions.
#[derive(Clone, Debug)]
pub enum SessionReply {
    Opened(SessionRow),
    Sessions(Vec<SessionRow>),
    Alive(Duration),
    Done,
}

/// What can be asked of a session.
#[derive(Clone, Debug)]
pub enum Command<'a> {
    /// Adds the variable, whose value keeps its rule, at version 1. Answer: `Variable`.
    /// `AlreadyExists`, `ResourceExhausted` when the session is full.
    Register(NewVariable),
    /// Answer: `Variable`, or `NotFound` with the nearest name.
    Get { name: &'a str },
    /// All at one moment. Answer: `Found`; a name that is asked for twice is answered twice.
    GetMany { names: &'a [String] },
    /// Answer: `Variable` as it is after the write. `NotFound`, and as above.
    Set { name: &'a str, value: Value, access: Access<'a> },
    /// All or none: each write is held against rule, lock and version, then all against the
    /// quota, then all are made, in their order. Names do not repeat. Answer: `Variables`, in the
    /// order of the writes; errors are the first faulty write's.
    SetMany { writes: Vec<Write>, owner: Option<&'a str> },
    /// Reads, reckons and writes in one step. Answer: `Variable`. As `Set`, and what
    /// `Update::apply` refuses.
    Update { name: &'a str, update: &'a Update, access: Access<'a> },
    /// Writes an earlier value again, as a new version. Answer: `Variable`. As `Set`; `NotFound`
    /// with `details.versions` when that version is not kept.
    Rollback { name: &'a str, version: u64, access: Access<'a> },
    /// Answer: `Done`. `NotFound`, `Busy`, `VersionConflict`.
    Delete { name: &'a str, access: Access<'a> },
    /// Variables in the order of their names, from the one behind `after`. Answer: `Variables`.
    List { pattern: &'a NamePattern, after: Option<&'a str>, limit: usize },
    /// Answer: `History`: the earlier values that are kept, oldest first, the current one last.
    History { name: &'a str },
    /// Keeps everybody else from writing for `ttl`. Answer: `Variable`, locked. `Busy` with
    /// `details.owner` while another owner has it; the same owner's time starts again.
    Lock { name: &'a str, owner: &'a str, ttl: Duration },
    /// Answer: `Done`, also when nobody has locked it. `Busy` when another owner has.
    Unlock { name: &'a str, owner: &'a str },
    /// Everything at one moment, in the order of names. Answer: `Snapshot`.
    Snapshot,
    /// Adds variables as they were saved, versions and history included, all or none. Names do not
    /// repeat. Answer: `Done`.
    /// `AlreadyExists`, `ResourceExhausted`.
    Load { variables: Vec<SavedVariable> },
    /// How much the session holds. Answer: `Measure`.
    Measure,
}

/// A variable that is to be added.
#[derive(Clone, Debug)]
pub struct NewVariable {
    pub name: Arc<str>,
    pub rule: Arc<Rule>,
    pub metadata: Bytes,
    pub value: Value,
}

/// One write of several.
#[derive(Clone, Debug)]
pub struct Write {
    pub name: String,
    pub value: Value,
    pub expected_version: Option<u64>,
}

/// On what condition a variable is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Access<'a> {
    /// Only over exactly this version.
    pub expected_version: Option<u64>,
    /// Who writes: the owner of a lock gets past it.
    pub owner: Option<&'a str>,
}

impl Access<'_> {
    /// Whatever version is there.
    pub const ANY: Access<'static> = Access { expected_version: None, owner: None };

    /// Only over exactly this version.
    pub const fn at(version: u64) -> Access<'static> {
        Access { expected_version: Some(version), owner: None }
    }
}

/// What a store answers.
#[derive(Clone, Debug)]
pub enum Reply {
    Variable(Variable),
    Variables(Vec<Variable>),
    Found { found: Vec<Variable>, missing: Vec<String> },
    History(Vec<Past>),
    Snapshot(Vec<SavedVariable>),
    Measure(Measure),
    Done,
}

/// How much a session holds, at one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Measure {
    pub variables: usize,
    /// As `StoreLimits::bytes_max` counts them.
    pub bytes: usize,
    /// Of the last change; 0 before the first.
    pub revision: u64,
}
