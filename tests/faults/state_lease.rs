//! F42: two hosts share a session on one Redis, and one is stopped for longer than its lease. What
//! it had not written by then it never writes; the other's writes stand.

use std::io::{BufRead, BufReader};
use std::process::ChildStdout;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use snakepit_bridge::api::{Platform, Session, WatchEnd, WatchEvent, WatchObserver, WatchOptions};
use snakepit_bridge::api::{WatchQueue, Watcher};
use snakepit_bridge::core::{Error, Value};
use snakepit_bridge::state::conformance::{self, Probe};

use crate::figure::Figure;
use crate::scenario::{Scale, Scenario};
use crate::stores::{AMPLE, Kind, LONG, Stage};
use crate::support::{self, eventually};
use crate::{hosts, world};

pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "F42",
    promise: "two hosts on one Redis, one stopped past its lease: its writes are refused as \
              LEASE_LOST, its watch ends so, the other's writes stand, and it may join again",
    short: true,
    patience: Duration::from_secs(120),
    run: stopped_past_its_lease,
}];

fn stopped_past_its_lease(scale: Scale) -> Figure {
    let rounds = scale.pick(1, 10);
    let stage = Stage::new(Kind::Redis);
    let subject = stage.subject(AMPLE, conformance::Scale::SHORT);
    for round in 0..rounds {
        let probe = stage.runtime.block_on(Probe::new(&subject)).unwrap();
        stage.runtime.block_on(probe.register("n", "integer", "{}", number(0))).unwrap();
        one_round(&stage, &probe, round);
        stage.runtime.block_on(probe.close()).unwrap();
    }
    Figure::count(rounds, 0, 0, "writes behind a lost lease")
}

fn one_round(stage: &Stage, probe: &Probe, round: usize) {
    let (url, id) = (stage.server().url(), probe.session.id.to_string());
    let environment = [(URL, url.as_str()), (SESSION, id.as_str())];
    let (mut host, said) = hosts::start_with("leasing", &world::fresh_mark(), &environment);
    let said = lines(said);
    let mut acknowledged = 0;
    while acknowledged < 20 {
        acknowledged = version_of(&said.recv_timeout(LONG).unwrap()).unwrap();
    }
    let pid = Pid::from_child(&host);
    kill_process(pid, Signal::STOP).unwrap();
    let own = format!("{{spb}}:host:{}", probe.session.lease);
    eventually("its lease is over", || stage.server().keys("{spb}:host:*") == [own.clone()]);

    let mine: Vec<u64> = (0..5)
        .map(|_| stage.runtime.block_on(probe.set("n", number(7))).unwrap().version)
        .collect();
    kill_process(pid, Signal::CONT).unwrap();
    let refused = loop {
        let line = said.recv_timeout(LONG).unwrap();
        match version_of(&line) {
            // An answer that was on its way when it was stopped.
            Some(version) => assert!(version < mine[0], "round {round}: {line} behind {mine:?}"),
            None => break line,
        }
    };
    assert_eq!(refused, "refused LEASE_LOST", "round {round}");
    let after = stage.runtime.block_on(probe.get("n")).unwrap();
    assert_eq!((after.version, &after.value), (mine[4], &number(7)), "round {round}");
    assert_eq!(said.recv_timeout(LONG).unwrap(), "told LEASE_LOST", "round {round}");
    assert_eq!(said.recv_timeout(LONG).unwrap(), "late CLOSED", "round {round}");
    let again = format!("again {}", mine[4] + 1);
    assert_eq!(said.recv_timeout(LONG).unwrap(), again, "round {round}");
    assert!(host.wait().unwrap().success());
}

/// The role of the host that is stopped: it writes until it is refused, and begins anew.
pub fn run_host() {
    let (url, id) = (std::env::var(URL).unwrap(), std::env::var(SESSION).unwrap());
    let state = json!({"store": "redis", "url": url, "lease_ms": LEASE_MS});
    let config = json!({"pools": {}, "guard_path": support::guard(), "state": state}).to_string();
    let platform = Platform::open(config.as_bytes()).unwrap();
    let session = platform.session(&id).unwrap();
    println!("up");
    let (ended, end) = sync_channel(1);
    let watch = session.watch([], WatchOptions::default(), std::sync::Arc::new(Ends(ended)));
    let _watch = watch.unwrap();
    println!("refused {}", write_until_refused(&session).status());
    println!("told {}", end.recv_timeout(LONG).unwrap().error().status());
    println!("late {}", session.get_variable("n").unwrap_err().status());
    let session = platform.session(&id).unwrap();
    println!("again {}", session.set_variable("n", number(8), None).unwrap());
    support::close(&platform);
}

fn write_until_refused(session: &Session) -> Error {
    loop {
        match session.set_variable("n", number(1), None) {
            Ok(version) => println!("wrote {version}"),
            Err(error) => return error,
        }
    }
}

/// Says how the watch ended.
struct Ends(std::sync::mpsc::SyncSender<WatchEnd>);

impl WatchObserver for Ends {
    fn ready(&self, _: &std::sync::Arc<Watcher>, events: &mut WatchQueue) {
        while let Some(event) = events.pop() {
            if let WatchEvent::End(end) = event {
                self.0.send(end).unwrap();
            }
        }
    }
}

fn version_of(line: &str) -> Option<u64> {
    line.strip_prefix("wrote ").map(|version| version.parse().unwrap())
}

/// What the other host prints, with a deadline for each line.
fn lines(said: BufReader<ChildStdout>) -> Receiver<String> {
    let (send, receive) = sync_channel(1024);
    std::thread::spawn(move || {
        said.lines().map_while(Result::ok).all(|line| send.send(line).is_ok())
    });
    receive
}

fn number(number: u64) -> Value {
    Value::from_document(&number.into())
}

const URL: &str = "SNAKEPIT_URL";
const SESSION: &str = "SNAKEPIT_SESSION";
const LEASE_MS: u64 = 600;
