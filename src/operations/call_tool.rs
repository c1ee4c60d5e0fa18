//! A call that is a call of a Python tool: the check against what was announced, the tool's own
//! time and places; and the tools that a call has called.
//!
//! How a call is sent, and what it is retried for, is not known here.

use std::sync::Arc;

use crate::core::{Deadline, Result};
use crate::frameworks::OperationEntry;
use crate::tools::Invocation;

use super::call::Call;

impl Call {
    /// Holds the call against the pool's catalog, if that has not been done before it was queued.
    pub(super) fn check(&self) -> Result<&Arc<OperationEntry>> {
        if let Some(entry) = self.entry.get() {
            return Ok(entry);
        }
        let (framework, operation) = self.name();
        let checked = self.pool.catalog.check(framework, operation, &self.request.parameters)?;
        // A call is checked once: it is dispatched by one thread at a time.
        let entry = self.entry.get_or_init(|| checked);
        self.enter_tool()?;
        if let Some(at) = self.deadline().instant() {
            self.arm(at);
        }
        Ok(entry)
    }

    /// The framework and the operation.
    pub(super) fn name(&self) -> (&str, &str) {
        match (self.entry.get(), &self.request.name) {
            (Some(entry), _) => (&entry.framework, &entry.name),
            (None, Some(name)) => (&name.framework, &name.operation),
            (None, None) => Default::default(),
        }
    }

    /// Both, as spans call them.
    pub(super) fn full_name(&self) -> Arc<str> {
        if let Some(entry) = self.entry.get() {
            return entry.full_name.clone();
        }
        let (framework, operation) = self.name();
        format!("{framework}.{operation}").into()
    }

    /// Takes a place among the calls of the tool that this is a call of. `ResourceExhausted`.
    pub(super) fn enter_tool(&self) -> Result<()> {
        let Some(tool) = self.entry.get().and_then(|entry| entry.tool.as_ref()) else {
            return Ok(());
        };
        let place = tool.enter()?;
        self.progress.lock().tool_place = Some(place);
        Ok(())
    }

    /// When the call is given up: as its caller says, or the tool that it is a call of.
    pub(super) fn deadline(&self) -> Deadline {
        let timeout = self.entry.get().and_then(|entry| entry.tool.as_ref()?.timeout);
        let own = timeout.and_then(|timeout| self.started.checked_add(timeout));
        self.request.deadline.min(own.map_or(Deadline::NEVER, Deadline::at))
    }

    /// A tool has been called on behalf of this call.
    pub(super) fn note_tool(&self, invocation: &Invocation) {
        if !invocation.is_idempotent() {
            let name = || invocation.tool_name().to_owned();
            self.progress.lock().called_once.get_or_insert_with(name);
        }
    }
}
