//! Who sends what: the thread that queues it, or the one whose wire it is.

use std::sync::mpsc::{Receiver, channel};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use snakepit_bridge_proto::host_frame::Kind;
use snakepit_bridge_proto::tool_response;
use snakepit_bridge_proto::{CallCredit, Error, Payload, Ping, ToolChunk, ToolResponse};
use tokio_stream::StreamExt;

use super::*;
use crate::core::limits::{DUE_FRAMES, SENT_HERE_BYTES_MAX};
use crate::telemetry::LogDispatch;
use crate::transport::Wires;
use crate::transport::strand::Strand;

/// An outbox whose stream says which thread takes how many frames.
struct Sent {
    wires: Wires,
    outbox: Outbox,
    own: ThreadId,
    by: Receiver<(ThreadId, usize)>,
}

impl Sent {
    /// Nothing is under way, and the wire's own thread drives.
    fn new() -> Self {
        let wires = Wires::start(1, Duration::ZERO, LogDispatch::default(), || {}).unwrap();
        let (runtime, wire) = wires.each().next().unwrap();
        let (says, by) = channel();
        let mut made = None;
        Strand::start(runtime, wire.clone(), |strand| {
            let outbox = Outbox::on(strand);
            let mut stream = outbox.stream();
            made = Some(outbox);
            async move {
                while let Some(Ok(message)) = stream.next().await {
                    says.send((std::thread::current().id(), message.frames.len())).unwrap();
                }
            }
        });
        let outbox = made.unwrap();
        outbox.push(ping());
        let own = by.recv().unwrap().0;
        Sent { wires, outbox, own, by }
    }

    /// A guest has just left: nobody drives for a while.
    fn clear_the_seat(&self) {
        let (_, wire) = self.wires.each().next().unwrap();
        let turn = loop {
            match self.wires.seats().sit() {
                Some(turn) => break turn,
                None => wire.note_message(1, 1, true),
            }
        };
        drop(turn);
    }

    /// Who sends the messages that have so many frames together.
    fn by_whom_so_many(&self, frames: usize) -> Vec<ThreadId> {
        let (mut who, mut sent) = (Vec::new(), 0);
        while sent < frames {
            let (by, count) = self.by.recv().unwrap();
            who.push(by);
            sent += count;
        }
        who
    }

    /// Who sends the one frame that `act` queues while the own thread sleeps.
    fn by_whom(&self, act: impl Fn(&Outbox)) -> ThreadId {
        // It may be at work still when a frame comes, which is then its own.
        for _ in 0..TRIES {
            act(&self.outbox);
            let (who, _) = self.by.recv().unwrap();
            if who != self.own {
                return who;
            }
        }
        self.own
    }
}

const TRIES: usize = 100;
/// The own thread is quicker often where other processes keep the cores.
const LONG: Duration = Duration::from_secs(60);

/// Tries until the calling thread sends.
fn eventually_here(mut senders: impl FnMut() -> Vec<ThreadId>) {
    let until = Instant::now() + LONG;
    while !senders().contains(&std::thread::current().id()) {
        assert!(Instant::now() < until, "the own thread sends all");
        std::thread::yield_now();
    }
}

fn ping() -> Kind {
    Kind::Ping(Ping { number: 1 })
}

fn failure(bytes: usize) -> Kind {
    let error = Error { details_json: vec![b' '; bytes].into(), ..Error::default() };
    let outcome = Some(tool_response::Outcome::Error(error));
    Kind::ToolResponse(ToolResponse { outcome, ..ToolResponse::default() })
}

fn chunk(bytes: usize) -> Kind {
    let payload = Payload { json: vec![b' '; bytes].into(), ..Payload::default() };
    Kind::ToolChunk(ToolChunk { payload: Some(payload), ..ToolChunk::default() })
}

#[test]
fn what_is_light_is_sent_by_who_queues_it_and_in_one_message() {
    let sent = Sent::new();
    let here = std::thread::current().id();
    eventually_here(|| vec![sent.by_whom(|outbox| sending(|| outbox.push(ping())))]);
    let together = loop {
        sending(|| {
            sending(|| sent.outbox.push(ping()));
            sent.outbox.push(Kind::Credit(CallCredit::default()));
        });
        let (who, frames) = sent.by.recv().unwrap();
        if who == here {
            break frames;
        }
        // The own thread was at work still, and may have taken one by one.
        if frames == 1 {
            sent.by.recv().unwrap();
        }
    };
    assert_eq!(together, 2);
}

#[test]
fn what_waits_for_one_who_is_away_is_sent_by_who_queues_the_last_of_many() {
    let sent = Sent::new();
    eventually_here(|| {
        sent.clear_the_seat();
        (0..DUE_FRAMES).for_each(|_| sending(|| sent.outbox.push(ping())));
        sent.by_whom_so_many(DUE_FRAMES)
    });
}

#[test]
fn what_waits_for_one_who_is_away_and_is_heavy_is_left_to_the_own_thread() {
    let sent = Sent::new();
    sent.clear_the_seat();
    let heavy = SENT_HERE_BYTES_MAX + 1;
    (0..DUE_FRAMES).for_each(|_| sending(|| sent.outbox.push(chunk(heavy))));
    assert!(sent.by_whom_so_many(DUE_FRAMES).iter().all(|who| *who == sent.own));
}

#[test]
fn all_else_is_left_to_the_own_thread() {
    let sent = Sent::new();
    assert_eq!(sent.by_whom(|outbox| outbox.push(ping())), sent.own, "not inside of it");
    let heavy = SENT_HERE_BYTES_MAX + 1;
    assert_eq!(sent.by_whom(|outbox| sending(|| outbox.push(chunk(heavy)))), sent.own);
    assert_eq!(sent.by_whom(|outbox| sending(|| outbox.push(failure(heavy)))), sent.own);
    let panicking = |outbox: &Outbox| {
        let act = || sending(|| push_and_panic(outbox));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)).is_err());
    };
    assert_eq!(sent.by_whom(panicking), sent.own);
    sent.wires.each().for_each(|(_, wire)| wire.note_message(2, 2, true));
    assert_eq!(sent.by_whom(|outbox| sending(|| outbox.push(ping()))), sent.own, "busy");
}

fn push_and_panic(outbox: &Outbox) {
    outbox.push(ping());
    std::panic::resume_unwind(Box::new("as told"));
}
