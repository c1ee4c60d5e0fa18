//! The pool and its guard with real processes: a scripted fake worker, no Python.
//!
//! One program in three roles, told apart by its environment: the tests, the fake worker that they
//! start, and helper hosts that are killed or start with odd signals. So a clean clone needs
//! nothing but `cargo test`.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the whole program is a test"
)]

mod backends;
mod dying;
mod fake;
mod forkserver;
mod homes;
mod hosts;
mod registry;
mod serving;
mod starting;
mod systemd;
mod template;
mod worker;
mod world;

use libtest_mimic::{Arguments, Trial};

fn main() {
    match std::env::var("SNAKEPIT_ROLE").as_deref() {
        Ok("worker") => worker::run(),
        Ok("template") => template::run(),
        Ok(host) => hosts::run(host),
        Err(_) => {
            let mut groups = vec![
                backends::SETSID,
                backends::FORKSERVER,
                dying::TESTS,
                forkserver::TESTS,
                homes::TESTS,
                hosts::TESTS,
                registry::TESTS,
                serving::TESTS,
                starting::TESTS,
            ];
            if fake::with_systemd() {
                groups.extend([backends::SYSTEMD, systemd::TESTS]);
            }
            let trials = groups.concat().into_iter().map(|(name, test)| {
                Trial::test(name, move || {
                    test();
                    Ok(())
                })
            });
            libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
        }
    }
}

/// A test's name and body.
pub type Test = (&'static str, fn());
