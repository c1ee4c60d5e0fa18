//! The examples of DSPex as scenarios: each is what a user does with the platform, with this host
//! as a language model whose answers depend on what it is asked.
//!
//! One platform serves all but the one with three pools; each test has its own session and its own
//! model.

mod corpus;
mod world;

mod answers;
mod calls;
mod composed;
mod entities;
mod gepa;
mod hops;
mod optimization;
mod rows;
