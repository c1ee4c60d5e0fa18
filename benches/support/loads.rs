//! Benchmarks whose rounds are done by the C host of `benches/loads`, which is alive for all of
//! them, with pools whose workers are ready.
//!
//! It must not know what its commands mean, nor what the rows are.

use serde_json::{Value as Json, json};

use super::installed::{Installed, python, root};
use super::ledger::Ledger;
use super::program::Program;
use super::report::{self, Row};

/// Has so many rounds done, with a pool for each of these names and numbers of workers, and tells
/// the rows. A round before them finds caches and schedulers cold, and does not count.
pub fn run(
    benchmark: &str,
    pools: &[(&str, u32)],
    rounds: usize,
    round: impl Fn(&mut Program, usize, &mut Ledger),
    rows: impl Fn(&Ledger) -> Vec<Row>,
) {
    let mut host = start(pools);
    round(&mut host, 0, &mut Ledger::default());
    let mut ledger = Ledger::default();
    (0..rounds).for_each(|number| round(&mut host, number, &mut ledger));
    drop(host);
    let rows = rows(&ledger);
    report::print(&rows);
    report::write(benchmark, &rows);
}

fn start(pools: &[(&str, u32)]) -> Program {
    let installed = Installed::lay_out(report::folder().join("loads"));
    let source = root().join("benches/loads/loads.c");
    let mut command = installed.build_c(&source, &report::folder().join("loads/host"));
    let pool = |workers: u32| {
        json!({
            "workers": workers,
            "calls_per_worker": IN_FLIGHT,
            "python": python(),
            "python_path": [root().join("benches/loads")],
            "frameworks": {"python": {"modules": ["spb_loadmod"]}},
        })
    };
    let pools_by_name: serde_json::Map<String, Json> =
        pools.iter().map(|(name, workers)| ((*name).to_owned(), pool(*workers))).collect();
    let config = json!({
        "guard_path": installed.guard(),
        "pools": pools_by_name,
        // So that who listens is told everything: nothing is dropped between two looks.
        "logs": {"queue_max": RECORDS_MAX},
    });
    command.arg(config.to_string()).args(pools.iter().map(|(name, _)| name));
    Program::start("the host of the loads", &mut command)
}

/// The most calls that are ever under way.
pub const IN_FLIGHT: usize = 64;
const RECORDS_MAX: usize = 200_000;
