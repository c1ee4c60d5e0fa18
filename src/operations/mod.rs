//! One asynchronous thing's life: queued, running, ended exactly once, watched by its consumer.
//!
//! `machine` is the pure life, `operation` the shared object that hosts hold, `stream` its
//! back-pressure, `call` the commonest work (one framework call in a worker), `host_tool` a call of
//! one of the host's own tools, `job` the others.
//! `protection` keeps calls and workers from harming each other: `retry`, `breaker` and `barrier`.
//! Handles, C and sockets are unknown here.

pub mod barrier;
pub mod breaker;
pub mod cached_reads;
pub mod call;
mod call_held;
mod call_locks;
pub mod call_peer;
pub mod call_request;
pub mod call_retry;
pub mod call_state;
mod call_time;
pub mod call_tool;
pub mod call_watch;
pub mod host_tool;
pub mod job;
mod loss;
pub mod machine;
pub mod operation;
pub mod pool_error;
pub mod protection;
pub mod retry;
pub mod services;
pub mod stream;
pub mod timeout;

pub use barrier::BarrierSettings;
pub use breaker::BreakerSettings;
pub use cached_reads::CachedReads;
pub use call::Call;
pub use call_request::{CallPool, CallRequest, OperationName};
pub use host_tool::{HostToolCall, HostToolRequest};
pub use job::Job;
pub use operation::{
    ChunkOutcome, Operation, OperationSink, OperationState, Roster, TakeOutcome, Work,
};
pub use pool_error::pool_error;
pub use protection::{Protection, ProtectionReport, ProtectionSettings};
pub use retry::RetrySettings;
pub use services::{InFlight, Services};
pub use stream::{Chunk, ChunkCredit, ChunkMeter};
pub use timeout::Timeout;
