//! Hosts as programs of their own, to be killed by scenarios. Each prints `up` when it is as far as
//! its name says, and then waits for its end.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use snakepit_bridge::api::Timeout;
use snakepit_bridge::snakepit::{Pool, WorkerId};

use crate::fake::{Fake, Stage, lease, soon};
use crate::platforms;
use crate::support::{LONG, begin, eventually, finish, open, session};
use crate::{state_clock, state_counts, state_killed, state_lease};

/// The host of a role.
pub fn run(role: &str) {
    let mark = std::env::var("SNAKEPIT_MARK").unwrap();
    match role {
        "families" => serve(mark, 16, |_| family()),
        "hiding" => serve(mark, 4, |_| ["daemon", "deaf", "bare"].map(str::to_owned).to_vec()),
        "importing" => importing(mark),
        "churning" => churning(&mark),
        "breeding" => {
            let order = format!("rabbits {}", std::env::var(TRACE).unwrap());
            serve(mark, 1, move |_| vec![order.clone(), order.clone()]);
        }
        "leaving" => leaving(mark),
        "holding" => holding(&mark),
        "counting" => state_counts::run_host(),
        "acknowledging" => state_killed::run_host(),
        "leasing" => state_lease::run_host(),
        "clocks" => state_clock::run_host(),
        _ => panic!("unknown role {role:?}"),
    }
}

/// Starts this program as the host `role` and waits until it is up. Its processes carry `mark`.
pub fn start(role: &str, mark: &str) -> Child {
    start_with(role, mark, &[]).0
}

/// As `start`, with an environment; what it prints later can be read.
pub fn start_with(
    role: &str,
    mark: &str,
    environment: &[(&str, &str)],
) -> (Child, BufReader<ChildStdout>) {
    let mut host = Command::new(std::env::current_exe().unwrap())
        .env("SNAKEPIT_ROLE", role)
        .env("SNAKEPIT_MARK", mark)
        .envs(environment.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "up", "the host {role} did not come up");
    (host, lines)
}

/// So many idle workers, for ever.
fn serve(
    mark: String,
    workers: usize,
    script: impl Fn(WorkerId) -> Vec<String> + Send + Sync + 'static,
) {
    let stage = Stage::marked(mark, script, |config| {
        config.workers = workers;
        config.concurrent_starts = workers;
    });
    stage.runtime.block_on(async {
        stage.pool.wait_ready(workers, Some(soon())).await.unwrap();
        println!("up");
        std::future::pending::<()>().await;
    });
}

/// Workers with families that do not get as far as dialling home.
fn importing(mark: String) {
    let script = |_| [family(), vec!["hang".to_owned()]].concat();
    let stage = Stage::marked(mark, script, |config| {
        config.workers = 16;
        config.concurrent_starts = 16;
    });
    println!("up");
    stage.runtime.block_on(std::future::pending::<()>());
}

/// Whole lives of pools, one after the other; it says what it is about to do.
fn churning(mark: &str) {
    println!("up");
    for round in 0_usize.. {
        println!("start");
        let script = |_| vec!["daemon".to_owned()];
        let stage = Stage::marked(mark.to_owned(), script, |config| config.workers = 2);
        stage.runtime.block_on(churn(&stage.pool, round));
    }
}

async fn churn(pool: &Pool<Fake>, round: usize) {
    let held = lease(pool).await;
    println!("resize");
    pool.resize(2, 3 + round % 3);
    pool.recycle(held.worker(), "it is its turn");
    drop(held);
    drop(lease(pool).await);
    println!("drain");
    pool.drain(Duration::from_millis(200)).await.unwrap();
    pool.resize(1, 1);
    drop(lease(pool).await);
    println!("stop");
    pool.stop(Duration::from_millis(200)).await;
}

/// Exits as if it knew nothing of its workers.
fn leaving(mark: String) {
    let stage = Stage::marked(mark, |_| family(), |config| config.workers = 2);
    stage.runtime.block_on(stage.pool.wait_ready(2, Some(soon()))).unwrap();
    println!("up");
    std::process::exit(0);
}

/// Python workers with a stubborn grandchild each, and each within C, with the interpreter's lock.
fn holding(mark: &str) {
    let workers: usize = std::env::var(WORKERS).unwrap().parse().unwrap();
    let ledger = std::env::var(TRACE).unwrap();
    let platform = open(&platforms::python(mark, workers, 1));
    let all = u32::try_from(workers).unwrap();
    finish(platform.pool("").unwrap().await_ready(all, Timeout::After(LONG)).unwrap()).unwrap();
    let session = session(&platform);
    let calls =
        (0..workers).map(|_| begin(&session, "daemonize_and_hold_gil", json!({"ledger": ledger})));
    let _calls: Vec<_> = calls.collect();
    eventually("all are within C", || {
        std::fs::read_to_string(&ledger).unwrap().lines().count() == workers
    });
    println!("up");
    std::thread::park();
}

fn family() -> Vec<String> {
    ["daemon", "deaf", "daemon"].map(str::to_owned).to_vec()
}

/// A file that the host, or what it starts, adds lines to.
pub const TRACE: &str = "SNAKEPIT_TRACE";
/// How many workers, where the role does not say.
pub const WORKERS: &str = "SNAKEPIT_WORKERS";
