//! Frames waiting for one worker's socket, sent in batches: whatever is there when the socket asks
//! goes out as one message, so that many calls cost one wake-up.
//!
//! Pushing never waits. Calls are refused above a limit; what else is pushed is bounded by the
//! calls that are held and by their windows.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use prost::Message;
use snakepit_bridge_proto::{HostFrame, HostMessage, host_frame::Kind};
use tokio::time::Instant;
use tonic::Status;

use crate::core::limits::{
    DUE_AFTER, DUE_FRAMES, FRAMES_PER_MESSAGE_MAX, MESSAGE_BYTES_SOFT_MAX, SENT_HERE_BYTES_MAX,
    WORKER_OUTBOX_FRAMES_MAX,
};

use super::quiet_socket::only_writing;
use super::sending;
use super::strand::Strand;
use super::wires::{Wire, may_drive_here};

/// The sending half; clones share it.
#[derive(Clone, Default)]
pub struct Outbox {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    waker: AtomicWaker,
    /// What sends; anything in tests.
    strand: Option<Strand>,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<HostFrame>,
    /// When the first of them was queued.
    since: Option<Instant>,
    end: Option<Result<(), Status>>,
}

impl Queue {
    /// Whether what waits has to be sent now, if nobody is about to.
    fn append(&mut self, frame: HostFrame) -> bool {
        if self.frames.is_empty() {
            self.since = Some(Instant::now());
        }
        self.frames.push_back(frame);
        self.frames.len() >= DUE_FRAMES
            || self.since.is_some_and(|since| since.elapsed() >= DUE_AFTER)
    }
}

impl Outbox {
    /// For a connection that `strand` runs.
    pub fn on(strand: Strand) -> Self {
        Outbox { shared: Arc::new(Shared { strand: Some(strand), ..Shared::default() }) }
    }

    /// Queues a frame; one after the end is dropped.
    pub fn push(&self, kind: Kind) {
        let mut queue = self.shared.queue.lock();
        if queue.end.is_some() {
            return;
        }
        let is_due = queue.append(HostFrame { kind: Some(kind) });
        let is_first = queue.frames.len() == 1;
        drop(queue);
        if is_first && let Some(wire) = self.wire() {
            wire.note_sender();
        }
        let is_worth_it = || match is_first {
            true => self.may_send_where(|wire| wire.is_driven_at_leisure()),
            // Whoever drives now and then is away.
            false => is_due && self.may_send_where(|wire| wire.is_free()),
        };
        if !sending::hold(self, is_worth_it) && is_first {
            self.send_there();
        }
    }

    /// Lets the connection's own thread send what waits, or whoever works for it.
    pub(super) fn send_there(&self) {
        self.shared.waker.wake();
    }

    /// Sends what waits on the calling thread, if it is light; else somebody does.
    pub(super) fn send_here(&self) {
        let is_light = is_light(&self.shared.queue.lock().frames);
        match &self.shared.strand {
            Some(strand) if is_light => {
                only_writing(|| strand.run_here(|| self.send_there()));
            }
            Some(strand) => {
                self.send_there();
                strand.wire().call();
            }
            None => self.send_there(),
        }
    }

    /// Whether the wire is so, and the calling thread may send to it.
    fn may_send_where(&self, is_so: impl FnOnce(&Wire) -> bool) -> bool {
        self.wire().is_some_and(is_so) && may_drive_here()
    }

    fn wire(&self) -> Option<&Wire> {
        self.shared.strand.as_ref().map(|strand| &**strand.wire())
    }

    /// Whether a new call would have to wait behind too much.
    pub fn is_full(&self) -> bool {
        self.shared.queue.lock().frames.len() >= WORKER_OUTBOX_FRAMES_MAX
    }

    /// Ends the stream behind the frames that wait, with `status` if it ends badly.
    pub fn finish(&self, status: Result<(), Status>) {
        let mut queue = self.shared.queue.lock();
        queue.end.get_or_insert(status);
        drop(queue);
        self.send_there();
    }

    /// The receiving half, which tonic reads.
    pub fn stream(&self) -> OutboxStream {
        OutboxStream { shared: self.shared.clone() }
    }
}

/// The frames as messages, for tonic.
pub struct OutboxStream {
    shared: Arc<Shared>,
}

impl tokio_stream::Stream for OutboxStream {
    type Item = Result<HostMessage, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.shared.waker.register(context.waker());
        let mut queue = self.shared.queue.lock();
        if !queue.frames.is_empty() {
            return Poll::Ready(Some(Ok(HostMessage { frames: take_batch(&mut queue.frames) })));
        }
        match queue.end.take() {
            None => Poll::Pending,
            Some(end) => {
                queue.end = Some(Ok(()));
                Poll::Ready(end.err().map(Err))
            }
        }
    }
}

fn take_batch(frames: &mut VecDeque<HostFrame>) -> Vec<HostFrame> {
    let mut bytes = 0;
    let mut count = 0;
    for frame in frames.iter().take(FRAMES_PER_MESSAGE_MAX) {
        count += 1;
        bytes += frame.encoded_len();
        if bytes >= MESSAGE_BYTES_SOFT_MAX {
            break;
        }
    }
    frames.drain(..count).collect()
}

/// Whether sending all of them takes no time worth the name.
fn is_light(frames: &VecDeque<HostFrame>) -> bool {
    frames.len() <= FRAMES_PER_MESSAGE_MAX
        && frames.iter().map(Message::encoded_len).sum::<usize>() <= SENT_HERE_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use snakepit_bridge_proto::Ping;
    use tokio_stream::StreamExt;

    #[tokio::test]
    async fn frames_leave_in_order_and_in_batches_and_the_end_comes_last() {
        let outbox = Outbox::default();
        let total = FRAMES_PER_MESSAGE_MAX + 3;
        for number in 0..total as u64 {
            outbox.push(Kind::Ping(Ping { number }));
        }
        outbox.finish(Err(Status::aborted("over")));
        outbox.push(Kind::Ping(Ping { number: 9999 }));
        let mut stream = outbox.stream();
        let first = stream.next().await.unwrap().unwrap().frames;
        let second = stream.next().await.unwrap().unwrap().frames;
        assert_eq!((first.len(), second.len()), (FRAMES_PER_MESSAGE_MAX, 3));
        assert_eq!(second[2].kind, Some(Kind::Ping(Ping { number: total as u64 - 1 })));
        assert_eq!(stream.next().await.unwrap().unwrap_err().message(), "over");
        assert!(stream.next().await.is_none());
    }
}
