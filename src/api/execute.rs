//! From a host's wish to an operation: everything that can be checked is checked before anything is
//! queued.

use std::sync::Arc;

use crate::core::{Affinity, CallId, Deadline, Error, Result, Status, Value};
use crate::operations::{Call, CallRequest, Operation, OperationName, Timeout};
use crate::telemetry::{SpanId, TraceContext};
use crate::tools::Invocation;

use super::session::Session;

/// One framework operation that a host wants.
#[derive(Default)]
pub struct ExecuteRequest {
    pub framework: String,
    pub operation: String,
    /// None: an empty object.
    pub parameters: Option<Value>,
    /// Empty: the pool named "default".
    pub pool: String,
    /// Whether this call keeps to the session's worker. None: as the session says.
    pub affinity: Option<Affinity>,
    pub timeout: Timeout,
    /// The host wants chunks.
    pub stream: bool,
    /// Chunks ahead of the consumer. None: the configured number.
    pub stream_window: Option<u32>,
    /// The tool call that this is made for: it bounds the deadline and the depth.
    pub parent: Option<Arc<Invocation>>,
    /// W3C trace context of the caller. None: the parent's, or a fresh one.
    pub traceparent: Option<String>,
}

impl Session {
    /// Makes the operation; `start` sets it going. Everything that is wrong with the request is an
    /// error here.
    pub fn prepare(&self, request: ExecuteRequest) -> Result<Arc<Operation>> {
        self.check_open()?;
        let platform = &self.platform;
        let pool = platform.call_pool(&request.pool)?.clone();
        let parameters = request.parameters.unwrap_or_else(empty_object);
        parameters.check_size("parameters have", platform.config.values.bytes_max)?;
        let ExecuteRequest { framework, operation, .. } = request;
        let (entry, name) = if pool.catalog.is_known() {
            (Some(pool.catalog.check(&framework, &operation, &parameters)?), None)
        } else {
            (None, Some(OperationName { framework, operation }))
        };
        let parent = request.parent.as_deref();
        let (trace, parent_span) = trace_of(request.traceparent.as_deref(), parent)?;
        let own = request.timeout.deadline(platform.config.operations.timeout);
        let id = platform.services.next_call();
        let call = CallRequest {
            id,
            session: self.session.clone(),
            name,
            parameters,
            affinity: request.affinity.unwrap_or(self.session.affinity()),
            deadline: own.min(parent.map_or(Deadline::NEVER, |parent| parent.facts().deadline)),
            stream: request.stream,
            stream_window: request.stream_window.unwrap_or(platform.services.stream_window),
            depth: depth_of(parent, platform.services.nesting_depth_max)?,
            within: parent.and_then(|parent| parent.facts().within),
            trace,
            parent_span,
        };
        let place = platform.services.in_flight.enter()?;
        let (services, roster) = (platform.services.clone(), self.operations.clone());
        let operation = Call::operation(services, pool, call, entry, place, roster);
        self.admit_operation(id, &operation);
        Ok(operation)
    }

    /// From now on the operation ends with the session.
    pub(super) fn admit_operation(&self, id: CallId, operation: &Arc<Operation>) {
        self.operations.add(id, operation);
        if let Some(end) = self.session.ended() {
            // It ended since it was looked at, and its list of operations was emptied before.
            operation.stop(end.cancellation());
        }
    }
}

pub(super) fn empty_object() -> Value {
    Value::from_document(&serde_json::Value::Object(serde_json::Map::new()))
}

/// Executes inside tools inside executes.
pub(super) fn depth_of(parent: Option<&Invocation>, max: u32) -> Result<u32> {
    let depth = parent.map_or(0, |parent| parent.facts().depth + 1);
    if depth <= max {
        return Ok(depth);
    }
    let message =
        format!("operations are nested {depth} deep in each other's tools, the limit is {max}");
    Err(Error::new(Status::ResourceExhausted, message).retryable(false))
}

/// The operation's own span, and the span above it.
pub(super) fn trace_of(
    given: Option<&str>,
    parent: Option<&Invocation>,
) -> Result<(TraceContext, Option<SpanId>)> {
    let above = match (given, parent) {
        (Some(text), _) => Some(TraceContext::parse(text).ok_or_else(|| {
            let message = format!("traceparent {text:?} is not W3C trace context");
            Error::invalid(message).with("field", "traceparent")
        })?),
        (None, Some(parent)) => TraceContext::parse(&parent.facts().traceparent),
        (None, None) => None,
    };
    Ok(match above {
        Some(above) => (above.child(), Some(above.span_id())),
        None => (TraceContext::root(), None),
    })
}
