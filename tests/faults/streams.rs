//! F25 and F33: what is large or slow does not stand in the way of the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::getpid;
use serde_json::json;
use snakepit_bridge::api::{ChunkOutcome, ExecuteRequest, Operation, Session, Timeout};
use snakepit_bridge::core::{Attachment, Status, Value};

use crate::figure::Figure;
use crate::python::{config, percentile, resident_bytes, worker_pids};
use crate::scenario::{Scale, Scenario};
use crate::support::{LONG, call, close, eventually, finish, open, outcome, request, session};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "F25",
        promise: "a slow reader of a long stream: the host's memory does not grow, its worker \
                  waits, other streams of that worker keep 80% of their speed",
        short: true,
        patience: Duration::from_secs(180),
        run: slow_reader,
    },
    Scenario {
        id: "F33",
        promise: "64 MiB go both ways through a pool of two beside small calls: the small calls' \
                  99th percentile stays under three times what it is without",
        short: false,
        patience: Duration::from_secs(120),
        run: large_beside_small,
    },
];

/// F25. Three measures; the first is the figure, the others are asserted.
fn slow_reader(scale: Scale) -> Figure {
    let platform = open(&config(1, 8));
    let session = session(&platform);
    let worker = worker_pids(&platform)[0];
    let blocks: u64 = scale.pick(64 << 20, 1 << 30) / BLOCK_BYTES;
    // What the first stream of a process leaves in its allocator is not what is measured.
    read_all(&long_stream(&session, WINDOW * 4), 0, WINDOW * 4);
    let before = [resident_bytes(getpid()), resident_bytes(worker)];
    let mut most = before;
    let mut watch = || {
        most[0] = most[0].max(resident_bytes(getpid()));
        most[1] = most[1].max(resident_bytes(worker));
    };

    let pace = scale.pick(Duration::from_millis(300), Duration::from_secs(1));
    let stream = long_stream(&session, blocks);
    // One block in all this time.
    read_all(&stream, 0, 1);
    let mut read = 1;
    ticks_for(&session, pace);
    watch();
    let produced = call(&session, "produced", json!({})).unwrap().as_u64().unwrap();
    assert!(produced <= read + 2 * WINDOW, "{produced} blocks are out, {read} were read");

    while read < blocks {
        let next = blocks.min(read + 1024);
        read_all(&stream, read, next);
        read = next;
        watch();
    }
    assert!(matches!(stream.next_chunk(Some(LONG)), ChunkOutcome::Ended));
    assert_eq!(outcome(&stream).unwrap().to_document().unwrap(), json!({"sent": blocks}));
    let mut shares: Vec<f64> = (0..ROUNDS).map(|_| beside_slow(&session, blocks, pace)).collect();
    shares.sort_by(f64::total_cmp);
    let share = shares[ROUNDS / 2];
    // At short scale the rounds are too short for more than to see that nothing stands still.
    assert!(share >= scale.pick(0.4, 0.8), "other streams have {shares:.2?} of their speed");
    close(&platform);
    let grown = [most[0] - before[0], most[1] - before[1]];
    // Python's own threads and their arenas are in this, so it has room for them.
    assert!(grown[1] <= 2 * GROWTH_MAX, "the worker grew by {} KiB", grown[1] / 1024);
    let kib = |bytes: u64| format!("{} KiB more", bytes / 1024);
    let read = usize::try_from(read).unwrap();
    Figure::other(read, kib(grown[0]), kib(GROWTH_MAX), grown[0] <= GROWTH_MAX)
}

/// What a small stream still reads beside a large one that nobody reads, as a share of what it
/// reads alone. One right after the other, so that whatever else the machine does weighs on both.
fn beside_slow(session: &Session, blocks: u64, time: Duration) -> f64 {
    let alone = ticks_for(session, time);
    let stream = long_stream(session, blocks);
    read_all(&stream, 0, 1);
    let beside = ticks_for(session, time);
    stream.cancel();
    assert_eq!(outcome(&stream).unwrap_err().status(), Status::Cancelled);
    beside as f64 / alone as f64
}

