//! Python's tools as tools of a session: what Python calls where the host has no tool of that name
//! runs as an operation of its own, in a pool that announced it, nested in the call that asked.
//!
//! Depth, deadline, cancel and trace are those of any operation that a tool call starts. How
//! workers are called is not known here.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::core::limits::TOOL_CHUNK_WINDOW;
use crate::core::{Error, Result, SessionId, Status, Value};
use crate::operations::{Chunk, ChunkCredit, Operation, OperationSink, Timeout};
use crate::tools::{Invocation, ToolSink, ToolSource, ToolSpec};

use super::execute::ExecuteRequest;
use super::platform::Platform;
use super::tool_call::PythonTool;

/// All tools of a platform's pools.
pub(super) struct PythonTools(pub Weak<Platform>);

impl ToolSource for PythonTools {
    fn find(&self, session: &SessionId, name: &str) -> Option<(ToolSpec, Arc<dyn ToolSink>)> {
        let platform = self.0.upgrade()?;
        let tool = platform.python_tool("", name).ok()??;
        let idempotent = tool.idempotent;
        let spec = ToolSpec { name: name.to_owned(), idempotent, ..ToolSpec::default() };
        let (platform, session) = (self.0.clone(), session.clone());
        let one = OneCall { platform, session, tool, running: Mutex::default() };
        Some((spec, Arc::new(one)))
    }

    fn list(&self) -> Vec<serde_json::Value> {
        self.0.upgrade().map(|platform| platform.python_tools()).unwrap_or_default()
    }
}

/// The side that answers one call.
struct OneCall {
    platform: Weak<Platform>,
    session: SessionId,
    tool: PythonTool,
    running: Mutex<Option<(Arc<Operation>, Arc<Relay>)>>,
}

impl OneCall {
    fn prepare(&self, invocation: &Arc<Invocation>) -> Result<Arc<Operation>> {
        let gone = || Error::new(Status::Closed, "the session of the call was closed");
        let platform = self.platform.upgrade().ok_or_else(gone)?;
        let session = platform.open_here(&self.session).ok_or_else(gone)?;
        session.prepare(ExecuteRequest {
            framework: self.tool.framework.clone(),
            operation: invocation.tool_name().to_owned(),
            parameters: Some(invocation.arguments().clone()),
            pool: self.tool.pool.clone(),
            affinity: None,
            timeout: Timeout::Never,
            stream: invocation.facts().stream,
            stream_window: Some(TOOL_CHUNK_WINDOW),
            parent: Some(invocation.clone()),
            traceparent: None,
        })
    }
}

impl ToolSink for OneCall {
    fn call(&self, invocation: Arc<Invocation>) {
        let operation = match self.prepare(&invocation) {
            Ok(operation) => operation,
            // A call that ended meanwhile needs no answer.
            Err(error) => return drop(invocation.fail(error)),
        };
        let relay = Arc::new(Relay {
            invocation: Mutex::new(Some(invocation.clone())),
            credits: Mutex::default(),
        });
        *self.running.lock() = Some((operation.clone(), relay.clone()));
        operation.start(Some(relay));
        if invocation.is_cancelled() {
            // It was cancelled before there was an operation to cancel.
            operation.cancel();
        }
    }

    fn cancel(&self, _: &Arc<Invocation>) {
        let running = self.running.lock().take();
        if let Some((operation, _)) = running {
            operation.cancel();
        }
    }

    fn credit(&self, chunks: u32) {
        let relay = self.running.lock().as_ref().map(|(_, relay)| relay.clone());
        if let Some(relay) = relay {
            relay.give_back(chunks as usize);
        }
    }
}

/// The operation's events become the tool call's. What it holds goes with the end: operation, tool
/// call and this would keep each other alive.
struct Relay {
    invocation: Mutex<Option<Arc<Invocation>>>,
    /// Of chunks that the caller has not taken: its window is the worker's.
    credits: Mutex<VecDeque<ChunkCredit>>,
}

impl Relay {
    fn give_back(&self, chunks: usize) {
        let taken: Vec<_> = {
            let mut credits = self.credits.lock();
            let taken = chunks.min(credits.len());
            credits.drain(..taken).collect()
        };
        drop(taken);
    }
}

impl OperationSink for Relay {
    fn chunks(&self, _: &Operation, chunks: Vec<Chunk>) {
        let Some(invocation) = self.invocation.lock().clone() else { return };
        for Chunk { value, credit, .. } in chunks {
            self.credits.lock().push_back(credit);
            // It fails for a call that has been cancelled, and then nobody wants the chunk.
            let _ = invocation.emit(value);
        }
    }

    fn done(&self, _: &Operation, outcome: Result<Value>) {
        let Some(invocation) = self.invocation.lock().take() else { return };
        // As above.
        let _ = match outcome {
            Ok(value) => invocation.complete(value),
            Err(error) => invocation.fail(error),
        };
    }
}
