//! F01 to F05: the host is killed, and nothing of it stays, whatever its workers are doing.

use std::io::BufRead;
use std::path::Path;
use std::time::Duration;

use crate::figure::Figure;
use crate::hosts::{self, TRACE, WORKERS};
use crate::platforms;
use crate::scenario::{Scale, Scenario};
use crate::world::{fresh_mark, marked, wait_clean};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "F01",
        promise: "host killed, 16 idle workers with 3 stubborn descendants each: all gone",
        short: true,
        patience: Duration::from_secs(120),
        run: killed_host,
    },
    Scenario {
        id: "F02",
        promise: "host killed while Python workers hold the GIL in C: all gone",
        short: true,
        patience: Duration::from_secs(180),
        run: killed_under_held_locks,
    },
    Scenario {
        id: "F03",
        promise: "host killed while 16 workers are still starting: all gone",
        short: true,
        patience: Duration::from_secs(120),
        run: killed_while_starting,
    },
    Scenario {
        id: "F04",
        promise: "host killed at random points of start, resize, drain, stop: all gone, next start \
                  works",
        short: true,
        patience: Duration::from_secs(240),
        run: killed_at_any_point,
    },
    Scenario {
        id: "F05",
        promise: "host killed over 8 programs that fork without end: all gone",
        short: true,
        patience: Duration::from_secs(120),
        run: killed_over_rabbits,
    },
];

fn killed_host(scale: Scale) -> Figure {
    let times = (0..scale.pick(1, 10)).map(|_| {
        let mark = fresh_mark();
        let mut host = hosts::start("families", &mark);
        assert!(marked(&mark).len() > 16 * 5, "{:?}", marked(&mark));
        host.kill().unwrap();
        let took = wait_clean(&mark, PATIENCE);
        host.wait().unwrap();
        took
    });
    worst(times, ONE_SECOND)
}

fn killed_under_held_locks(scale: Scale) -> Figure {
    let workers = scale.pick(3, 16);
    let times = (0..scale.pick(1, 2)).map(|_| {
        let mark = platforms::fresh_mark();
        let ledger = tempfile::NamedTempFile::new().unwrap();
        let environment =
            [(TRACE, ledger.path().to_str().unwrap()), (WORKERS, &workers.to_string())];
        let (mut host, _) = hosts::start_with("holding", &mark, &environment);
        // The host, and per worker a guard, the worker, and a grandchild.
        assert!(marked(&mark).len() > workers * 3, "{:?}", marked(&mark));
        host.kill().unwrap();
        let took = wait_clean(&mark, PATIENCE);
        host.wait().unwrap();
        platforms::next_start();
        took
    });
    worst(times, ONE_SECOND)
}

fn killed_while_starting(scale: Scale) -> Figure {
    let times = (0..scale.pick(2, 10)).map(|trial| {
        let mark = fresh_mark();
        let mut host = hosts::start("importing", &mark);
        // From the very first processes up to whole families.
        let enough = [1, 20, 50, 80][trial % 4];
        while marked(&mark).len() <= enough {
            std::thread::yield_now();
        }
        host.kill().unwrap();
        let took = wait_clean(&mark, PATIENCE);
        host.wait().unwrap();
        took
    });
    worst(times, ONE_SECOND)
}

fn killed_at_any_point(scale: Scale) -> Figure {
    let base = std::env::temp_dir();
    let environment = [("SNAKEPIT_BASE", base.to_str().unwrap())];
    let times = (0..scale.pick(8, 40)).map(|trial| {
        let mark = fresh_mark();
        let (mut host, lines) = hosts::start_with("churning", &mark, &environment);
        let point = ["start", "resize", "drain", "stop"][trial % 4];
        let mut lines = lines.lines().map(Result::unwrap).filter(|line| line == point);
        // Not always in its first life.
        lines.nth(trial % 3).unwrap();
        let moment = u64::from(getrandom::u32().unwrap() % 15_000);
        std::thread::sleep(Duration::from_micros(moment));
        host.kill().unwrap();
        let took = wait_clean(&mark, PATIENCE);
        host.wait().unwrap();
        println!("{point} + {moment} us: clean after {took:?}");
        platforms::next_start();
        took
    });
    worst(times, ONE_SECOND)
}

fn killed_over_rabbits(scale: Scale) -> Figure {
    let times = (0..scale.pick(1, 5)).map(|_| {
        let mark = fresh_mark();
        let trace = tempfile::NamedTempFile::new().unwrap();
        let environment = [(TRACE, trace.path().to_str().unwrap())];
        let (mut host, _) = hosts::start_with("breeding", &mark, &environment);
        while born(trace.path()) < 80 {
            std::thread::yield_now();
        }
        host.kill().unwrap();
        let took = wait_barren(&mark, trace.path());
        host.wait().unwrap();
        took
    });
    worst(times, Duration::from_secs(2))
}

/// One look can miss a program that forks between two entries of the list: only a clean look with
/// no birth before the next clean look counts.
fn wait_barren(mark: &str, trace: &Path) -> Duration {
    let began = std::time::Instant::now();
    loop {
        wait_clean(mark, PATIENCE);
        let (took, last) = (began.elapsed(), born(trace));
        if (0..10).all(|_| marked(mark).is_empty()) && born(trace) == last {
            return took;
        }
    }
}

fn born(trace: &Path) -> u64 {
    std::fs::metadata(trace).unwrap().len()
}

fn worst(times: impl Iterator<Item = Duration>, limit: Duration) -> Figure {
    let times: Vec<Duration> = times.collect();
    Figure::time(times.len(), times.into_iter().max().unwrap(), limit)
}

const ONE_SECOND: Duration = Duration::from_secs(1);
/// Ends a trial that never becomes clean; the limit of the promise is shorter.
const PATIENCE: Duration = Duration::from_secs(20);
