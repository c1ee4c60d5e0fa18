//! One asynchronous thing's life: queued, running, ended exactly once, watched by its consumer.
//!
//! `machine` is the pure life, `operation` the shared object that hosts hold, `stream` its
//! back-pressure, `call` the commonest work (one framework call in a worker), `job` the others.
//! Handles, C and sockets are unknown here.

pub mod call;
pub mod call_peer;
pub mod job;
mod loss;
pub mod machine;
pub mod operation;
pub mod pool_error;
pub mod services;
pub mod stream;
pub mod timeout;

pub use call::{Call, CallPool, CallRequest};
pub use job::Job;
pub use operation::{ChunkOutcome, Operation, OperationSink, OperationState, TakeOutcome, Work};
pub use pool_error::pool_error;
pub use services::{InFlight, Services};
pub use stream::{Chunk, ChunkCredit, ChunkMeter};
pub use timeout::Timeout;
