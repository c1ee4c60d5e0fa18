//! A variable: as it is registered, as a store gives it, and as it is carried from one store to
//! another.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::core::Value;

use super::rule::Rule;

/// What a variable is to be.
#[derive(Clone, Debug)]
pub struct RegisterVariable {
    /// See `name::check`.
    pub name: String,
    /// See `VariableType`.
    pub type_name: String,
    /// Held against type and constraints like every later value.
    pub initial: Value,
    /// A JSON object; none and empty are `{}`.
    pub constraints: Option<Bytes>,
    /// A JSON object that is kept and shown, never interpreted; none and empty are `{}`.
    pub metadata: Option<Bytes>,
}

/// What never changes about a variable.
#[derive(Debug)]
pub struct Definition {
    pub name: Arc<str>,
    /// The session's revision when it was registered. A variable that is deleted and registered
    /// anew starts at version 1 again, with another id: id and version together name one value of
    /// the session for good.
    pub id: u64,
    /// A store outside this process keeps `rule.variable_type()` and `rule.constraints()` and
    /// makes it anew with `Rule::new`.
    pub rule: Arc<Rule>,
    /// A JSON object, as it was given.
    pub metadata: Bytes,
}

/// A variable as it is at one moment. Cloning shares everything.
#[derive(Clone, Debug)]
pub struct Variable {
    pub definition: Arc<Definition>,
    /// The document as it was given, byte for byte.
    pub value: Value,
    /// Starts at 1, grows by one with each write.
    pub version: u64,
    /// Set while an owner keeps others from writing.
    pub lock: Option<Lock>,
}

/// Somebody owns a variable for a while.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lock {
    /// The name that the owner writes under.
    pub owner: Arc<str>,
    /// From the moment it was read.
    pub expires_in: Duration,
}

/// An earlier value, or what stands for it; see `Record`.
#[derive(Clone, Debug, PartialEq)]
pub struct Past<V = Value> {
    pub version: u64,
    pub value: V,
}

/// A variable with its history, on its way into another session or store. Its id does not go along:
/// the store it comes to gives it a new one.
#[derive(Clone, Debug)]
pub struct SavedVariable {
    pub name: Arc<str>,
    pub rule: Arc<Rule>,
    pub metadata: Bytes,
    pub value: Value,
    pub version: u64,
    /// Oldest first.
    pub history: Vec<Past>,
}

impl Variable {
    pub fn name(&self) -> &Arc<str> {
        &self.definition.name
    }

    pub fn type_name(&self) -> &'static str {
        self.definition.rule.variable_type().name()
    }

    /// A JSON object, as it was given.
    pub fn constraints(&self) -> &Bytes {
        self.definition.rule.constraints()
    }

    /// A JSON object, as it was given.
    pub fn metadata(&self) -> &Bytes {
        &self.definition.metadata
    }
}
