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
mod cgroups;
mod dying;
mod ending;
mod fake;
mod forkserver;
mod homes;
mod hosts;
mod memory;
mod registry;
mod scaling;
mod serving;
mod shortage;
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
                serving::TESTS,
                cgroups::TESTS,
                shortage::TESTS,
                homes::TESTS,
                scaling::TESTS,
                starting::TESTS,
                ending::TESTS,
                dying::TESTS,
                memory::TESTS,
                hosts::TESTS,
                registry::TESTS,
                backends::SETSID,
                backends::FORKSERVER,
                forkserver::TESTS,
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
