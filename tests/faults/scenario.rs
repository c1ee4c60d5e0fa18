//! One scenario: its entry in the catalog, and its run in a process of its own that compares the
//! world before and after.

use std::time::Duration;

use crate::catalog;
use crate::figure::Figure;
use crate::world::World;

/// One promise and how it is put to the test.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// As in the fault list: "F01".
    pub id: &'static str,
    /// The promise, as the table shows it.
    pub promise: &'static str,
    /// Whether `make test` runs it, at `Scale::Short`.
    pub short: bool,
    /// How long a run may take before it counts as hanging.
    pub patience: Duration,
    /// Measures; panics where something is wrong beyond the measure.
    pub run: fn(Scale) -> Figure,
}

/// How much is tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scale {
    /// Seconds, for `make test`.
    Short,
    /// What the promise says, for `make test-faults`.
    Full,
}

impl Scale {
    /// One of two numbers.
    pub fn pick<T>(self, short: T, full: T) -> T {
        match self {
            Scale::Short => short,
            Scale::Full => full,
        }
    }
}

/// The role of a scenario's process: runs the one that is named in the environment, and prints its
/// figure behind a mark of its own.
pub fn run() {
    let id = std::env::var(ID).unwrap();
    let scale = if std::env::var_os(SHORT).is_some() { Scale::Short } else { Scale::Full };
    let scenario = catalog::all().into_iter().find(|scenario| scenario.id == id).unwrap();
    // What a program keeps for good after its first platform (a page, a lock's queue) is no leak.
    warm_up();
    let before = World::now();
    let figure = (scenario.run)(scale);
    settle(&before);
    println!("{FIGURE}{}", serde_json::to_string(&figure).unwrap());
}

fn warm_up() {
    crate::fake::Stage::plain(|_| {}).run(|_, _| async {});
}

/// No descriptor, thread or child more than before; threads may take a moment to end.
fn settle(before: &World) {
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while World::now() != *before {
        let now = World::now();
        assert!(std::time::Instant::now() < deadline, "left: {before:?} became {now:?}");
        std::thread::yield_now();
    }
}

/// The environment of a scenario's process, and the mark before its figure.
pub const ID: &str = "SNAKEPIT_SCENARIO";
pub const SHORT: &str = "SNAKEPIT_SHORT";
pub const FIGURE: &str = "figure: ";
