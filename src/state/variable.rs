//! A variable: as it is registered, as a store keeps it, as readers see it.

use std::sync::Arc;

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

/// A variable in a store. Cloning shares everything.
#[derive(Clone, Debug)]
pub struct Variable {
    pub name: Arc<str>,
    /// Never changes. A store outside this process keeps `rule.variable_type()` and
    /// `rule.constraints()` and makes it anew with `Rule::new`.
    pub rule: Arc<Rule>,
    pub value: Value,
    /// 1 when registered, one more with each write.
    pub version: u64,
    pub metadata: Bytes,
}

/// A variable as readers see it.
#[derive(Clone, Debug, PartialEq)]
pub struct VariableView {
    pub name: Arc<str>,
    /// See `VariableType`.
    pub type_name: &'static str,
    /// The document as it was given, byte for byte.
    pub value: Value,
    pub version: u64,
    /// A JSON object, as it was given.
    pub constraints: Bytes,
    /// A JSON object, as it was given.
    pub metadata: Bytes,
}

impl From<Variable> for VariableView {
    fn from(variable: Variable) -> Self {
        VariableView {
            name: variable.name,
            type_name: variable.rule.variable_type().name(),
            value: variable.value,
            version: variable.version,
            constraints: variable.rule.constraints().clone(),
            metadata: variable.metadata,
        }
    }
}
