//! What is measured: one table, with who is asked, what is promised, and against whom.
//!
//! It must not know how anything is measured.

use crate::peers::asked::Command;
use crate::report::Goal;
use crate::subjects::Subject;

/// One row of each who is asked.
pub struct Measure {
    pub row: &'static str,
    pub command: Command,
    /// Of the answer.
    pub key: &'static str,
    pub unit: &'static str,
    /// The product's ways to do it.
    pub own: &'static [Subject],
    pub peers: &'static [Peer],
    pub goal: Option<Goal>,
    /// How many of them count.
    pub rounds: usize,
    /// Whether another thread of the process that is asked computes meanwhile.
    pub is_busy: bool,
    /// For its notes, what is not told by the settings of whom it asks.
    pub remark: &'static str,
}

/// Who else is asked, and what the product's first way has to come to.
pub struct Peer(pub Subject, pub Option<Goal>);

/// Of most measures.
pub const ROUNDS: usize = 5;

/// All of them, in the order of the report.
pub const ALL: &[Measure] = &[
    PING_PONG,
    Measure {
        peers: &[
            Peer(PingPong, Some(AtMost(2.5))),
            Peer(GrpcAio, Some(AtMost(0.4))),
            Peer(GrpcSync, None),
            Peer(ProcessPool, None),
        ],
        own: &[Product, ProductThread, ProductSpin],
        ..latency("echo_100b_1_p50", "100b")
    },
    Measure { peers: PYTHON, ..rate("echo_100b_16", "100b", 16) },
    Measure {
        peers: &[
            Peer(GrpcAio, Some(AtLeast(20.0))),
            Peer(GrpcSync, None),
            Peer(ProcessPool, Some(AtLeast(10.0))),
        ],
        ..rate("echo_100b_64", "100b", 64)
    },
    Measure { peers: PYTHON, ..latency("echo_10kb_1_p50", "10kb") },
    Measure { peers: PYTHON, ..rate("echo_10kb_16", "10kb", 16) },
    Measure {
        peers: &[Peer(GrpcAio, Some(AtLeast(5.0))), Peer(GrpcSync, None), Peer(ProcessPool, None)],
        ..rate("echo_10kb_64", "10kb", 64)
    },
    Measure { own: &[Product], peers: PYTHON, ..latency("echo_1mb_1_p50", "1mb") },
    Measure { own: &[Product], peers: PYTHON, ..slow("echo_1mb_16", 16) },
    Measure { own: &[Product], peers: &[Peer(GrpcAio, None)], ..slow("echo_1mb_64", 64) },
    Measure {
        own: &[Product, ProductSpin],
        peers: &[Peer(PingPong, Some(AtMost(2.0)))],
        command: command("tool_times", "-", 1),
        remark: "; Python's clock around the call, from a handler on a thread",
        ..latency("host_tool_p50", "-")
    },
    Measure {
        own: &[Product],
        peers: &[Peer(GrpcAio, Some(AtLeast(20.0))), Peer(GrpcSync, Some(AtLeast(20.0)))],
        goal: Some(AtLeast(500_000.0)),
        command: command("chunks", "-", 1),
        remark: "; numbers, from a generator on a thread with the product and with grpc.server",
        unit: "chunks/s",
        ..rate("chunks", "-", 1)
    },
    Measure {
        peers: &[Peer(GrpcSync, Some(AtMost(0.1))), Peer(GrpcAio, None)],
        is_busy: true,
        remark: "; another Python thread computes; interpreters switch threads after their \
                 defaults: 0.5 ms in a worker, Python's 5 ms in grpcio's process",
        // A call of grpcio takes tens of milliseconds.
        command: Command { time_ms: 2 * TIME_MS, ..command("echo", "100b", 1) },
        ..latency("gil_busy_p50", "100b")
    },
];

/// Calls of an actor, where Ray can be had.
pub const RAY: &[Measure] = &[
    Measure { peers: &[Peer(Ray, None)], ..latency("echo_100b_1_p50", "100b") },
    Measure { peers: &[Peer(Ray, None)], ..rate("echo_100b_64", "100b", 64) },
    Measure { peers: &[Peer(Ray, None)], ..rate("echo_10kb_64", "10kb", 64) },
];

impl Measure {
    /// Who is asked for it. The ping-pong has a measure of its own, whatever it is compared with.
    pub fn subjects(&self) -> impl Iterator<Item = Subject> {
        let peers = self.peers.iter().map(|Peer(subject, _)| *subject);
        self.own.iter().copied().chain(peers.filter(|subject| *subject != PingPong))
    }
}

use Goal::{AtLeast, AtMost};
use Subject::{GrpcAio, GrpcSync, PingPong, ProcessPool, Product, ProductSpin, ProductThread, Ray};

const fn latency(row: &'static str, size: &'static str) -> Measure {
    Measure { key: "p50_us", unit: "µs", ..rate(row, size, 1) }
}

const fn rate(row: &'static str, size: &'static str, in_flight: usize) -> Measure {
    Measure {
        row,
        command: command("echo", size, in_flight),
        key: "per_s",
        unit: "calls/s",
        own: &[Product, ProductThread],
        peers: &[],
        goal: None,
        rounds: ROUNDS,
        is_busy: false,
        remark: "",
    }
}

/// What is in flight when the time is over takes seconds more.
const fn slow(row: &'static str, in_flight: usize) -> Measure {
    Measure { rounds: ROUNDS_OF_SLOW, ..rate(row, "1mb", in_flight) }
}

const fn command(verb: &'static str, size: &'static str, in_flight: usize) -> Command {
    Command { verb, size, in_flight, time_ms: TIME_MS }
}

const PING_PONG: Measure = Measure {
    own: &[PingPong],
    command: command("ping", "-", 1),
    ..latency("peer_ping_pong_p50", "-")
};

const PYTHON: &[Peer] = &[Peer(GrpcAio, None), Peer(GrpcSync, None), Peer(ProcessPool, None)];

const ROUNDS_OF_SLOW: usize = 3;

/// In each round, for each who is asked.
const TIME_MS: u64 = 200;
