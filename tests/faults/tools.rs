//! F26 and F27: host tools that never return, and tools that call the platform again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use snakepit_bridge::api::{ExecuteRequest, Invocation, Platform, Session, Timeout};
use snakepit_bridge::core::{Error, Result, Status, Value};

use crate::figure::Figure;
use crate::program::Program;
use crate::python::{config, pool_of};
use crate::scenario::{Scale, Scenario};
use crate::support::{close, open, outcome, request, session, tool};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "F26",
        promise: "three host callbacks never return: other tools are served, and the close keeps \
                  to its limit and names them",
        short: true,
        patience: Duration::from_secs(120),
        run: stuck,
    },
    Scenario {
        id: "F27",
        promise: "tools that execute again, 8 deep on a pool of one: success, and a typed end \
                  where it cannot be",
        short: true,
        patience: Duration::from_secs(120),
        run: nested,
    },
];

/// F26.
fn stuck(scale: Scale) -> Figure {
    let program = Program::build("stuck");
    let trials = scale.pick(1, 3);
    let times = (0..trials).map(|_| {
        let printed = program.printed(&[&config(1, 8).to_string()]);
        Duration::from_millis(printed.trim().parse().unwrap())
    });
    // The program's grace, and two seconds.
    Figure::time(trials, times.max().unwrap(), Duration::from_millis(500 + 2000))
}

/// F27.
fn nested(scale: Scale) -> Figure {
    let platform = open(&config(1, 1));
    let session_of_all = session(&platform);
    deeper(&platform, &session_of_all);
    let trials = scale.pick(5, 100);
    let times = (0..trials).map(|_| {
        let began = Instant::now();
        let document = descend(&session_of_all, DEPTH, Timeout::After(LIMIT)).unwrap();
        assert_eq!(document.to_document().unwrap(), json!(DEPTH));
        began.elapsed()
    });
    let slowest = times.max().unwrap();
    let error = descend(&session_of_all, 100, Timeout::After(LIMIT)).unwrap_err();
    assert!(error.message().contains("nested"), "{error}");
    close(&platform);
    a_place_that_cannot_come_is_waited_for_until_the_deadline();
    Figure::time(trials, slowest, LIMIT)
}

/// The worker may hold three of the four calls that the third needs.
fn a_place_that_cannot_come_is_waited_for_until_the_deadline() {
    let mut config = config(1, 1);
    pool_of(&mut config)["calls_held_per_worker_max"] = json!(3);
    let platform = open(&config);
    let session = session(&platform);
    deeper(&platform, &session);
    let began = Instant::now();
    let limit = Duration::from_millis(500);
    let error = descend(&session, 4, Timeout::After(limit)).unwrap_err();
    assert_eq!(error.status(), Status::Deadline, "{error:?}");
    assert!(began.elapsed() < limit + Duration::from_secs(1), "{:?}", began.elapsed());
    close(&platform);
}

/// A tool that calls Python, which calls the tool, until there is nothing left to descend.
fn deeper(platform: &Arc<Platform>, session: &Session) {
    let session = session.clone();
    tool(platform, None, "deeper", move |invocation: &Arc<Invocation>| {
        let left = invocation.arguments().to_document().unwrap()["left"].as_u64().unwrap();
        Some(match left {
            0 => Ok(Value::from_document(&json!(0))),
            left => below(&session, left, invocation),
        })
    });
}

fn below(session: &Session, left: u64, parent: &Arc<Invocation>) -> Result<Value, Error> {
    let nested = ExecuteRequest { parent: Some(parent.clone()), ..step(left - 1) };
    let operation = session.prepare(nested)?;
    operation.start(None);
    let answer = outcome(&operation)?.to_document()?.as_u64().unwrap();
    Ok(Value::from_document(&json!(answer + 1)))
}

fn descend(session: &Session, depth: u64, timeout: Timeout) -> Result<Value> {
    let operation = session.prepare(ExecuteRequest { timeout, ..step(depth) })?;
    operation.start(None);
    outcome(&operation)
}

fn step(left: u64) -> ExecuteRequest {
    request("call_tool", &json!({"name": "deeper", "arguments": {"left": left}}))
}

const DEPTH: u64 = 8;
const LIMIT: Duration = Duration::from_secs(5);
