//! A session's variables as a host reads and writes them, one at a time.
//!
//! With the memory store every call answers in place. A store that does I/O blocks the calling
//! thread for as long as it takes, which is why callers on callback threads are refused there (see
//! the C ABI).

use std::time::Duration;

use crate::core::{Result, Value};
use crate::state::{Access, Past, Pending, RegisterVariable, Update, Variable, Variables};
use crate::telemetry::StateVerb;

use super::session::Session;

impl Session {
    /// Adds a variable; its version is 1.
    pub fn register_variable(&self, variable: RegisterVariable) -> Result<u64> {
        let view =
            self.apply(StateVerb::Register, |at| at.variables().register(at.key(), variable))?;
        Ok(view.version)
    }

    /// The value and its version.
    pub fn get_variable(&self, name: &str) -> Result<(Value, u64)> {
        let view = self.apply(StateVerb::Get, |at| at.variables().get(at.key(), name))?;
        Ok((view.value, view.version))
    }

    /// Writes a value and gives the new version. With `expected_version`, only if that is the
    /// current one.
    pub fn set_variable(
        &self,
        name: &str,
        value: Value,
        expected_version: Option<u64>,
    ) -> Result<u64> {
        let access = Access { expected_version, owner: None };
        self.set_variable_version(name, &value, access)
    }

    /// Writes a value on a condition and gives the new version. What the store keeps is a copy, or
    /// shares the bytes of a large value.
    pub fn set_variable_version(
        &self,
        name: &str,
        value: &Value,
        access: Access<'_>,
    ) -> Result<u64> {
        self.apply(StateVerb::Set, |at| at.variables().set_version(at.key(), name, value, access))
    }

    /// As `set_variable_version`, and gives the variable as it is then.
    pub fn set_variable_with(
        &self,
        name: &str,
        value: &Value,
        access: Access<'_>,
    ) -> Result<Variable> {
        self.apply(StateVerb::Set, |at| at.variables().set(at.key(), name, value, access))
    }

    /// Reads, reckons and writes in one step: `update` is a document such as `{"add": 1}`. Gives
    /// the variable as it is then.
    pub fn update_variable(
        &self,
        name: &str,
        update: &Value,
        access: Access<'_>,
    ) -> Result<Variable> {
        let update = Update::parse(update)?;
        self.apply(StateVerb::Update, |at| at.variables().update(at.key(), name, &update, access))
    }

    /// Writes an earlier value again, as a new version. `NotFound` when it is not kept any more.
    pub fn roll_back_variable(
        &self,
        name: &str,
        version: u64,
        access: Access<'_>,
    ) -> Result<Variable> {
        self.apply(StateVerb::Rollback, |at| {
            at.variables().rollback(at.key(), name, version, access)
        })
    }

    /// The earlier values that are kept, oldest first, and the current one.
    pub fn variable_history(&self, name: &str) -> Result<Vec<Past>> {
        self.apply(StateVerb::History, |at| at.variables().history(at.key(), name))
    }

    /// Keeps everybody but `owner` from writing for `ttl`; the owner writes with `Access::owner`.
    /// `Busy` while another owner has it; the same owner's time starts again.
    pub fn lock_variable(&self, name: &str, owner: &str, ttl: Duration) -> Result<Variable> {
        self.apply(StateVerb::Lock, |at| at.variables().lock(at.key(), name, owner, ttl))
    }

    /// Gives a variable back; one that nobody has is left as it is.
    pub fn unlock_variable(&self, name: &str, owner: &str) -> Result<()> {
        self.apply(StateVerb::Unlock, |at| at.variables().unlock(at.key(), name, owner))
    }

    /// Takes a variable away.
    pub fn delete_variable(&self, name: &str, expected_version: Option<u64>) -> Result<()> {
        self.delete_variable_with(name, Access { expected_version, owner: None })
    }

    /// Takes a variable away on a condition.
    pub fn delete_variable_with(&self, name: &str, access: Access<'_>) -> Result<()> {
        self.apply(StateVerb::Delete, |at| at.variables().delete(at.key(), name, access))
    }

    pub(super) fn variables(&self) -> &Variables {
        &self.platform.services.variables
    }

    pub(super) fn apply<T: Send + 'static>(
        &self,
        verb: StateVerb,
        command: impl FnOnce(&Session) -> Pending<Result<T>>,
    ) -> Result<T> {
        self.check_open()?;
        self.platform.metrics.state(verb);
        self.platform.wait(command(self))
    }
}
