//! What is known outside of this process about its workers, so that somebody can clean up when both
//! a guard and its host were killed: a private directory per instance, a record per guard, and a
//! marker that every process of a worker inherits.
//!
//! The next start sweeps what has no living owner, and nothing else. What it cannot find: a process
//! that left its sid and gave up its environment before its guard died. It knows nothing of
//! pools; it is told names and process ids.

mod instance;

mod directory;
mod family;
mod hunt;
mod mark;
mod notes;
mod processes;
mod sweep;

pub use instance::{Instance, Record};
