//! F50: ten times more is asked than the pool can do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use snakepit_bridge::api::{Platform, Session};
use snakepit_bridge::core::Status;

use crate::figure::Figure;
use crate::python::{Ended, Traffic, config, percentile, pool_of, read_ledger, stats};
use crate::scenario::{Scale, Scenario};
use crate::support::{close, open, request, session};

pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "F50",
    promise: "ten times the capacity for 20 s: 90% of the best goodput, during and after; the \
              queue keeps its limit, nothing runs twice, and what is refused is so at once",
    short: false,
    patience: Duration::from_secs(180),
    run: overload,
}];

fn overload(scale: Scale) -> Figure {
    let mut config = config(2, PLACES / 2);
    pool_of(&mut config)["queue_max"] = json!(QUEUE_MAX);
    let platform = open(&config);
    let session = session(&platform);
    let ledger = tempfile::NamedTempFile::new().unwrap();
    let load = Load { platform: &platform, session: &session, ledger: ledger.path() };
    let quiet = scale.pick(Duration::from_secs(2), Duration::from_secs(10));
    let storm = scale.pick(Duration::from_secs(3), Duration::from_secs(20));
    let mut traffic = Traffic::new();
    let peak = load.steady(&mut traffic, quiet);
    let (during, mut refused) = load.storm(&mut traffic, storm, peak * 10.0);
    let after = load.steady(&mut traffic, quiet);
    close(&platform);
    let runs: usize = read_ledger(ledger.path()).values().sum();
    assert_eq!(runs, traffic.started - refused.len(), "what was not refused ran once");
    let slow = percentile(&mut refused, 0.99);
    assert!(slow < Duration::from_millis(10), "refused after {slow:?}");
    let worst = during.min(after) / peak;
    eprintln!("{peak:.0}/s alone, {during:.0}/s during, {after:.0}/s after, {slow:?} to refuse");
    let text = format!("{:.0}% of the best", worst * 100.0);
    Figure::other(refused.len(), text, "90% of the best".to_owned(), worst >= 0.9)
}

struct Load<'a> {
    platform: &'a Arc<Platform>,
    session: &'a Session,
    ledger: &'a std::path::Path,
}

impl Load<'_> {
    /// As many calls as there are places, all the time. Ends per second.
    fn steady(&self, traffic: &mut Traffic, time: Duration) -> f64 {
        let began = Instant::now();
        let mut done = 0_u32;
        while began.elapsed() < time {
            while traffic.in_flight() < PLACES {
                self.start(traffic);
            }
            let ended = traffic.next(Duration::from_millis(100));
            done += u32::from(ended.is_some_and(|ended| ended.status == Status::Ok));
        }
        let rate = f64::from(done) / began.elapsed().as_secs_f64();
        assert!(traffic.rest().iter().all(|ended| ended.status == Status::Ok));
        rate
    }

    /// So many calls per second, whatever becomes of them. Ends per second, and how long each took
    /// that was refused.
    fn storm(&self, traffic: &mut Traffic, time: Duration, rate: f64) -> (f64, Vec<Duration>) {
        let (mut done, mut refused) = (0_u32, Vec::new());
        let mut note = |ended: Ended| match ended.status {
            Status::Ok => done += 1,
            Status::ResourceExhausted => refused.push(ended.took),
            other => panic!("a call ended with {other:?}"),
        };
        let (began, before) = (Instant::now(), traffic.started);
        while began.elapsed() < time {
            let due = (began.elapsed().as_secs_f64() * rate) as usize;
            while traffic.started - before < due {
                self.start(traffic);
            }
            let queued = stats(self.platform)["queued"].as_u64().unwrap();
            assert!(queued <= QUEUE_MAX, "{queued} calls wait");
            if let Some(ended) = traffic.next(Duration::from_millis(2)) {
                note(ended);
            }
            while let Some(ended) = traffic.next(Duration::ZERO) {
                note(ended);
            }
        }
        let over = began.elapsed().as_secs_f64();
        traffic.rest().into_iter().for_each(note);
        // What the queue still held was done after the time.
        let late = QUEUE_MAX as u32 + PLACES as u32;
        (f64::from(done.saturating_sub(late)) / over, refused)
    }

    fn start(&self, traffic: &mut Traffic) {
        let number = traffic.started;
        let parameters = json!({"path": self.ledger, "number": number, "seconds": WORK_SECONDS});
        traffic.start(self.session, request("record", &parameters));
    }
}

const PLACES: usize = 8;
const QUEUE_MAX: u64 = 16;
const WORK_SECONDS: f64 = 0.1;
