//! What a call costs each host: the round trip of an echo and of a host tool, and echoes with 64 in
//! flight, beside the same by plain C in the same run.
//!
//! Run it with `make bench`, or some hosts beside C with `cargo bench --bench hosts -- go`. All
//! programs stay alive and take turns, so that what else the machine does concerns all alike. It
//! prints a table and writes its rows into `target/bench/report.json`; the ratios are what counts.
//! Latencies are compared with host and worker on different cores; rows named `free` leave that to
//! the kernel.

#[path = "hosts/built.rs"]
mod built;
#[path = "support/cores.rs"]
mod cores;
#[path = "support/figures.rs"]
mod figures;
#[path = "support/installed.rs"]
mod installed;
#[path = "support/program.rs"]
mod program;
#[path = "support/report.rs"]
#[expect(dead_code, reason = "goals of other kinds are other benchmarks'")]
mod report;

use std::collections::BTreeMap;
use std::path::Path;

use built::Workshop;
use figures::Figures;
use program::Program;
use report::{Beside, Goal, Row};
use serde_json::json;

const ROUNDS: usize = 9;

/// What a host is asked in each round, and the row that it becomes.
struct Measure {
    row: &'static str,
    command: &'static str,
    /// Of the answer.
    key: &'static str,
    unit: &'static str,
    calls: u32,
    /// Host and worker are kept on different cores.
    is_apart: bool,
    has_goal: bool,
}

const fn latency(row: &'static str, command: &'static str, has_goal: bool) -> Measure {
    let (key, unit) = ("p50_us", "µs");
    Measure { row, command, key, unit, calls: 1_000, is_apart: true, has_goal }
}

/// Wherever the kernel puts them.
const fn free(row: &'static str, command: &'static str) -> Measure {
    Measure { is_apart: false, ..latency(row, command, false) }
}

const COMMON: [Measure; 5] = [
    latency("echo_p50", "echo_latency", true),
    latency("tool_p50", "tool_latency", true),
    free("echo_free_p50", "echo_latency"),
    free("tool_free_p50", "tool_latency"),
    Measure {
        row: "echo_64",
        command: "echo_throughput",
        key: "calls_per_s",
        unit: "calls/s",
        calls: 10_000,
        is_apart: false,
        has_goal: false,
    },
];

/// A host, its other ways to do the same, and how many times C's latency it may take.
struct Host {
    name: &'static str,
    others: &'static [Measure],
    ratio_max: f64,
}

/// C first: the others are compared with it.
const HOSTS: [Host; 4] = [
    Host {
        name: "c",
        others: &[
            latency("echo_wait_p50", "echo_wait", false),
            latency("echo_callback_p50", "echo_callback", false),
            latency("tool_callback_p50", "tool_callback", false),
        ],
        ratio_max: 1.0,
    },
    Host {
        name: "cpp",
        others: &[latency("echo_future_p50", "echo_future", false)],
        ratio_max: 1.3,
    },
    Host {
        name: "go",
        others: &[latency("echo_json_p50", "echo_latency_json", false)],
        ratio_max: 1.3,
    },
    Host { name: "elixir", others: &[], ratio_max: 2.0 },
];

/// What came of one measure in all rounds.
#[derive(Default)]
struct Outcome {
    figures: Figures,
    p99: Figures,
}

fn main() {
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_asked = |host: &&Host| {
        asked.is_empty() || host.name == "c" || asked.iter().any(|name| name == host.name)
    };
    let hosts: Vec<&Host> = HOSTS.iter().filter(is_asked).collect();
    let workshop = Workshop::open(report::folder().join("hosts"));
    let config = config(&workshop.guard());
    let start = |host: &&Host| Program::start(host.name, workshop.build(host.name).arg(&config));
    let mut programs: Vec<Program> = hosts.iter().map(start).collect();
    let mut outcomes = BTreeMap::new();
    // The first round finds caches and schedulers cold, and does not count.
    round(&hosts, &mut programs, 0, &mut BTreeMap::new());
    for number in 0..ROUNDS {
        round(&hosts, &mut programs, number, &mut outcomes);
    }
    drop(programs);
    let rows = rows(&hosts, &outcomes);
    report::print(&rows);
    report::write("hosts", &rows);
}

