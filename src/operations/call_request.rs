//! What a call is made of: the caller's wish, checked, and the pool that is to run it. Plain data.

use std::sync::Arc;
use std::time::Duration;

use crate::core::{Affinity, CallId, Deadline, Value};
use crate::runtimes::WorkerPool;
use crate::sessions::Session;
use crate::snakepit::{self, Group, Home};
use crate::telemetry::{PoolMetrics, SpanId, TraceContext};

use super::cached_reads::CachedReads;
use super::protection::Protection;

/// What is to be run, with everything checked that can be.
pub struct CallRequest {
    /// From `Services::next_call`.
    pub id: CallId,
    pub session: Arc<Session>,
    /// Which operation; none where its announcement says it, which it has been held against.
    pub name: Option<OperationName>,
    pub parameters: Value,
    pub affinity: Affinity,
    pub deadline: Deadline,
    pub stream: bool,
    pub stream_window: u32,
    pub depth: u32,
    /// The call in whose tool it is made.
    pub within: Option<CallId>,
    pub trace: TraceContext,
    pub parent_span: Option<SpanId>,
}

/// An operation of a pool that has not announced any yet.
pub struct OperationName {
    pub framework: String,
    pub operation: String,
}

impl CallRequest {
    /// Where the pool is to run it: a session has one home in each pool.
    pub(super) fn home(&self) -> Option<Home> {
        let affinity = match self.affinity {
            Affinity::None => return None,
            Affinity::Hint => snakepit::Affinity::Hint,
            Affinity::StrictQueue => snakepit::Affinity::StrictQueue,
            Affinity::StrictFailFast => snakepit::Affinity::StrictFailFast,
        };
        Some(Home { key: self.session.number(), affinity })
    }

    /// With whom it shares turns while calls wait: with its session's other calls, or if a call
    /// waits for it, with what the same one waits for. So what has begun does not stand behind all
    /// that its session has yet to begin.
    pub(super) fn group(&self) -> Group {
        // Calls are counted from 1.
        Group { owner: self.session.number(), part: self.within.map_or(0, |call| call.0) }
    }
}

/// The pool that runs it, and what belongs to that pool.
pub struct CallPool {
    pub name: Arc<str>,
    pub workers: Arc<WorkerPool>,
    pub metrics: Arc<PoolMetrics>,
    pub catalog: Arc<crate::frameworks::Catalog>,
    pub cancel_grace: Duration,
    pub protection: Arc<Protection>,
    pub reads: Arc<CachedReads>,
    /// Workers may keep the variables they have read.
    pub caches_variables: bool,
}