fn long_stream(session: &Session, blocks: u64) -> Arc<Operation> {
    let request = ExecuteRequest {
        stream: true,
        timeout: Timeout::Never,
        ..request("blocks", &json!({"bytes_each": BLOCK_BYTES, "total": blocks}))
    };
    let stream = session.prepare(request).unwrap();
    stream.start(None);
    stream
}

/// Reads the blocks `from` to below `to`, which have to be these.
fn read_all(stream: &Arc<Operation>, from: u64, to: u64) {
    for number in from..to {
        let ChunkOutcome::Chunk(value) = stream.next_chunk(Some(LONG)) else {
            panic!("block {number} did not come")
        };
        let bytes = value.attachments()[0].bytes();
        assert_eq!(bytes.len() as u64, BLOCK_BYTES);
        assert_eq!(bytes[..8], number.to_le_bytes());
    }
}

/// Chunks of a small stream that are read in `time`.
fn ticks_for(session: &Session, time: Duration) -> u64 {
    let request = ExecuteRequest { stream: true, ..request("ticks", &json!({})) };
    let stream = session.prepare(request).unwrap();
    stream.start(None);
    let until = Instant::now() + time;
    let mut count = 0;
    while Instant::now() < until {
        assert!(matches!(stream.next_chunk(Some(LONG)), ChunkOutcome::Chunk(_)));
        count += 1;
    }
    stream.cancel();
    assert_eq!(outcome(&stream).unwrap_err().status(), Status::Cancelled);
    count
}

/// F33.
fn large_beside_small(scale: Scale) -> Figure {
    let platform = open(&config(2, 8));
    let session = session(&platform);
    let trials = scale.pick(3, 10);
    let large = Value::new(
        r#"{"value":{"$spb":{"attachment":0}}}"#,
        vec![Attachment::Blob(vec![7; LARGE_BYTES].into())],
    )
    .unwrap();
    // The first calls of a worker start its threads, and the first large value fills its memory.
    small_calls(&session, &|| false, 200);
    exchange(&session, &large);
    let mut ratios = Vec::new();
    for _ in 0..trials {
        let without = small_calls(&session, &|| false, SMALL_CALLS);
        let is_over = AtomicBool::new(false);
        let exchanged = AtomicU64::new(0);
        let with = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Acquire) {
                    exchange(&session, &large);
                    exchanged.fetch_add(1, Ordering::Release);
                }
            });
            let both_ways = || exchanged.load(Ordering::Acquire) < 2;
            let with = small_calls(&session, &both_ways, SMALL_CALLS);
            is_over.store(true, Ordering::Release);
            with
        });
        eprintln!("without {without:?}, with {with:?}");
        ratios.push(with.as_secs_f64() / without.as_secs_f64());
    }
    eventually("nothing runs", || platform.pool("").unwrap().stats()["running"] == 0);
    close(&platform);
    ratios.sort_by(f64::total_cmp);
    let middle = ratios[trials / 2];
    Figure::other(trials, format!("{middle:.1} times"), "3.0 times".to_owned(), middle < 3.0)
}

/// There and back.
fn exchange(session: &Session, large: &Value) {
    let request = ExecuteRequest { parameters: Some(large.clone()), ..request("echo", &json!({})) };
    let back = finish(session.prepare(request).unwrap()).unwrap();
    assert_eq!(back.attachments()[0].bytes().len(), LARGE_BYTES);
}

/// The 99th percentile of at least `count` small calls, one after the other, and of as many more as
/// `go_on` wants.
fn small_calls(session: &Session, go_on: &dyn Fn() -> bool, count: usize) -> Duration {
    let mut times = Vec::new();
    while times.len() < count || go_on() {
        let began = Instant::now();
        call(session, "echo", json!({"value": 1})).unwrap();
        times.push(began.elapsed());
    }
    percentile(&mut times, 0.99)
}

/// As the configuration has it where it says nothing.
const WINDOW: u64 = 256;
const BLOCK_BYTES: u64 = 16 * 1024;
/// Two windows.
const GROWTH_MAX: u64 = 2 * WINDOW * BLOCK_BYTES;
const ROUNDS: usize = 5;
/// With its document still a value.
const LARGE_BYTES: usize = 64 * 1024 * 1024 - 1024;
const SMALL_CALLS: usize = 100;
