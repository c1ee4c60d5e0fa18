//! F01 to F09: the host dies, and nothing of it stays.

use std::time::Duration;

use crate::figure::Figure;
use crate::hosts;
use crate::scenario::{Scale, Scenario};
use crate::world::{fresh_mark, marked, wait_clean};

pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "F01",
    promise: "host killed, 16 idle workers with 3 stubborn descendants each: all gone",
    short: true,
    patience: Duration::from_secs(120),
    run: killed_host,
}];

fn killed_host(scale: Scale) -> Figure {
    let trials = scale.pick(1, 5);
    let times = (0..trials).map(|_| {
        let mark = fresh_mark();
        let mut host = hosts::start("families", &mark);
        assert!(marked(&mark).len() > 16 * 5, "{:?}", marked(&mark));
        host.kill().unwrap();
        let took = wait_clean(&mark, Duration::from_secs(20));
        host.wait().unwrap();
        took
    });
    Figure::time(trials, times.max().unwrap(), Duration::from_secs(1))
}
