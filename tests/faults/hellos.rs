//! F14: a worker that says nothing, or something wrong, where it should say hello.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};
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

/// The first worker of each slot has a manner of its own, the last two are honest, while calls go
/// to whoever is ready. How many of them suffered on a worker that is honest.
fn effects_of_liars() -> u64 {
    let mark = platforms::fresh_mark();
    let all = MANNERS.len() + 2;
    // What workers leave for each other is not to be found by those of the next round.
    let notes = tempfile::tempdir().unwrap();
    let liars = MANNERS.iter().enumerate();
    let mut manners: Map<_, _> =
        liars.map(|(slot, manner)| (format!("{slot}.1"), json!(manner))).collect();
    manners.insert(LENDER.to_owned(), json!("lender"));
    let mut config = platforms::wire(&mark, all, 4, &Json::Object(manners));
    config["pools"]["default"]["start_timeout_ms"] = json!(2_000);
    config["pools"]["default"]["env"]["TMPDIR"] = json!(notes.path());
    let platform = Platform::open(config.to_string().as_bytes()).unwrap();
    let pool = platform.pool("").unwrap();
    finish(pool.await_ready(1, Timeout::After(LONG)).unwrap()).unwrap();
    let effects = suffer(&platform, &support::session(&platform));
    let stats = pool.stats();
    // The second hello came from a worker that was ready.
    let counted = (&stats["start_failures"], &stats["losses"]);
    assert_eq!(counted, (&json!(MANNERS.len() - 1), &json!(1)), "{stats}");
    for slot in MANNERS.len()..all {
        let honest = platforms::ready_worker(&platform, slot as u64).map(|(number, _)| number);
        assert_eq!(honest, Some(1), "slot {slot} was touched: {stats}");
    }
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
            let is_honest = !worker.ends_with(".1") || [HONEST, LENDER].contains(&worker);
            effects += u64::from(is_honest);
        }
        (0..MANNERS.len() as u64).all(replaced)
    });
    effects
}

/// In the order of their slots; `wire` knows what they mean.
const MANNERS: [&str; 9] =
    ["silent", "mute", "twice", "version", "invented", "short", "stolen", "borrowed", "pid"];
const HONEST: &str = "9.1";
/// Does not use its token before a liar has tried to.
const LENDER: &str = "10.1";