/// One pool of one worker, with as many calls at once as are ever in flight.
fn config(guard: &Path) -> String {
    let config = json!({
        "guard_path": guard,
        "pools": {"default": {
            "workers": 1,
            "calls_per_worker": 64,
            "python": installed::python(),
            "python_path": [installed::root().join("benches/hosts")],
            "frameworks": {"python": {"modules": ["spb_benchmod"]}},
        }},
    });
    config.to_string()
}

/// Every host in turn, measure by measure; another one begins each round.
fn round(
    hosts: &[&Host],
    programs: &mut [Program],
    number: usize,
    outcomes: &mut BTreeMap<String, Outcome>,
) {
    let measures_max = hosts.iter().map(|host| COMMON.len() + host.others.len()).max();
    for measure in 0..measures_max.unwrap_or_default() {
        for turn in 0..hosts.len() {
            let index = (turn + number) % hosts.len();
            let Some(measure) = measures(hosts[index]).nth(measure) else { continue };
            cores::place(&programs[index], measure.is_apart);
            let answer = programs[index].ask(&format!("{} {}", measure.command, measure.calls));
            let outcome = outcomes.entry(id(hosts[index], measure)).or_default();
            outcome.figures.add(answer[measure.key].as_f64().expect("a figure"));
            if let Some(p99) = answer["p99_us"].as_f64() {
                outcome.p99.add(p99);
            }
        }
    }
}

fn measures(host: &Host) -> impl Iterator<Item = &'static Measure> {
    COMMON.iter().chain(host.others)
}

fn id(host: &Host, measure: &Measure) -> String {
    format!("host_{}_{}", host.name, measure.row)
}

fn rows(hosts: &[&Host], outcomes: &BTreeMap<String, Outcome>) -> Vec<Row> {
    let common = COMMON.iter().flat_map(|measure| hosts.iter().map(move |host| (*host, measure)));
    let others = hosts.iter().flat_map(|host| host.others.iter().map(move |each| (*host, each)));
    common.chain(others).map(|(host, measure)| row(host, measure, outcomes)).collect()
}

fn row(host: &Host, measure: &Measure, outcomes: &BTreeMap<String, Outcome>) -> Row {
    let id = id(host, measure);
    let Outcome { figures, p99 } = &outcomes[&id];
    let mut note = figures.spread();
    if !p99.0.is_empty() {
        note = format!("p99 {:.1}; {note}", p99.median());
    }
    if measure.is_apart {
        note = format!("{note}; {}", cores::APART);
    }
    Row {
        value: figures.median(),
        unit: measure.unit,
        goal: None,
        beside: beside(host, measure, figures, outcomes).into_iter().collect(),
        note,
        id,
    }
}

/// C's way that is alike: its own other ways beside its first one.
fn beside(
    host: &Host,
    measure: &Measure,
    figures: &Figures,
    outcomes: &BTreeMap<String, Outcome>,
) -> Option<Beside> {
    let kind = measure.row.split('_').next().unwrap_or_default();
    let alike = COMMON.iter().find(|each| each.row == measure.row);
    let alike = alike.or_else(|| COMMON.iter().find(|each| each.row.starts_with(kind)))?;
    let peer = id(&HOSTS[0], alike);
    let is_itself = host.name == HOSTS[0].name && measure.row == alike.row;
    let goal = measure.has_goal.then_some(Goal::AtMost(host.ratio_max));
    (!is_itself).then(|| Beside::of(figures, &peer, &outcomes[&peer].figures, goal))
}
