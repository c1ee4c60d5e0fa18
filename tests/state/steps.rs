//! Random steps beside the reference model, in sequences that shrink when they fail. The memory
//! store goes by a clock that the steps drive; the others go by real time, where locks stay.

use std::sync::Arc;

use proptest::prelude::any;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use snakepit_bridge::state::MemoryStore;
use snakepit_bridge::state::conformance::{Scale, Subject, Told};
use snakepit_bridge::state::model::{self, Clock};
use tokio::runtime::Builder;

use crate::is_full;
use crate::stores::{Kind, Stage};

pub fn random(kind: Kind) {
    let sequences = u32::try_from(steps(kind).div_ceil(IN_SEQUENCE)).unwrap();
    let config = Config {
        cases: sequences,
        failure_persistence: None,
        max_shrink_iters: SHRINKS_MAX,
        ..Config::default()
    };
    let numbers = proptest::collection::vec(any::<u64>(), 1..2 * IN_SEQUENCE);
    let stage = (kind != Kind::Memory).then(|| Stage::new(kind));
    let subject = stage.as_ref().map(|stage| stage.subject(model::LIMITS, Scale::SHORT));
    let outcome = TestRunner::new(config).run(&numbers, |numbers| {
        let outcome = match (&stage, &subject) {
            (Some(stage), Some(subject)) => {
                stage.runtime.block_on(model::check(subject, &numbers, Clock::Real))
            }
            _ => in_memory(&numbers),
        };
        outcome.map_err(TestCaseError::fail)
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn in_memory(numbers: &[u64]) -> Result<(), String> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let told = Arc::new(Told::default());
    let backend = Arc::new(MemoryStore::new(model::LIMITS, told.clone()));
    let subject = Subject { backend, told, runtime: runtime.handle().clone(), scale: Scale::SHORT };
    runtime.block_on(model::check(&subject, numbers, Clock::Driven))
}

fn steps(kind: Kind) -> usize {
    let given = std::env::var("SPB_STATE_STEPS").ok();
    given.map_or_else(|| default_steps(kind), |steps| steps.parse().unwrap())
}

fn default_steps(kind: Kind) -> usize {
    match (kind, is_full()) {
        (Kind::Memory, true) => 1_000_000,
        (Kind::Memory, false) => 20_000,
        (_, true) => 10_000,
        (_, false) => 1_000,
    }
}

/// On average.
const IN_SEQUENCE: usize = 200;
/// Each runs what is left of the sequence.
const SHRINKS_MAX: u32 = 1000;
