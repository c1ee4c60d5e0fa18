//! What small calls cost while something goes on beside them: somebody who listens to all that the
//! platform tells, and values of 64 MiB that go to the same workers and come back.
//!
//! Run it with `make bench`. One C host does all of it, in turn within each round, each beside the
//! same calls undisturbed.
#![expect(
    dead_code,
    reason = "what other benchmarks use of the shared modules is not all used here"
)]

#[path = "support/cores.rs"]
mod cores;
#[path = "support/figures.rs"]
mod figures;
#[path = "support/installed.rs"]
mod installed;
#[path = "support/ledger.rs"]
mod ledger;
#[path = "support/loads.rs"]
mod loads;
#[path = "support/program.rs"]
mod program;
#[path = "support/report.rs"]
mod report;

use ledger::Ledger;
use program::Program;
use report::{Goal, Row};

const ROUNDS: usize = 5;
const TELEMETRY_RATIO_MAX: f64 = 1.1;
const MIXED_RATIO_MAX: f64 = 3.0;

/// Echoes with a full window, in each of so many turns of a round: many times longer than records
/// wait for each other.
const WINDOW_CALLS: usize = 40_000;
const TURNS: usize = 2;
/// The row, and the least level that is listened to: spans are told at 10, logs from 20 on.
const HEARD: [(&str, u32); 2] = [("telemetry_on", 10), ("telemetry_without_spans", 20)];
/// The same where the kernel chooses the cores.
const FREE: &str = "_free";
/// At least so many small calls beside at least so many large values.
const SMALL_CALLS: usize = 1_000;
const LARGE_VALUES: usize = 2;

/// The row, the pool, and what flows; the pools' own rows without anything that flows.
const MIXED: [(&str, &str, &str); 3] = [
    ("mixed_p99", "default", "tensors"),
    ("mixed_p99_two_workers", "two", "tensors"),
    ("mixed_p99_documents", "default", "documents"),
];
const ALONE: [(&str, &str); 2] =
    [("mixed_baseline_p99", "default"), ("mixed_baseline_p99_two_workers", "two")];

fn main() {
    loads::run("disturbed", &[("default", 1), ("two", 2)], ROUNDS, round, rows);
}

fn round(host: &mut Program, _: usize, ledger: &mut Ledger) {
    for _ in 0..TURNS {
        cores::place(host, true);
        listen(host, ledger, "");
        cores::place(host, false);
        listen(host, ledger, FREE);
    }
    for (id, pool) in ALONE {
        let alone = host.ask(&format!("latency {pool} echo {SMALL_CALLS}"));
        ledger.take(id, &alone, "p99_us", 1.0);
    }
    for (id, pool, kind) in MIXED {
        let mixed = host.ask(&format!("mixed {pool} {kind} {SMALL_CALLS} {LARGE_VALUES}"));
        ledger.take(id, &mixed, "p99_us", 1.0);
        ledger.take(&counted(id, VALUES), &mixed, VALUES, 1.0);
    }
}

/// Windows of calls that nobody listens to, then the same with somebody.
fn listen(host: &mut Program, ledger: &mut Ledger, place: &str) {
    let echoes = format!("default echo_inline {} {WINDOW_CALLS}", loads::IN_FLIGHT);
    let unheard = host.ask(&format!("window {echoes}"));
    ledger.take(&format!("telemetry_off{place}"), &unheard, "us_per_call", 1.0);
    for (id, level) in HEARD {
        let id = format!("{id}{place}");
        let heard = host.ask(&format!("heard {echoes} {level}"));
        ledger.take(&id, &heard, "us_per_call", 1.0);
        for count in COUNTS {
            ledger.take(&counted(&id, count), &heard, count, 1.0);
        }
    }
}

fn rows(ledger: &Ledger) -> Vec<Row> {
    let goal = Some(Goal::AtMost(TELEMETRY_RATIO_MAX));
    let mut rows = telemetry_rows(ledger, "", goal, cores::APART);
    rows.extend(telemetry_rows(ledger, FREE, None, "on the cores that the kernel chose"));
    rows.extend(mixed_rows(ledger));
    rows
}

fn telemetry_rows(ledger: &Ledger, place: &str, goal: Option<Goal>, cores: &str) -> Vec<Row> {
    let echoes = format!("{WINDOW_CALLS} inline echoes of 100 B, 64 in flight, time per call");
    let off = format!("telemetry_off{place}");
    let unheard = ledger.row(&off, "µs", &format!("{echoes}; nobody listens; {cores}"));
    let heard = HEARD.into_iter().map(|(id, _)| {
        let id = format!("{id}{place}");
        let [records, dropped, scrapes] = COUNTS.map(|count| ledger.of(&counted(&id, count)));
        let note = format!(
            "{:.0} records and spans told, {:.0} dropped, metrics read {:.0} times; {cores}",
            records.median(),
            dropped.most(),
            scrapes.median(),
        );
        ledger.row_beside((&off, goal), &id, "µs", &note)
    });
    std::iter::once(unheard).chain(heard).collect()
}

fn mixed_rows(ledger: &Ledger) -> Vec<Row> {
    let echoes = "p99 of threaded echoes of 100 B, one at a time";
    let mut rows: Vec<Row> = ALONE.map(|(id, _)| ledger.row(id, "µs", echoes)).into();
    for (id, pool, kind) in MIXED {
        let alone = ALONE.iter().find(|(_, alone)| *alone == pool);
        let (peer, _) = alone.expect("each pool is measured alone");
        let rate = figures::rounded(ledger.of(&counted(id, VALUES)).median());
        let note = format!("{rate} {kind} of 64 MiB a second each way");
        let goal = Some(Goal::AtMost(MIXED_RATIO_MAX));
        rows.push(ledger.row_beside((peer, goal), id, "µs", &note));
    }
    rows
}

/// Where the ledger keeps what came besides a row's time.
fn counted(id: &str, what: &str) -> String {
    format!("{id}, {what}")
}

/// Of an answer to `heard`, and of one to `mixed`.
const COUNTS: [&str; 3] = ["records", "dropped", "scrapes"];
const VALUES: &str = "values_per_s";
