//! F14: a worker that says nothing, or something wrong, where it should say hello.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{Platform, Session, Timeout};

use crate::figure::Figure;
use crate::points::act;
use crate::scenario::{Scale, Scenario};
use crate::support::{self, LONG, eventually, finish};
use crate::{platforms, world};

pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "F14",
    promise: "hello never, twice, of a wrong version, with a wrong, used or another slot's token: \
              refused, killed, counted; other workers do not notice",
    short: true,
    patience: Duration::from_secs(120),
    run: wrong_hellos,
}];

fn wrong_hellos(scale: Scale) -> Figure {
    let rounds = scale.pick(1, 10);
    let effects = (0..rounds).map(|_| effects_of_liars()).sum();
    Figure::count(rounds * MANNERS.len(), effects, 0, "effects on others")
}

/// The first worker of each slot but the last has a manner of its own, while calls go to whoever is
/// ready. How many of them suffered on a worker that is honest.
fn effects_of_liars() -> u64 {
    let mark = platforms::fresh_mark();
    let liars = MANNERS.iter().enumerate();
    let manners = liars.map(|(slot, manner)| (format!("{slot}.1"), json!(manner))).collect();
    let mut config = platforms::wire(&mark, MANNERS.len() + 1, 4, &Json::Object(manners));
    config["pools"]["default"]["start_timeout_ms"] = json!(2_000);
    let platform = Platform::open(config.to_string().as_bytes()).unwrap();
    let pool = platform.pool("").unwrap();
    finish(pool.await_ready(1, Timeout::After(LONG)).unwrap()).unwrap();
    let effects = suffer(&platform, &support::session(&platform));
    let stats = pool.stats();
    // The second hello came from a worker that was ready.
    let counted = (&stats["start_failures"], &stats["losses"]);
    assert_eq!(counted, (&json!(MANNERS.len() - 1), &json!(1)), "{stats}");
    let honest = platforms::ready_worker(&platform, MANNERS.len() as u64).unwrap();
    assert_eq!(honest.0, 1, "the honest slot was touched");
    let all = MANNERS.len() + 1;
    eventually("a guard and a worker per slot", || world::marked(&mark).len() == 2 * all);
    support::close(&platform);
    assert_eq!(world::marked(&mark), []);
    effects
}

/// Calls until all liars have been replaced; those that failed on an honest worker.
fn suffer(platform: &Arc<Platform>, session: &Session) -> u64 {
    let ledger = tempfile::NamedTempFile::new().unwrap();
    let mut effects = 0;
    let replaced = |slot| platforms::ready_worker(platform, slot).is_some_and(|it| it.0 == 2);
    eventually("the liars are replaced", || {
        let operation = session.prepare(act(ledger.path(), 1, &["result"])).unwrap();
        if let Err(error) = finish(operation) {
            let worker = error.details()["worker"].as_str().unwrap_or_default();
            effects += u64::from(!worker.ends_with(".1") || worker == HONEST);
        }
        (0..MANNERS.len() as u64).all(replaced)
    });
    effects
}

/// In the order of their slots; `wire` knows what they mean.
const MANNERS: [&str; 8] =
    ["silent", "mute", "twice", "version", "invented", "short", "stolen", "pid"];
const HONEST: &str = "8.1";
