//! F53 to F55: the library's end, many beginnings and ends, and what it leaves of its process. The
//! hosts are the C programs of `tests/c`, because a promise to C hosts is only kept in one.

use std::time::Duration;

use serde_json::json;

use crate::figure::Figure;
use crate::program::Program;
use crate::python::{config, pool_of};
use crate::scenario::{Scale, Scenario};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "F53",
        promise: "stopped with 100 calls under way, from 8 threads and a callback at once: each \
                  call ends once, done or cancelled, within the grace and 2 s",
        short: true,
        patience: Duration::from_secs(120),
        run: stopped,
    },
    Scenario {
        id: "F54",
        promise: "500 starts and stops in one C process: no descriptor or thread more, and no \
                  memory per cycle",
        short: false,
        patience: Duration::from_secs(240),
        run: cycles,
    },
    Scenario {
        id: "F55",
        promise: "a C host with the default SIGPIPE survives killed workers, and its signals are \
                  byte for byte what they were before, during and after",
        short: true,
        patience: Duration::from_secs(240),
        run: signals,
    },
];

/// F53.
fn stopped(scale: Scale) -> Figure {
    let program = Program::build("stop");
    let trials = scale.pick(1, 3);
    let times = (0..trials).map(|_| {
        let numbers = program_numbers(&program, &[&config(4, 32).to_string()]);
        Duration::from_millis(numbers[0].unsigned_abs())
    });
    // The program's grace, and two seconds.
    Figure::time(trials, times.max().unwrap(), Duration::from_millis(1000 + 2000))
}

/// F54.
fn cycles(scale: Scale) -> Figure {
    let program = Program::build("cycles");
    let (cycles, worker_every) = scale.pick((100, 50), (500, 20));
    let mut config = config(1, 4);
    pool_of(&mut config)["concurrent_starts"] = json!(1);
    let arguments = [&config.to_string(), &cycles.to_string(), &worker_every.to_string()];
    let numbers = program_numbers(&program, &arguments.map(String::as_str));
    assert_eq!((numbers[1], numbers[2]), (0, 0), "descriptors and threads more");
    let each = numbers[0] as f64 / (f64::from(cycles) * 0.8);
    let text = format!("{each:.1} KiB per cycle");
    let limit = scale.pick(8.0, 1.0);
    Figure::other(cycles as usize, text, format!("{limit:.1} KiB per cycle"), each <= limit)
}

/// F55.
fn signals(scale: Scale) -> Figure {
    let program = Program::build("signals");
    let (calls, kill_every) = scale.pick((600, 200), (4_000, 100));
    let mut config = config(2, 8);
    pool_of(&mut config)["restart"] = json!({"backoff_max_ms": 200});
    let arguments = [&config.to_string(), &calls.to_string(), &kill_every.to_string()];
    let numbers = program_numbers(&program, &arguments.map(String::as_str));
    let kills = calls / kill_every;
    assert!(numbers[2] >= kills - 1 && numbers[0] >= kills, "{numbers:?}");
    let compared = usize::try_from(numbers[0]).unwrap();
    Figure::count(compared, 0, 0, "differences")
}

fn program_numbers(program: &Program, arguments: &[&str]) -> Vec<i64> {
    let printed = program.printed(arguments);
    printed.split_whitespace().map(|number| number.parse().unwrap()).collect()
}
