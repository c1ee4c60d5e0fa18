//! Every store against the same proof: the promises of `conformance`, random steps beside the
//! reference model, restarts, and two hosts as two processes on one Redis.
//!
//! `make test` runs it short; `make test-state` sets `SPB_STATE_FULL`: 32 writers with 1,000
//! increments each, a million steps in memory and ten thousand on SQLite and Redis.
//! `SPB_STATE_STEPS` says another number of steps.
#![expect(dead_code, reason = "what other tests use of the shared modules is not all used here")]
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the whole program is a test"
)]

#[path = "../support/redis.rs"]
mod redis_server;
#[path = "../support/stores.rs"]
mod stores;

mod hosts;
mod partner;
mod promises;
mod steps;

use libtest_mimic::{Arguments, Trial};
use stores::Kind;

fn main() {
    if std::env::var_os(partner::URL).is_some() {
        partner::run();
        return;
    }
    let mut trials = Vec::new();
    for kind in Kind::ALL {
        let name = kind.name();
        trials.push(trial(format!("{name} keeps every promise"), move || promises::every(kind)));
        trials.push(trial(format!("{name} does as the model says"), move || steps::random(kind)));
        if kind != Kind::Memory {
            trials.push(trial(format!("{name} keeps what it acknowledged"), move || {
                promises::kept_over_a_restart(kind);
            }));
        }
    }
    trials.push(trial("two stores of one redis see each other".to_owned(), promises::shared));
    trials.push(trial("two hosts see each other".to_owned(), hosts::see_each_other));
    // One at a time: each has as much as it can do with its own writers.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(name: String, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        run();
        Ok(())
    })
}

/// Whether all of it is to be run.
fn is_full() -> bool {
    std::env::var_os("SPB_STATE_FULL").is_some()
}
