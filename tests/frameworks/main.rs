//! The frameworks for real: DSPy, LangChain and plain Python in real workers, with this host as
//! their language model, their tools and their metrics.
//!
//! One file per room, one test per promise; each test opens its own platform.

mod support;

mod failures;
mod model;
mod optimizers;
mod programs;
mod scenarios;
