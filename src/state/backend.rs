//! The seam that a store implements: one verb in, one answer out.
//!
//! What every store promises, and `conformance` checks:
//! * Each command is one step: nobody sees half of it, and two writers of a variable are in order.
//! * `Register` refuses a name that is taken (`AlreadyExists`) and starts at version 1.
//! * `Set` holds the value against the rule that the variable has at the moment of the write, then
//!   compares the version, then writes; each write adds one to the version.
//! * Values, constraints and metadata come back byte for byte.
//! * Sessions do not see each other's variables. After `DropSession` nothing of it is left.
//! * A store that cannot tell whether a write happened answers with status `Store`, never `Ok`.
//!
//! Names and rules are checked above; a store sees only good ones.

use crate::core::{Result, SessionId, Value};

use super::name::NamePattern;
use super::pending::Pending;
use super::variable::Variable;

/// A place where variables are kept. Shared by all threads; anybody may implement it.
pub trait Backend: Send + Sync {
    /// Carries out one command. Answering `Later` is for stores that do I/O: they copy what they
    /// need of the command, and never block the calling thread.
    fn apply(&self, session: &SessionId, command: Command<'_>) -> Pending<Result<Reply>>;
}

/// What can be asked of a store.
#[derive(Clone, Debug)]
pub enum Command<'a> {
    /// Adds the variable, whose version is 1 and whose value keeps its rule. Answer: `Variable`.
    /// `ResourceExhausted` when the session is full.
    Register(Variable),
    /// Answer: `Variable`, or `NotFound` with the nearest name.
    Get { name: &'a str },
    /// Answer: `Variable` as it is after the write. `NotFound`, `TypeMismatch` or `Constraint` by
    /// `Rule::check`, `VersionConflict`.
    Set { name: &'a str, value: Value, expected_version: Option<u64> },
    /// Answer: `Done`. `NotFound`, `VersionConflict`.
    Delete { name: &'a str, expected_version: Option<u64> },
    /// Answer: `Variables`, ordered by name.
    List { pattern: &'a NamePattern },
    /// Answer: `Done`, also when there was nothing.
    DropSession,
}

/// What a store answers.
#[derive(Clone, Debug)]
pub enum Reply {
    Variable(Variable),
    Variables(Vec<Variable>),
    Done,
}
