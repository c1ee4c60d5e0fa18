//! The guard: a tiny program that is the parent of one worker, ends the worker's whole tree when
//! the host is gone or says so, and reports how the worker ended.
//!
//! Synchronous, single-threaded, without a runtime, because it must work when everything else does
//! not. It knows its host by the socket on its standard input, and nothing of pools, calls or what
//! the worker is for.

mod adopt;
mod frames;
mod group;
mod host_link;
mod mode;
mod run;
mod tree;
mod wire;

pub use frames::{Frames, encode};
pub use run::run;
pub use wire::{Order, Outcome, Report};
