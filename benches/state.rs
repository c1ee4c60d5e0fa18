//! What a small variable costs a C host on each store: reading and writing through the C ABI, one
//! call after the other and with 64 threads, beside what Redis itself costs over the same kind of
//! socket in the same run.
//!
//! Run it with `make bench`. It prints a table; the ratios are what counts, the absolute figures
//! are the machine's.
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
#[path = "../tests/abi/program.rs"]
mod program;
#[path = "../tests/support/redis.rs"]
mod redis_server;
#[path = "support/table.rs"]
mod table;

use std::time::Instant;

use program::Program;
use redis_server::RedisServer;
use serde_json::{Value as Json, json};
use table::Table;

const ROUNDS: usize = 5;
const RAW_CALLS: u32 = 5_000;
const AT_ONCE: usize = 64;

fn main() {
    let program = Program::build("state_figures");
    // Neither of the two in this comparison waits for a disk.
    let server = RedisServer::start_with(&["--appendonly", "no"]);
    let durable = RedisServer::start();
    let folder = tempfile::tempdir().expect("a folder");
    let mut table = Table::default();
    for round in 0..ROUNDS {
        let memory = json!({"store": "memory"});
        let file = |name: &str| folder.path().join(format!("{name}{round}.db"));
        let sqlite = |name: &str| json!({"store": "sqlite", "path": file(name)});
        let redis = |server: &RedisServer| json!({"store": "redis", "url": server.url()});
        add_one(&mut table, "memory", &figures(&program, &memory, 1, 500_000));
        add_one(&mut table, "sqlite", &figures(&program, &sqlite("one"), 1, 2_000));
        add_many(&mut table, "sqlite", &figures(&program, &sqlite("many"), AT_ONCE, 200));
        add_one(&mut table, "redis", &figures(&program, &redis(&server), 1, 5_000));
        add_many(&mut table, "redis", &figures(&program, &redis(&server), AT_ONCE, 200));
        add_one(
            &mut table,
            "redis, each write on disk",
            &figures(&program, &redis(&durable), 1, 1_000),
        );
        table.add("raw redis, Unix socket, GET, ns", raw(&server, "GET"));
        table.add("raw redis, Unix socket, SET, ns", raw(&server, "SET"));
    }
    table.print();
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

/// Nanoseconds of one call of the client that the store uses, too.
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
    start.elapsed().as_nanos() as f64 / f64::from(RAW_CALLS)
}

/// What reading and writing cost one thread.
fn add_one(table: &mut Table, store: &str, [get, set]: &[[f64; 2]; 2]) {
    table.add(&format!("{store}, get, ns"), get[0]);
    table.add(&format!("{store}, set, ns"), set[0]);
}

/// What all threads did in a second.
fn add_many(table: &mut Table, store: &str, [get, set]: &[[f64; 2]; 2]) {
    table.add(&format!("{store}, {AT_ONCE} threads, get, calls/s"), get[1]);
    table.add(&format!("{store}, {AT_ONCE} threads, set, calls/s"), set[1]);
}
