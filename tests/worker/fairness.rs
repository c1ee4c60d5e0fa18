//! Who is served first when calls of several sessions wait for one worker, seen through a counter
//! that lives in its process: it tells the order in which calls ran.

use std::sync::Arc;
use std::sync::mpsc;

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{ExecuteRequest, Operation, Platform, Session};
use snakepit_bridge::core::Status;

use super::support::{
    LONG, begin, call, close, config, eventually, finish, open, outcome, request, session, tool,
};

/// One worker that is busy, and lets no call begin until it is `free`.
struct Busy {
    platform: Arc<Platform>,
    blocker: Arc<Operation>,
}

impl Busy {
    fn begin(platform: &Arc<Platform>, held: u64) -> Busy {
        let blocker = begin(&session(platform), "sleep_until_cancelled", json!({}));
        let busy = Busy { platform: platform.clone(), blocker };
        busy.until("held", held);
        busy.until("running", 1);
        busy
    }

    fn until(&self, what: &str, count: u64) {
        let pool = self.platform.pool("").unwrap();
        eventually(&format!("{what} is {count}"), || pool.stats()[what] == count);
    }

    fn free(self) {
        self.blocker.cancel();
        outcome(&self.blocker).unwrap_err();
    }
}

fn queue(session: &Session, calls: usize) -> Vec<Arc<Operation>> {
    (0..calls).map(|_| begin(session, "count_here", json!({}))).collect()
}

/// When the calls ran, counted from 1.
fn moments(calls: &[Arc<Operation>]) -> Vec<i64> {
    calls.iter().map(|call| moment(&outcome(call).unwrap().to_document().unwrap())).collect()
}

fn moment(counted: &Json) -> i64 {
    counted["count"].as_i64().unwrap()
}

#[test]
fn a_session_with_many_calls_does_not_keep_others_waiting() {
    let platform = open(&config(1, 1));
    let (many, few, late) = (session(&platform), session(&platform), session(&platform));
    let busy = Busy::begin(&platform, 1);
    let many = queue(&many, 200);
    let few_first = queue(&few, 1);
    let few_more = queue(&few, 5);
    let late = queue(&late, 1);
    busy.until("queued", 207);
    busy.free();
    assert_eq!(moments(&few_first), [2], "one of the others goes before it");
    assert_eq!(moments(&late), [3]);
    assert_eq!(moments(&few_more), [5, 7, 9, 11, 13], "they take turns");
    let order = moments(&many);
    assert_eq!((order[0], order[1], order[199]), (1, 4, 207));
    assert!(order.is_sorted(), "a session's own calls keep their order: {order:?}");
    close(&platform);
}

#[test]
fn a_session_that_fills_the_queue_does_not_have_others_refused() {
    let mut config = config(1, 1);
    config["pools"]["default"]["queue_max"] = json!(4);
    let platform = open(&config);
    let (many, few) = (session(&platform), session(&platform));
    let busy = Busy::begin(&platform, 1);
    let waiting = queue(&many, 4);
    let refused = outcome(&queue(&many, 1)[0]).unwrap_err();
    assert_eq!(refused.status(), Status::ResourceExhausted, "{refused:?}");
    let other = queue(&few, 1);
    let refused = outcome(&queue(&few, 1)[0]).unwrap_err();
    assert_eq!(refused.status(), Status::ResourceExhausted, "{refused:?}");
    busy.free();
    assert_eq!(moments(&other), [2]);
    assert_eq!(moments(&waiting), [1, 3, 4, 5]);
    close(&platform);
}

#[test]
fn a_session_alone_is_served_in_order_of_arrival() {
    let platform = open(&config(1, 1));
    let own = session(&platform);
    let busy = Busy::begin(&platform, 1);
    let calls = queue(&own, 50);
    busy.until("queued", 50);
    calls[20].cancel();
    busy.until("queued", 49);
    busy.free();
    outcome(&calls[20]).unwrap_err();
    let others: Vec<_> = calls.iter().filter(|call| !Arc::ptr_eq(call, &calls[20])).collect();
    let order: Vec<i64> =
        others.iter().map(|call| moment(&outcome(call).unwrap().to_document().unwrap())).collect();
    assert_eq!(order, (1..=49).collect::<Vec<_>>());
    close(&platform);
}

#[test]
fn what_a_call_waits_for_does_not_stand_behind_its_sessions_queue() {
    let platform = open(&config(1, 1));
    let (own, other) = (session(&platform), session(&platform));
    let (go, gone) = mpsc::channel::<()>();
    let gone = Arc::new(Mutex::new(gone));
    let nested_in = own.clone();
    tool(&platform, Some(&own), "nest", move |invocation| {
        gone.lock().recv_timeout(LONG).unwrap();
        let parent = Some(invocation.clone());
        let nested = ExecuteRequest { parent, ..request("count_here", &json!({})) };
        Some(finish(nested_in.prepare(nested).unwrap()))
    });
    let waiting = begin(&own, "call_tool", json!({"name": "nest", "arguments": {}}));
    // It waits for its tool, so its place is another's.
    let busy = Busy::begin(&platform, 2);
    let (own_calls, other_calls) = (queue(&own, 100), queue(&other, 100));
    busy.until("queued", 200);
    go.send(()).unwrap();
    busy.until("queued", 201);
    busy.free();
    let nested = outcome(&waiting).unwrap().to_document().unwrap();
    assert_eq!(moment(&nested), 3, "behind one of each session");
    let (own_order, other_order) = (moments(&own_calls), moments(&other_calls));
    assert!(own_order.is_sorted() && other_order.is_sorted());
    assert_eq!(own_order[99].max(other_order[99]), 201);
    assert_eq!(call(&own, "count_here", json!({})).map(|c| moment(&c)).unwrap(), 202);
    close(&platform);
}

#[test]
fn a_call_that_lost_its_worker_does_not_go_to_the_end_of_its_sessions_queue() {
    let mut config = config(1, 1);
    let pool = &mut config["pools"]["default"];
    // The second attempt waits before there is a worker for it.
    pool["retry"] = json!({"backoff_min_ms": 1});
    pool["restart"] = json!({"backoff_min_ms": 1000});
    let platform = open(&config);
    let own = session(&platform);
    let ledger = tempfile::tempdir().unwrap();
    let busy = Busy::begin(&platform, 1);
    let crash = json!({"ledger": ledger.path().join("ran"), "times": 1});
    let unlucky = begin(&own, "crash_until", crash);
    let others = queue(&own, 20);
    busy.until("queued", 21);
    busy.free();
    let pool = platform.pool("").unwrap();
    eventually("it waits again", || {
        let stats = pool.stats();
        stats["retries"] == 1 && stats["queued"] == 21
    });
    assert!(others[15].wait(Some(LONG)));
    assert!(unlucky.is_done(), "one at a time, and it was before them");
    assert_eq!(outcome(&unlucky).unwrap().to_document().unwrap(), json!(2));
    assert_eq!(moments(&others), (1..=20).collect::<Vec<_>>());
    close(&platform);
}
