//! How long it takes until fifty workers with DSPy are ready, forked from a template and executed
//! anew; what memory each has for itself; and what starting one process costs in a small and in a
//! large host.
//!
//! Run it with `make bench`. It prints a table; the figures hold for the machine and the build of
//! the worker's native half that it ran with.

#[path = "support/platform.rs"]
mod platform;

use std::time::Instant;

use serde_json::{Value as Json, json};
use snakepit_bridge::api::Timeout;
use snakepit_bridge::snakepit::os::spawn_guard;

const WORKERS: u32 = 50;
const ROUNDS: usize = 3;
const SPAWNS: usize = 200;
const RESIDENT_BYTES: usize = 2 << 30;
const PAGE_BYTES: usize = 4096;

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wants = |row: &str| wanted.as_deref().is_none_or(|wanted| row.contains(wanted));
    println!("{:<46}{:>12}{:>12}{:>12}", "", "median", "least", "most");
    if wants("forkserver") {
        let mut private = Vec::new();
        let rounds = (0..ROUNDS).map(|_| start("forkserver", &mut private)).collect();
        print("start_50_forkserver, template up, s", rounds);
        print("worker_private_mb, forkserver, idle, DSPy", private);
    }
    if wants("setsid") {
        let mut private = Vec::new();
        print("start_50_setsid, s", vec![start("setsid", &mut private)]);
        print("worker_private_mb, setsid, idle, DSPy", private);
    }
    if wants("spawn_cost") {
        print("spawn_cost, host 0 GiB resident, µs", spawn_cost());
        let memory = touched();
        print("spawn_cost, host 2 GiB resident, µs", spawn_cost());
        drop(std::hint::black_box(memory));
    }
}

/// Seconds from one ready worker to fifty more; adds what each has of its own in megabytes.
fn start(backend: &str, private: &mut Vec<f64>) -> f64 {
    let platform = platform::open(json!({
        "workers": 1,
        "backend": {"kind": backend},
        "frameworks": {"dspy": {}},
    }));
    let pool = platform.pool("").expect("the pool");
    let began = Instant::now();
    pool.resize(WORKERS + 1, 0).expect("more workers");
    let ready = pool.await_ready(WORKERS + 1, Timeout::Default).expect("open");
    ready.start(None);
    ready.wait(None);
    let took = began.elapsed().as_secs_f64();
    let stats = pool.stats();
    let workers = stats["workers"].as_array().expect("rows");
    assert_eq!(workers.len(), WORKERS as usize + 1, "{stats}");
    private.extend(workers.iter().map(private_mb));
    platform::close(&platform);
    took
}

/// What goes away with this process alone.
fn private_mb(worker: &Json) -> f64 {
    let path = format!("/proc/{}/smaps_rollup", worker["pid"]);
    let text = std::fs::read_to_string(path).expect("a worker's memory");
    let kb = |line: &str| line.split_ascii_whitespace().nth(1)?.parse::<f64>().ok();
    let private = text.lines().filter(|line| line.starts_with("Private_"));
    private.filter_map(kb).sum::<f64>() / 1024.0
}

/// Microseconds for each of many guards.
fn spawn_cost() -> Vec<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let guard = std::path::Path::new(env!("CARGO_BIN_EXE_snakepit-guard"));
    let spawned = (0..SPAWNS).map(|_| {
        let began = Instant::now();
        let process = spawn_guard(guard, &[]).expect("a guard");
        let took = began.elapsed().as_secs_f64() * 1e6;
        // Without its socket it leaves.
        drop(process.control);
        runtime.block_on(process.reaper.ended()).expect("its end");
        took
    });
    spawned.collect()
}

fn touched() -> Vec<u8> {
    let mut memory = vec![0_u8; RESIDENT_BYTES];
    memory.iter_mut().step_by(PAGE_BYTES).for_each(|byte| *byte = 1);
    memory
}

fn print(row: &str, mut figures: Vec<f64>) {
    figures.sort_by(f64::total_cmp);
    let (least, most) = (figures[0], figures[figures.len() - 1]);
    println!("{row:<46}{:>12.2}{least:>12.2}{most:>12.2}", figures[figures.len() / 2]);
}
