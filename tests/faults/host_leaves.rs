//! F08 and F09: C hosts that leave without a word, unload the library, or fork.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::built::library;
use crate::figure::Figure;
use crate::program::Program;
use crate::scenario::{Scale, Scenario};
use crate::world::{fresh_mark, wait_clean};
use crate::{hosts, platforms};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "F08",
        promise: "host exits without shutdown, in a callback, or unloads the library: no crash, \
                  all gone",
        short: true,
        patience: Duration::from_secs(120),
        run: leaving_host,
    },
    Scenario {
        id: "F09",
        promise: "host forks without exec: the child is told FORKED, the parent's calls go on",
        short: true,
        patience: Duration::from_secs(120),
        run: forking_host,
    },
];

fn leaving_host(scale: Scale) -> Figure {
    let (leave, unload) = (Program::build("faults_leave"), Program::build("faults_unload"));
    let mut times = vec![exiting_host()];
    for _ in 0..scale.pick(1, 5) {
        for how in ["return", "callback", "thread"] {
            times.push(clean_after(|config| leave.run(&[how, config])));
        }
        let library = library();
        let library = library.to_str().unwrap();
        times.push(clean_after(|config| unload.run(&[library, config])));
    }
    Figure::time(times.len(), times.into_iter().max().unwrap(), Duration::from_secs(1))
}

/// In Rust, with families.
fn exiting_host() -> Duration {
    let mark = fresh_mark();
    let mut host = hosts::start("leaving", &mark);
    assert!(host.wait().unwrap().success());
    wait_clean(&mark, PATIENCE)
}

/// Runs a host, which has to end well, and measures how long what it leaves stays.
fn clean_after(host: impl FnOnce(&str)) -> Duration {
    let mark = platforms::fresh_mark();
    host(&platforms::python(&mark, 1, 4).to_string());
    let left = Instant::now();
    wait_clean(&mark, PATIENCE);
    let took = left.elapsed();
    platforms::next_start();
    took
}

fn forking_host(scale: Scale) -> Figure {
    let forks = scale.pick(20, 500);
    let mark = platforms::fresh_mark();
    let mut config = platforms::python(&mark, 1, 4);
    config["close_grace_ms"] = json!(1);
    let config = config.to_string();
    // The program ends with a message and an error at the first thing that is not as promised.
    Program::build("faults_fork").run(&[&config, &forks.to_string()]);
    wait_clean(&mark, PATIENCE);
    Figure::count(forks, 0, 0, "wrong answers")
}

const PATIENCE: Duration = Duration::from_secs(20);
