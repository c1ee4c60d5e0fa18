//! F13: workers that die at their import, one like the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use snakepit_bridge::api::{Platform, Session};
use snakepit_bridge::core::Status;

use crate::figure::Figure;
use crate::platforms;
use crate::points::act;
use crate::scenario::{Scale, Scenario};
use crate::support::{self, eventually, finish};

pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "F13",
    promise: "workers die at import: pool failed after 5 starts, then one start per back-off for \
              all of it; callers get journey and stderr at once",
    short: true,
    patience: Duration::from_secs(120),
    run: crash_loop,
}];

fn crash_loop(scale: Scale) -> Figure {
    // The default is the full one.
    let rest = Duration::from_secs_f64(scale.pick(0.5, 5.0));
    let mut config = platforms::wire(&platforms::fresh_mark(), 4, 4, &json!({"*": "crash"}));
    let millis = u64::try_from(rest.as_millis()).unwrap();
    config["pools"]["default"]["restart"] = json!({"backoff_max_ms": millis});
    let platform = Platform::open(config.to_string().as_bytes()).unwrap();
    let session = support::session(&platform);
    let stats = || platform.pool("").unwrap().stats();
    eventually("the pool fails", || stats()["state"] == "failed");
    let needed = stats()["start_failures"].as_u64().unwrap();
    // Others were under way.
    eventually("no start is under way", || stats()["starting"] == 0);
    let (before, began) = (stats()["start_failures"].as_u64().unwrap(), Instant::now());
    let (calls, slowest) = complain(&session, began + 4 * rest);
    let starts = stats()["start_failures"].as_u64().unwrap() - before;
    refuses_with_everything(&platform, &session);
    support::close(&platform);
    let periods = (began.elapsed().as_secs_f64() / rest.as_secs_f64()).ceil();
    let worst = format!(
        "failed after {needed} starts, then {starts} in {periods} back-offs; refused in {:.1} ms",
        slowest.as_secs_f64() * 1000.0
    );
    let limit = "5 to 8 starts (4 at once), 1 per back-off, 50.0 ms".to_owned();
    let held = (5..=8).contains(&needed)
        && starts as f64 <= periods
        && slowest < Duration::from_millis(50);
    Figure::other(calls, worst, limit, held)
}

/// Calls until then; how many, and how long the slowest refusal took.
fn complain(session: &Session, until: Instant) -> (usize, Duration) {
    let ledger = tempfile::NamedTempFile::new().unwrap();
    let mut times = Vec::new();
    while Instant::now() < until {
        let began = Instant::now();
        let request = act(ledger.path(), 1, &["result"]);
        let refused = session.prepare(request).and_then(finish).unwrap_err();
        times.push(began.elapsed());
        assert_eq!(refused.status(), Status::Unavailable, "{refused:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    (times.len(), times.into_iter().max().unwrap())
}

/// The error says how far the start came, and has the end of what the worker printed.
fn refuses_with_everything(platform: &Arc<Platform>, session: &Session) {
    let request = act(std::path::Path::new("/dev/null"), 1, &["result"]);
    let refused = session.prepare(request).and_then(finish).unwrap_err();
    assert!(refused.message().contains("exited with code 1"), "{refused}");
    let details = refused.details();
    assert!(details["journey_ms"]["process started"].is_u64(), "{details:?}");
    let tail = details["stderr_tail"].as_str().unwrap();
    assert_eq!(tail.len(), 64 * 1024);
    assert!(tail.ends_with("this is the end\n"), "{:?}", &tail[tail.len() - 100..]);
    let health = platform.health();
    assert_eq!(health["ready"], false);
    assert!(health["reasons"][0].as_str().unwrap().contains("exited with code 1"), "{health}");
}
