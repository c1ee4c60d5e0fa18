//! Hosts as programs of their own, to be killed by scenarios. Each prints `up` when it is as far as
//! its name says, and then waits for its end.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::fake::{Stage, soon};

/// The host of a role.
pub fn run(role: &str) {
    let mark = std::env::var("SNAKEPIT_MARK").unwrap();
    match role {
        "families" => families(mark),
        _ => panic!("unknown role {role:?}"),
    }
}

/// Sixteen idle workers, each with three stubborn descendants.
fn families(mark: String) {
    let script = |_| ["daemon", "deaf", "daemon"].map(str::to_owned).to_vec();
    let stage = Stage::marked(mark, script, |config| {
        config.workers = 16;
        config.concurrent_starts = 16;
    });
    stage.runtime.block_on(async {
        stage.pool.wait_ready(16, Some(soon())).await.unwrap();
        println!("up");
        std::future::pending::<()>().await;
    });
}

/// Starts this program as the host `role` and waits until it is up. Its processes carry `mark`.
pub fn start(role: &str, mark: &str) -> Child {
    let mut host = Command::new(std::env::current_exe().unwrap())
        .env("SNAKEPIT_ROLE", role)
        .env("SNAKEPIT_MARK", mark)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(host.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "up", "the host {role} did not come up");
    host
}
