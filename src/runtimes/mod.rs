//! "A Python worker" as a process description: how it starts, how it is told who it is, when it is
//! ready.
//!
//! The glue between the pool, which knows processes only, and the transport, which knows sockets
//! only. Nothing here runs calls.

pub mod environment;
pub mod handoff;
pub mod interpreter;
pub mod printed;
pub mod python;
pub mod template;

pub use printed::ProcessLog;
pub use python::{PythonRuntime, RuntimeSettings, core_id};

/// A pool of Python workers.
pub type WorkerPool = crate::snakepit::Pool<PythonRuntime>;
/// The right to run one call in one worker.
pub type WorkerLease = crate::snakepit::Lease<PythonRuntime>;
