//! F52: every worker is replaced under load, again and again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use snakepit_bridge::api::Platform;
use snakepit_bridge::core::Status;

use crate::figure::Figure;
use crate::python::{Traffic, config, pool_of, stats, worker_pids};
use crate::scenario::{Scale, Scenario};
use crate::support::{close, open, request, session};

pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "F52",
    promise: "every worker is replaced under load, after so many calls: no call fails",
    short: false,
    patience: Duration::from_secs(180),
    run: rolling,
}];

fn rolling(scale: Scale) -> Figure {
    let mut config = config(3, 4);
    pool_of(&mut config)["recycle"] = json!({"calls_max": 100});
    let platform = open(&config);
    let session = session(&platform);
    let first = serving(&platform);
    let (least, most) = scale.pick((Duration::from_secs(2), 60), (Duration::from_secs(20), 120));
    let mut traffic = Traffic::new();
    let mut failed = 0;
    let mut seen = first.clone();
    let began = Instant::now();
    // Until none of the first workers is left.
    while began.elapsed() < least || !serving(&platform).is_disjoint(&first) {
        assert!(began.elapsed() < Duration::from_secs(most), "{}", stats(&platform));
        while traffic.in_flight() < 12 {
            traffic.start(&session, request("work", &json!({"seconds": 0.005})));
        }
        let ended = traffic.next(Duration::from_secs(10)).expect("no call ends");
        failed += u64::from(ended.status != Status::Ok);
        if ended.number.is_multiple_of(50) {
            seen.extend(serving(&platform));
        }
    }
    failed += traffic.rest().iter().filter(|ended| ended.status != Status::Ok).count() as u64;
    close(&platform);
    assert!(seen.len() >= 2 * first.len(), "{} workers served", seen.len());
    Figure::count(traffic.ended, failed, 0, "calls failed")
}

/// The processes of the workers that there are.
fn serving(platform: &Arc<Platform>) -> BTreeSet<i32> {
    worker_pids(platform).iter().map(|pid| pid.as_raw_pid()).collect()
}
