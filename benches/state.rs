//! What a small variable costs a C host on each store: reading and writing through the C ABI, one
//! call after the other and with 64 threads, beside what Redis itself costs over the same kind of
//! socket in the same run.
//!
//! Run it with `make bench`.
#![expect(dead_code, reason = "what other tests use of the shared modules is not all used here")]
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a bench may stop at what it did not expect"
)]

#[path = "../tests/abi/built.rs"]
mod built;
#[path = "support/figures.rs"]
mod figures;
#[path = "support/ledger.rs"]
mod ledger;
#[path = "../tests/abi/program.rs"]
mod program;
#[path = "../tests/support/redis.rs"]
mod redis_server;
#[path = "support/report.rs"]
mod report;

use std::time::Instant;

use ledger::Ledger;
use program::Program;
use redis_server::RedisServer;
use report::{Goal, Row};
use serde_json::{Value as Json, json};

const ROUNDS: usize = 5;
const RAW_CALLS: u32 = 5_000;
const AT_ONCE: usize = 64;
const MEMORY_US_MAX: f64 = 0.5;

fn main() {
    let program = Program::build("state_figures");
    // Neither of the two in this comparison waits for a disk.
    let server = RedisServer::start_with(&["--appendonly", "no"]);
    let durable = RedisServer::start();
    let folder = tempfile::tempdir().expect("a folder");
    let mut ledger = Ledger::default();
    for round in 0..ROUNDS {
        let memory = json!({"store": "memory"});
        let file = |name: &str| folder.path().join(format!("{name}{round}.db"));
        let sqlite = |name: &str| json!({"store": "sqlite", "path": file(name)});
        let redis = |server: &RedisServer| json!({"store": "redis", "url": server.url()});
        add_one(&mut ledger, "", &figures(&program, &memory, 1, 200_000));
        add_one(&mut ledger, "_sqlite", &figures(&program, &sqlite("one"), 1, 500));
        add_many(&mut ledger, "_sqlite", &figures(&program, &sqlite("many"), AT_ONCE, 100));
        add_one(&mut ledger, "_redis", &figures(&program, &redis(&server), 1, 1_500));
        add_many(&mut ledger, "_redis", &figures(&program, &redis(&server), AT_ONCE, 100));
        add_one(&mut ledger, "_redis_disk", &figures(&program, &redis(&durable), 1, 300));
        ledger.add("redis_get", raw(&server, "GET"));
        ledger.add("redis_set", raw(&server, "SET"));
    }
    let rows = rows(&ledger);
    report::print(&rows);
    report::write("state", &rows);
}

fn rows(ledger: &Ledger) -> Vec<Row> {
    let mut rows = Vec::new();
    let most = Goal::AtMost(MEMORY_US_MAX);
    for verb in ["get", "set"] {
        let id = format!("var_{verb}");
        rows.push(ledger.row_for(most, &id, "µs", "a small integer, memory store, one thread"));
    }
    for verb in ["get", "set"] {
        let raw = format!("redis_{verb}");
        rows.push(ledger.row(&raw, "µs", "Redis itself by the client that the store uses"));
        let id = |store: &str| format!("var_{verb}_{store}");
        let note = "the same socket, without a disk";
        rows.push(ledger.row_beside((&raw, None), &id("redis"), "µs", note));
        rows.push(ledger.row(&id("redis_disk"), "µs", "each write on disk"));
        rows.push(ledger.row(&id("sqlite"), "µs", "each write on disk"));
        let many = format!("{AT_ONCE} threads");
        rows.push(ledger.row(&id("redis_64"), "calls/s", &many));
        rows.push(ledger.row(&id("sqlite_64"), "calls/s", &many));
    }
    rows
}

/// Nanoseconds of one call, and calls per second of all threads: of get, then of set.
fn figures(program: &Program, state: &Json, threads: usize, calls: usize) -> [[f64; 2]; 2] {
    let config =
        json!({"pools": {}, "guard_path": env!("CARGO_BIN_EXE_snakepit-guard"), "state": state});
    let arguments = [config.to_string(), threads.to_string(), calls.to_string()];
    let printed = program.printed(&arguments.each_ref().map(String::as_str));
    let rows: Vec<[f64; 2]> = printed.lines().map(row).collect();
    [rows[0], rows[1]]
}

fn row(line: &str) -> [f64; 2] {
    let words: Vec<&str> = line.split(' ').collect();
    [words[1], words[2]].map(|word| word.parse().expect("a number"))
}

/// Microseconds of one call of the client that the store uses, too.
fn raw(server: &RedisServer, verb: &str) -> f64 {
    let client = redis::Client::open(server.url()).expect("a client");
    let mut connection = client.get_connection().expect("a connection");
    let mut command = redis::cmd(verb);
    command.arg("raw");
    if verb == "SET" {
        command.arg("7");
    }
    let start = Instant::now();
    for _ in 0..RAW_CALLS {
        command.query::<redis::Value>(&mut connection).expect("an answer");
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(RAW_CALLS)
}

/// Microseconds that reading and writing cost one thread.
fn add_one(ledger: &mut Ledger, store: &str, [get, set]: &[[f64; 2]; 2]) {
    ledger.add(&format!("var_get{store}"), get[0] / 1e3);
    ledger.add(&format!("var_set{store}"), set[0] / 1e3);
}

/// What all threads did in a second.
fn add_many(ledger: &mut Ledger, store: &str, [get, set]: &[[f64; 2]; 2]) {
    ledger.add(&format!("var_get{store}_64"), get[1]);
    ledger.add(&format!("var_set{store}_64"), set[1]);
}
