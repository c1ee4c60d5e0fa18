//! How long it takes until workers with DSPy are ready, forked from a template and executed anew;
//! what memory each has for itself; what the library adds to a host; and what starting one process
//! costs in a small and in a large host.
//!
//! Run it with `make bench`, or a part of it with `cargo bench --bench start -- forkserver`.
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
#[path = "start/memory.rs"]
mod memory;
#[path = "support/platform.rs"]
mod platform;
#[path = "support/report.rs"]
mod report;

use std::sync::Arc;
use std::time::Instant;

use figures::Figures;
use ledger::Ledger;
use report::{Goal, Row};
use serde_json::json;
use snakepit_bridge::api::{Platform, Timeout};
use snakepit_bridge::snakepit::os::spawn_guard;

/// One after the other, so that those before are there and idle.
const STARTS: [u32; 3] = [1, 10, 50];
const START_50_S_MAX: f64 = 0.5;
const PRIVATE_MB_MAX: f64 = 6.0;
const HOST_MB_MAX: f64 = 20.0;

/// Executing and importing anew takes half a minute, and does not vary much.
const ROUNDS: [(&str, usize); 2] = [("forkserver", 3), ("setsid", 1)];
const HOST_ROUNDS: usize = 3;
const SPAWN_ROUNDS: usize = 5;
const SPAWNS: usize = 40;
const RESIDENT_BYTES: usize = 2 << 30;
const PAGE_BYTES: usize = 4096;

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wants = |part: &str| wanted.as_deref().is_none_or(|wanted| part.contains(wanted));
    let (mut ledger, mut rows) = (Ledger::default(), Vec::new());
    for (backend, rounds) in ROUNDS.into_iter().filter(|(backend, _)| wants(backend)) {
        (0..rounds).for_each(|_| start(backend, &mut ledger));
        rows.extend(start_rows(backend, &ledger));
    }
    if wants("host_rss") {
        (0..HOST_ROUNDS).for_each(|_| ledger.add("host_rss_mb", memory::added_to_a_host_mb()));
        let note = "4 idle workers; a C program that loads the library by dlopen, before and after";
        rows.push(ledger.row_for(Goal::AtMost(HOST_MB_MAX), "host_rss_mb", "MB", note));
    }
    if wants("spawn_cost") {
        (0..SPAWN_ROUNDS).for_each(|_| ledger.add("spawn_cost", spawn_cost()));
        let resident = touched();
        (0..SPAWN_ROUNDS).for_each(|_| ledger.add("spawn_cost_2_gib", spawn_cost()));
        drop(std::hint::black_box(resident));
        rows.push(ledger.row("spawn_cost", "µs", "one guard, small host"));
        let peer = ("spawn_cost", None);
        let note = "one guard, host with 2 GiB resident";
        rows.push(ledger.row_beside(peer, "spawn_cost_2_gib", "µs", note));
    }
    report::print(&rows);
    report::write("start", &rows);
}

/// From one ready worker to one, ten and fifty more; then what each has of its own.
fn start(backend: &str, ledger: &mut Ledger) {
    let platform = platform::open(json!({
        "workers": 1,
        "backend": {"kind": backend},
        "frameworks": {"dspy": {}},
    }));
    let mut workers = 1;
    for count in STARTS {
        workers += count;
        ledger.add(&format!("start_{count}_{backend}"), until_ready(&platform, workers));
    }
    let stats = platform.pool("").expect("the pool").stats();
    let ready = stats["workers"].as_array().expect("rows");
    assert_eq!(ready.len(), workers as usize, "{stats}");
    memory::of_workers(ready, backend, ledger);
    platform::close(&platform);
}

/// Seconds.
fn until_ready(platform: &Arc<Platform>, workers: u32) -> f64 {
    let pool = platform.pool("").expect("the pool");
    let began = Instant::now();
    pool.resize(workers, 0).expect("more workers");
    let ready = pool.await_ready(workers, Timeout::Default).expect("open");
    ready.start(None);
    ready.wait(None);
    began.elapsed().as_secs_f64()
}

fn start_rows(backend: &str, ledger: &Ledger) -> Vec<Row> {
    let is_forked = backend == "forkserver";
    let how = if is_forked { "the template is up" } else { "executed and imported anew" };
    let note = format!("with DSPy, {how}");
    let row = |id: String, unit, most: f64, note: &str| match is_forked {
        true => ledger.row_for(Goal::AtMost(most), &id, unit, note),
        false => ledger.row(&id, unit, note),
    };
    let mut rows: Vec<Row> = STARTS
        .iter()
        .map(|count| format!("start_{count}_{backend}"))
        .map(|id| match id.contains("_50_") {
            true => row(id, "s", START_50_S_MAX, &note),
            false => ledger.row(&id, "s", &note),
        })
        .collect();
    let ids = memory::ids(backend);
    let idle = "with DSPy, idle; median of the workers";
    rows.push(row(ids.private.clone(), "MB", PRIVATE_MB_MAX, idle));
    rows.push(ledger.row(&ids.proportional, "MB", "what is shared counts in shares"));
    rows.push(ledger.row(&ids.guard, "MB", "the guard of a worker, for itself"));
    rows
}

/// Microseconds for one of many guards.
fn spawn_cost() -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let guard = std::path::Path::new(env!("CARGO_BIN_EXE_snakepit-guard"));
    let mut spawned = Figures::default();
    for _ in 0..SPAWNS {
        let began = Instant::now();
        let process = spawn_guard(guard, &[]).expect("a guard");
        spawned.add(began.elapsed().as_secs_f64() * 1e6);
        // Without its socket it leaves.
        drop(process.control);
        runtime.block_on(process.reaper.ended()).expect("its end");
    }
    spawned.median()
}

fn touched() -> Vec<u8> {
    let mut memory = vec![0_u8; RESIDENT_BYTES];
    memory.iter_mut().step_by(PAGE_BYTES).for_each(|byte| *byte = 1);
    memory
}
