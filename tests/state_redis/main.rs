//! The Redis store against real servers: the suite that all stores pass, and what happens when the
//! server dies, stands still, forgets its scripts, serves nobody or loses an answer.
//!
//! Each test has a server of its own. `scripts/setup.sh test` installs `redis-server`.
#![expect(clippy::disallowed_methods, reason = "servers are started by the tests")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the whole program is a test"
)]

#[path = "../support/redis.rs"]
mod server;

mod faults;
mod lossy;
mod promises;
mod shared;
mod support;
mod tls;
