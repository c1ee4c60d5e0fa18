//! What more workers bring and what more sessions cost: a computing Python handler on two workers
//! beside one, and small calls spread over a thousand sessions beside one session.
//!
//! Run it with `make bench`. One C host with one pool for each number of workers does all of it, in
//! turn within each round.
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

const ROUNDS: usize = 7;
const WORKERS_RATIO_MIN: f64 = 1.8;
const SESSIONS_RATIO_MAX: f64 = 1.15;

/// Calls that compute, and how many of them are under way.
const COMPUTING: usize = 200;
const COMPUTING_IN_FLIGHT: usize = 4;

const SESSIONS: [usize; 4] = [1, 10, 100, 1_000];
const CALLS_IN_TURN: usize = 500;
const CALLS_AT_ONCE: usize = 5_000;

fn main() {
    loads::run("scaling", &[("default", 1), ("two", 2)], ROUNDS, round, rows);
}

/// Another number of sessions begins each round.
fn round(host: &mut Program, number: usize, ledger: &mut Ledger) {
    for (id, pool) in [("one_worker", "default"), ("two_workers", "two")] {
        let command = format!("window {pool} compute {COMPUTING_IN_FLIGHT} {COMPUTING}");
        ledger.take(id, &host.ask(&command), "calls_per_s", 1.0);
    }
    for (id, threads) in [("one_thread", 1), ("two_threads", 2)] {
        ledger.take(id, &host.ask(&format!("cores {threads}")), "rounds_per_s", 1.0);
    }
    cores::place(host, true);
    for turn in 0..SESSIONS.len() {
        let count = SESSIONS[(turn + number) % SESSIONS.len()];
        let answer = host.ask(&format!("sessions {count} {CALLS_IN_TURN} {CALLS_AT_ONCE}"));
        ledger.take(&format!("sessions_{count}"), &answer, "p50_us", 1.0);
        ledger.take(&format!("sessions_{count}_64"), &answer, "us_per_call", 1.0);
    }
    cores::place(host, false);
}

fn rows(ledger: &Ledger) -> Vec<Row> {
    let workers = Goal::AtLeast(WORKERS_RATIO_MIN);
    let computing = "4 in flight, each some milliseconds of Python on a thread";
    let mut rows = vec![
        ledger.row("one_worker", "calls/s", computing),
        ledger.row_beside(("one_worker", Some(workers)), "two_workers", "calls/s", computing),
        ledger.row("one_thread", "rounds/s", "a bare C thread that computes"),
        ledger.row_beside(("one_thread", None), "two_threads", "rounds/s", "the cores' own limit"),
    ];
    let goal = Some(Goal::AtMost(SESSIONS_RATIO_MAX));
    for (ending, note) in [("", "one call at a time"), ("_64", "64 in flight, time per call")] {
        let note = &format!("{note}; {}", cores::APART);
        let id = |count: usize| format!("sessions_{count}{ending}");
        rows.push(ledger.row(&id(1), "µs", note));
        let more = SESSIONS.iter().filter(|count| **count > 1);
        rows.extend(more.map(|count| ledger.row_beside((&id(1), goal), &id(*count), "µs", note)));
    }
    rows
}
