//! The messages and the service of `ml_bridge.proto`, as tonic generates them.
//!
//! Only `src/transport` and the worker's extension module may name this crate: everybody else
//! speaks in the platform's own types.
#![allow(missing_docs, clippy::all, clippy::pedantic)]

tonic::include_proto!("snakepit_bridge.ml");

/// The version that this build speaks in `Hello` and `Welcome`.
pub const PROTOCOL_VERSION: u32 = 1;
