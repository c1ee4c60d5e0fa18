//! F43: many writers add to one variable by compare and set, on each store and from two processes
//! on one Redis: the sum is exact.

use std::time::Duration;

use snakepit_bridge::core::Value;
use snakepit_bridge::state::RedisOptions;
use snakepit_bridge::state::conformance::Told;
use snakepit_bridge::state::conformance::{self, Probe, Subject};

use crate::figure::Figure;
use crate::hosts;
use crate::scenario::{Scale, Scenario};
use crate::stores::{self, AMPLE, Kind, Stage};

pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "F43",
    promise: "32 writers with 1,000 compare-and-set increments each on memory, SQLite and Redis, \
              and from two processes on one Redis: no increment is lost or made twice",
    short: true,
    patience: Duration::from_secs(1200),
    run: sums_are_exact,
}];

fn sums_are_exact(scale: Scale) -> Figure {
    let (writers, each) = scale.pick((8, 40), (32, 1000));
    let (mut trials, mut wrong) = (0, 0);
    for kind in Kind::ALL {
        let stage = Stage::new(kind);
        let probe = counter(&stage);
        stage.runtime.block_on(count(&probe, writers, each));
        wrong += distance(&stage, &probe, writers * each);
        trials += writers * each;
    }
    let stage = Stage::new(Kind::Redis);
    let probe = counter(&stage);
    let (url, id) = (stage.server().url(), probe.session.id.to_string());
    let work = format!("{} {each}", writers / 2);
    let environment = [(URL, url.as_str()), (SESSION, id.as_str()), (WORK, work.as_str())];
    let (mut other, _) = hosts::start_with("counting", &crate::world::fresh_mark(), &environment);
    stage.runtime.block_on(count(&probe, writers / 2, each));
    assert!(other.wait().unwrap().success());
    wrong += distance(&stage, &probe, writers * each);
    trials += writers * each;
    Figure::count(usize::try_from(trials).unwrap(), wrong, 0, "increments lost or doubled")
}

/// The role of the other process.
pub fn run_host() {
    let [url, id, work] = [URL, SESSION, WORK].map(|name| std::env::var(name).unwrap());
    let (writers, each) = work.split_once(' ').unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let told = std::sync::Arc::new(Told::default());
        let handle = runtime.handle().clone();
        let options = RedisOptions::new(url);
        let backend = stores::redis(options, AMPLE, told.clone(), &handle).await;
        let scale = conformance::Scale::SHORT;
        let subject = Subject { backend, told, runtime: handle, scale };
        let id = snakepit_bridge::core::SessionId::new(&id).unwrap();
        let probe = Probe::joined(&subject, &id).await.unwrap();
        println!("up");
        count(&probe, writers.parse().unwrap(), each.parse().unwrap()).await;
        subject.backend.close().await;
    });
}

fn counter(stage: &Stage) -> Probe {
    let subject = stage.subject(AMPLE, conformance::Scale::SHORT);
    stage.runtime.block_on(async {
        let probe = Probe::new(&subject).await.unwrap();
        let zero = Value::from_document(&0.into());
        probe.register("n", "integer", "{}", zero).await.unwrap();
        probe
    })
}

async fn count(probe: &Probe, writers: u64, each: u64) {
    let writers = (0..writers).map(|_| {
        let probe = probe.clone();
        probe.subject.runtime.clone().spawn(async move {
            for _ in 0..each {
                conformance::increment(&probe).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

/// How far value and version are from what they should be.
fn distance(stage: &Stage, probe: &Probe, expected: u64) -> u64 {
    let after = stage.runtime.block_on(probe.get("n")).unwrap();
    let sum = after.value.to_document().unwrap().as_u64().unwrap();
    sum.abs_diff(expected) + (after.version - 1).abs_diff(expected)
}

const URL: &str = "SNAKEPIT_URL";
const SESSION: &str = "SNAKEPIT_SESSION";
const WORK: &str = "SNAKEPIT_WORK";
