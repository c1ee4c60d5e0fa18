//! What a thread of the host sends itself, before it leaves the library: otherwise a thread that
//! waits for what workers send would have to be woken, only to send it.
//!
//! That is what one outbox holds, if it is light, while little goes to and fro; all else is left to
//! who drives the wire. Knows nothing of what is sent.

use std::cell::Cell;

use super::outbox::Outbox;

thread_local! {
    static HELD: Cell<Held> = const { Cell::new(Held::Nothing) };
}

/// What the calling thread has to send.
#[derive(Default)]
enum Held {
    /// It is not inside of `sending`.
    #[default]
    Nothing,
    Vacant,
    Full(Outbox),
}

/// Sends what `act` queued first, on the calling thread, where that is worth it. It holds no lock,
/// and is not cancelled meanwhile; it may take as much stack as a thread that waits for an
/// operation.
pub fn sending<T>(act: impl FnOnce() -> T) -> T {
    let _scope = Scope::open();
    act()
}

/// Leaves what waits in `outbox` to the end of `sending`, if the calling thread is inside of that,
/// and if it `is_worth_it`.
pub(super) fn hold(outbox: &Outbox, is_worth_it: impl FnOnce() -> bool) -> bool {
    let before = take();
    let holds = matches!(before, Held::Vacant) && is_worth_it();
    set(if holds { Held::Full(outbox.clone()) } else { before });
    holds
}

/// A thread at its end, inside of destructors of its own data, has nothing any more.
fn take() -> Held {
    HELD.try_with(Cell::take).unwrap_or_default()
}

fn set(held: Held) {
    // What such a thread would hold is nothing.
    let _ = HELD.try_with(|cell| cell.set(held));
}

/// Dropped at the end of `sending`.
struct Scope {
    is_outer: bool,
}

impl Scope {
    fn open() -> Self {
        let before = take();
        let is_outer = matches!(before, Held::Nothing);
        set(if is_outer { Held::Vacant } else { before });
        Scope { is_outer }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if !self.is_outer {
            return;
        }
        if let Held::Full(outbox) = take() {
            match std::thread::panicking() {
                true => outbox.send_there(),
                false => outbox.send_here(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::thread::ThreadId;
    use std::time::Duration;

    use snakepit_bridge_proto::host_frame::Kind;
    use snakepit_bridge_proto::tool_response;
    use snakepit_bridge_proto::{CallCredit, Error, Payload, Ping, ToolChunk, ToolResponse};
    use tokio_stream::StreamExt;

    use super::*;
    use crate::core::limits::SENT_HERE_BYTES_MAX;
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
        assert_eq!(sent.by_whom(|outbox| sending(|| outbox.push(ping()))), here);
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
        sent.wires.each().for_each(|(_, wire)| wire.note_message(2, 2));
        assert_eq!(sent.by_whom(|outbox| sending(|| outbox.push(ping()))), sent.own, "busy");
    }

    fn push_and_panic(outbox: &Outbox) {
        outbox.push(ping());
        std::panic::resume_unwind(Box::new("as told"));
    }
}
