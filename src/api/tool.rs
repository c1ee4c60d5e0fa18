//! Host tools as a host registers them.

use std::sync::Arc;

use crate::core::{Deadline, Result, Value};
use crate::operations::{Job, Operation};
use crate::tools::{ToolEntry, ToolHooks, ToolSink, ToolSpec};

use super::platform::Platform;
use super::session::Session;

/// A registered tool. Dropping it does not unregister.
#[derive(Clone)]
pub struct ToolRef {
    platform: Arc<Platform>,
    entry: Arc<ToolEntry>,
}

impl Platform {
    /// Registers a tool for one session, or for all. From now on Python may call it.
    pub fn register_tool(
        self: &Arc<Self>,
        session: Option<&Session>,
        spec: ToolSpec,
        sink: Arc<dyn ToolSink>,
    ) -> Result<ToolRef> {
        match session {
            None => self.check_open()?,
            Some(session) => session.check_open()?,
        }
        let scope = session.map(|session| session.id().clone());
        let entry = self.services.tools.register(scope, spec, sink)?;
        if let Some(session) = session
            && let Err(ended) = session.check_open()
        {
            // Its tools may have been taken away before this one was among them.
            self.services.tools.unregister(&entry);
            return Err(ended);
        }
        Ok(ToolRef { platform: self.clone(), entry })
    }

    /// Hangs hooks around every tool call that begins from now on, inside those there are.
    pub fn add_tool_hooks(&self, hooks: Arc<dyn ToolHooks>) {
        self.services.tools.add_hooks(hooks);
    }

    /// What calls of `session` can call, the host's tools before Python's, each by name; without a
    /// session, what calls of every session can.
    pub fn tools(&self, session: Option<&Session>) -> serde_json::Value {
        self.services.tools.list(session.map(Session::id))
    }
}

impl ToolRef {
    pub fn name(&self) -> &str {
        self.entry.name()
    }

    /// An operation that takes the tool away: its running calls are cancelled, and no call reaches
    /// the host once it has ended.
    pub fn unregister(&self) -> Result<Arc<Operation>> {
        self.platform.check_open()?;
        let (platform, entry) = (self.platform.clone(), self.entry.clone());
        let unregister = async move {
            platform.services.tools.unregister(&entry);
            Ok(Value::null())
        };
        Ok(Job::operation(self.platform.handle.clone(), Deadline::NEVER, unregister))
    }
}
