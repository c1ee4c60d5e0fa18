//! What a tensor costs a C host on its way to numpy in a worker and back, beside a plain copy of as
//! many bytes into memory that is warm, by the same program in the same round.
//!
//! Run it with `make bench`. "Cached" is a value that lies in shared memory already, such as a
//! variable that many calls read.
#![expect(
    dead_code,
    reason = "what other benchmarks use of the shared modules is not all used here"
)]

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

const ROUNDS: usize = 9;
const COPY_RATIO_MAX: f64 = 1.3;
const CACHED_US_MAX: f64 = 200.0;

/// MiB, as it stands in the ids, and how often in a round.
const SIZES: [(u32, &str, u32); 2] = [(1, "1mib", 200), (64, "64mib", 12)];
const CACHED_CALLS: u32 = 300;

fn main() {
    loads::run("tensor", &[("default", 1)], ROUNDS, round, rows);
}

fn round(host: &mut Program, _: usize, ledger: &mut Ledger) {
    for (mib, size, count) in SIZES {
        let mut measure = |id: String, command: &str| {
            let answer = host.ask(&format!("{command} {mib} {count}"));
            ledger.take(&id, &answer, "p50_us", 1.0);
        };
        measure(format!("memcpy_{size}"), "memcpy");
        measure(format!("tensor_{size}_in"), "tensor_in");
        measure(format!("tensor_{size}_out"), "tensor_out");
    }
    let cached = host.ask(&format!("tensor_cached 64 {CACHED_CALLS}"));
    ledger.take("tensor_cached", &cached, "p50_us", 1.0);
    let nothing = host.ask(&format!("no_tensor 64 {CACHED_CALLS}"));
    ledger.take("tensor_none", &nothing, "p50_us", 1.0);
}

fn rows(ledger: &Ledger) -> Vec<Row> {
    let mut rows = Vec::new();
    for (mib, size, _) in SIZES {
        let memcpy = format!("memcpy_{size}");
        rows.push(ledger.row(&memcpy, "µs", "libc's, malloc's memory, warm"));
        let goal = (mib == 64).then_some(Goal::AtMost(COPY_RATIO_MAX));
        let whole = "the whole call: made, sent, looked at by an inline handler, freed";
        let notes = [("in", whole), ("out", "the whole call; the handler has the array already")];
        for (way, note) in notes {
            let id = format!("tensor_{size}_{way}");
            rows.push(ledger.row_beside((&memcpy, goal), &id, "µs", note));
        }
    }
    let cached = Goal::AtMost(CACHED_US_MAX);
    let note = "64 MiB that lie in shared memory, the whole call";
    rows.push(ledger.row_for(cached, "tensor_cached", "µs", note));
    rows.push(ledger.row("tensor_none", "µs", "the same call without a tensor"));
    rows
}
