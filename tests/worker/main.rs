//! Everything that is tested with real Python workers, in one program: calls, streams, DSPy, what
//! the platform says of itself, and what happens when workers or the host die.
//!
//! One test per promise; each opens its own platform. `make setup` prepares the interpreter.

mod support;

mod affinity;
mod calls;
mod dspy;
mod fairness;
mod faults;
mod forked;
mod health;
mod hung;
mod retry;
mod sessions;
mod state;
mod streams;
mod telemetry;
mod variables;
