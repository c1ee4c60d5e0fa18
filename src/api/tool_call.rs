//! A tool called by name, wherever it is: one of the host's, or one that a pool's workers
//! announced.

use std::sync::Arc;

use crate::core::{Deadline, Error, Result, Status, Value};
use crate::operations::{CallPool, HostToolCall, HostToolRequest, Operation, Timeout};
use crate::tools::Invocation;

use super::execute::{ExecuteRequest, depth_of, empty_object, trace_of};
use super::platform::Platform;
use super::session::Session;

/// One call of a tool that a host wants.
#[derive(Default)]
pub struct ToolRequest {
    pub name: String,
    /// None: an empty object.
    pub arguments: Option<Value>,
    /// The pool whose tool is meant. Empty: the host's own tool of that name; if it has none, that
    /// of "default", then of the other pools in the order of their names.
    pub pool: String,
    pub timeout: Timeout,
    /// The host wants chunks.
    pub stream: bool,
    /// Chunks ahead of the consumer, from a worker. None: the configured number.
    pub stream_window: Option<u32>,
    /// The tool call that this is made for: it bounds the deadline and the depth.
    pub parent: Option<Arc<Invocation>>,
    /// W3C trace context of the caller. None: the parent's, or a fresh one.
    pub traceparent: Option<String>,
}

/// Where a tool of Python's is.
pub(super) struct PythonTool {
    pub pool: String,
    pub framework: String,
    pub idempotent: bool,
}

impl Session {
    /// Makes the operation that calls the tool; `start` sets it going. `NotFound` with the nearest
    /// name; `Unavailable` while it may be one that a pool has not announced yet.
    pub fn call_tool(&self, request: ToolRequest) -> Result<Arc<Operation>> {
        self.check_open()?;
        let tools = &self.platform.services.tools;
        if request.pool.is_empty() && tools.of_host(self.id(), &request.name).is_some() {
            return self.call_host_tool(request);
        }
        let tool = self.platform.python_tool(&request.pool, &request.name)?;
        let Some(tool) = tool else { return Err(tools.unknown(self.id(), &request.name)) };
        self.prepare(ExecuteRequest {
            framework: tool.framework,
            operation: request.name,
            parameters: request.arguments,
            pool: tool.pool,
            affinity: None,
            timeout: request.timeout,
            stream: request.stream,
            stream_window: request.stream_window,
            parent: request.parent,
            traceparent: request.traceparent,
        })
    }

    fn call_host_tool(&self, request: ToolRequest) -> Result<Arc<Operation>> {
        let (platform, services) = (&self.platform, &self.platform.services);
        let arguments = request.arguments.unwrap_or_else(empty_object);
        arguments.check_size("arguments have", platform.config.values.bytes_max)?;
        let parent = request.parent.as_deref();
        let own = request.timeout.deadline(platform.config.operations.timeout);
        let id = services.next_call();
        let call = HostToolRequest {
            id,
            session: self.session.clone(),
            tool: request.name,
            arguments,
            deadline: own.min(parent.map_or(Deadline::NEVER, |parent| parent.facts().deadline)),
            stream: request.stream,
            depth: depth_of(parent, services.nesting_depth_max)?,
            within: parent.and_then(|parent| parent.facts().within),
            trace: trace_of(request.traceparent.as_deref(), parent)?.0,
        };
        let place = services.in_flight.enter()?;
        let roster = self.operations.clone();
        let operation = HostToolCall::operation(services.clone(), call, place, roster);
        self.admit_operation(id, &operation);
        Ok(operation)
    }
}

impl Platform {
    /// The tool of that name in the pool, or with an empty name in the first that has one.
    /// `Unavailable` if none has and one that could has not announced anything yet.
    pub(super) fn python_tool(&self, pool: &str, name: &str) -> Result<Option<PythonTool>> {
        let pools =
            if pool.is_empty() { self.pools_in_order() } else { vec![self.call_pool(pool)?] };
        for pool in &pools {
            if let Some(entry) = pool.catalog.tool(name) {
                return Ok(Some(PythonTool {
                    pool: pool.name.to_string(),
                    framework: entry.framework.clone(),
                    idempotent: entry.idempotent,
                }));
            }
        }
        match pools.iter().find(|pool| !pool.catalog.is_known()) {
            None => Ok(None),
            Some(silent) => {
                let pool = silent.name.as_ref();
                let message = format!("no tool {name:?}, but pool {pool:?} has no worker yet");
                let error = Error::new(Status::Unavailable, message);
                Err(error.with("tool", name).with("pool", pool))
            }
        }
    }

    /// The tools of all pools, described.
    pub(super) fn python_tools(&self) -> Vec<serde_json::Value> {
        self.pools_in_order().iter().flat_map(|pool| pool.catalog.tools()).collect()
    }

    fn pools_in_order(&self) -> Vec<&Arc<CallPool>> {
        let mut pools: Vec<_> = self.pools.values().collect();
        pools.sort_by_key(|pool| (pool.name.as_ref() != DEFAULT_POOL, pool.name.clone()));
        pools
    }
}

/// The pool that comes first.
const DEFAULT_POOL: &str = "default";
