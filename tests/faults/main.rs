//! The fault scenarios F01 to F55 as promises: each is run, measured and held against its limit,
//! and the last thing printed is the table of all of them.
//!
//! One program in many roles, told apart by its environment: the runner, one scenario (a process of
//! its own, so that what one leaves behind cannot be hidden by the next), fake workers and hosts
//! that are to be killed. `make test` runs the short ones; `make test-faults` runs all.
#![expect(dead_code, reason = "what other tests use of the shared modules is not all used here")]
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the whole program is a test"
)]

#[path = "../abi/built.rs"]
mod built;
#[path = "../snakepit_pool/fake.rs"]
mod fake;
#[path = "../frameworks/model.rs"]
mod model;
#[path = "../abi/program.rs"]
mod program;
#[path = "../support/redis.rs"]
mod redis_server;
#[path = "../support/stores.rs"]
mod stores;
#[path = "../worker/support.rs"]
mod support;
#[path = "../snakepit_pool/worker.rs"]
mod worker;
#[path = "../snakepit_pool/world.rs"]
mod world;

mod catalog;
mod control_group;
mod counted;
mod figure;
mod flaky;
mod runner;
mod scenario;
mod wire;

mod descriptors;
mod ending;
mod guard_dies;
mod hang;
mod hellos;
mod host_dies;
mod host_leaves;
mod hosts;
mod limits;
mod optimizer_killed;
mod overload;
mod platforms;
mod points;
mod python;
mod rolling;
mod starts_fail;
mod state_clock;
mod state_counts;
mod state_killed;
mod state_lease;
mod state_nth;
mod state_redis;
mod stopped;
mod streams;
mod tools;
mod worker_dies;

pub use figure::Figure;
pub use scenario::{Scale, Scenario};

fn main() {
    match std::env::var("SNAKEPIT_ROLE").as_deref() {
        Ok("worker") => worker::run(),
        Ok("scenario") => scenario::run(),
        Ok("wire") => wire::run(),
        Ok(host) => hosts::run(host),
        Err(_) => runner::run(),
    }
}
