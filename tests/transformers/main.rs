//! The framework `transformers` with real workers that are forked from a template: generation,
//! labels, embeddings, fine-tuning, and what they share.
//!
//! `make test-transformers` makes the environment with torch and names it in
//! `SPB_TRANSFORMERS_PYTHON`; without it nothing is run. Starting torch takes seconds, so that all
//! tests use one platform.

#[path = "../frameworks/support.rs"]
#[expect(dead_code, reason = "shared with other programs of tests")]
mod support;

#[path = "../frameworks/model.rs"]
#[expect(dead_code, reason = "shared with other programs of tests")]
mod model;

mod programs;
mod serving;
mod sharing;
mod training;
mod world;

use libtest_mimic::{Arguments, Trial};

use world::World;

fn main() {
    let Some(python) = std::env::var_os("SPB_TRANSFORMERS_PYTHON") else {
        println!(
            "transformers: skipped: SPB_TRANSFORMERS_PYTHON is not set; make test-transformers"
        );
        return;
    };
    let arguments = Arguments::from_args();
    let world: &'static World = Box::leak(Box::new(World::open(python.into(), &arguments)));
    let tests = [programs::TESTS, serving::TESTS, sharing::TESTS, training::TESTS].concat();
    let trials = tests.into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            test(world);
            Ok(())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    world.close();
    conclusion.exit();
}

/// A test's name and body.
pub type Test = (&'static str, fn(&World));
