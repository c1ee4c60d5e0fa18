//! The frameworks for real: DSPy, LangChain and plain Python in real workers, with this host as
//! their language model, their tools and their metrics.
//!
//! One file per room, one test per promise; each test opens its own platform.

#[path = "../abi/built.rs"]
mod built;
#[path = "../abi/program.rs"]
#[expect(dead_code, reason = "shared with other programs of tests")]
mod program;
mod support;

mod failures;
mod introspection;
mod langchain;
mod model;
mod operations;
mod optimizers;
mod programs;
mod python;
mod scenarios;
mod third_party;
mod tools;
