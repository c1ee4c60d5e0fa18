//! Frames waiting for the socket, and how they become messages: whatever is there when the socket
//! asks goes out together, so that many frames cost one wake-up.
//!
//! Part of the link's state: the caller holds the lock. Knows nothing of calls and requests.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use parking_lot::Condvar;
use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::worker_frame::Kind;
use tokio::time::Instant;

use crate::limits::{
    DUE_AFTER, DUE_BYTES, DUE_FRAMES, FRAMES_PER_MESSAGE_MAX, LOG_RECORD_BYTES_MAX,
    MESSAGE_BYTES_SOFT_MAX, OUTBOX_BYTES_MAX, OUTBOX_FRAMES_MAX, OUTBOX_LOGS_MAX, PONGS_MAX,
};

/// The outgoing half of a link.
#[derive(Default)]
pub struct Outbox {
    frames: VecDeque<pb::WorkerFrame>,
    frames_bytes: usize,
    /// When the first of them was queued.
    since: Option<Instant>,
    logs: usize,
    logs_dropped: u64,
    pongs: VecDeque<u64>,
    ended: bool,
    /// Somebody found no room since room was last announced.
    wanted: bool,
    waker: Option<Waker>,
    /// Where those who found no room wait.
    pub room: Arc<Condvar>,
}

/// What the socket gets when it asks.
pub enum Take {
    Message(pb::WorkerMessage),
    /// Nothing now; the waker is kept.
    Nothing,
    /// Nothing any more.
    End,
}

impl Outbox {
    /// Whether a frame may be added by somebody who can wait; remembers that somebody wants room if
    /// not.
    pub fn has_room(&mut self) -> bool {
        let has = self.frames.len() < OUTBOX_FRAMES_MAX && self.frames_bytes < OUTBOX_BYTES_MAX;
        self.wanted |= !has;
        has
    }

    /// Whether what waits has to be sent now, if nobody is about to.
    pub fn is_due(&self, now: Instant) -> bool {
        self.frames.len() >= DUE_FRAMES
            || self.frames_bytes >= DUE_BYTES
            || self.since.is_some_and(|since| now.duration_since(since) >= DUE_AFTER)
    }

    /// Adds a frame. Who can wait asks for room first; who cannot has a bound of its own.
    pub fn push(&mut self, kind: Kind) {
        if !self.ended {
            self.since.get_or_insert_with(Instant::now);
            self.frames_bytes += weight(&kind);
            self.logs += usize::from(matches!(kind, Kind::Log(_)));
            self.frames.push_back(pb::WorkerFrame { kind: Some(kind) });
        }
    }

    /// Adds the answer to a heartbeat, which goes ahead of everything.
    pub fn push_pong(&mut self, number: u64) {
        if self.pongs.len() < PONGS_MAX && !self.ended {
            self.pongs.push_back(number);
        }
    }

    /// Adds a log record, or counts it as dropped.
    pub fn push_log(&mut self, mut record: pb::LogRecord) {
        if self.logs >= OUTBOX_LOGS_MAX || !self.has_room() {
            self.logs_dropped += 1;
            return;
        }
        cut(&mut record.message, LOG_RECORD_BYTES_MAX);
        record.dropped = std::mem::take(&mut self.logs_dropped);
        self.push(Kind::Log(record));
    }

    /// Who sleeps for lack of frames, if there is now something to send.
    pub fn take_waker(&mut self) -> Option<Waker> {
        let is_due = self.ended || !self.frames.is_empty() || !self.pongs.is_empty();
        if is_due { self.waker.take() } else { None }
    }

    /// The next message. The second value says that there is room again for those who wait.
    pub fn take(&mut self, waker: &Waker) -> (Take, bool) {
        if self.frames.is_empty() && self.pongs.is_empty() {
            if self.ended {
                return (Take::End, false);
            }
            self.waker = Some(waker.clone());
            return (Take::Nothing, false);
        }
        self.since = None;
        let mut frames: Vec<_> = self.pongs.drain(..).map(pong).collect();
        let mut bytes = 0;
        while let Some(kind) = self.frames.front().and_then(|frame| frame.kind.as_ref()) {
            bytes += weight(kind);
            let is_first = frames.is_empty();
            let is_full = frames.len() >= FRAMES_PER_MESSAGE_MAX || bytes > MESSAGE_BYTES_SOFT_MAX;
            if is_full && !is_first {
                break;
            }
            frames.extend(self.pop());
        }
        (Take::Message(pb::WorkerMessage { frames }), self.announces_room())
    }

    /// Lets the stream end behind the frames that wait.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Throws away what waits; nothing can be sent any more. The caller drops it outside the lock.
    pub fn abandon(&mut self) -> VecDeque<pb::WorkerFrame> {
        self.ended = true;
        self.frames_bytes = 0;
        self.pongs.clear();
        std::mem::take(&mut self.frames)
    }

    fn pop(&mut self) -> Option<pb::WorkerFrame> {
        let frame = self.frames.pop_front()?;
        if let Some(kind) = frame.kind.as_ref() {
            self.frames_bytes -= weight(kind);
            self.logs -= usize::from(matches!(kind, Kind::Log(_)));
        }
        Some(frame)
    }

    /// Waiters are woken once half is free: waking for every message would cost more than it
    /// brings.
    fn announces_room(&mut self) -> bool {
        let half_free =
            self.frames.len() <= OUTBOX_FRAMES_MAX / 2 && self.frames_bytes <= OUTBOX_BYTES_MAX / 2;
        half_free && std::mem::take(&mut self.wanted)
    }
}

/// Shortens `text` to `bytes_max` at a character's end and says so.
pub fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        let end = text.floor_char_boundary(bytes_max);
        let lost = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("… ({lost} bytes cut)"));
    }
}

/// The bytes of a payload, document and attachments together.
pub fn payload_bytes(payload: &pb::Payload) -> usize {
    let attachments = payload.attachments.iter().map(|attachment| match &attachment.kind {
        Some(pb::attachment::Kind::Blob(blob)) => blob.len(),
        Some(pb::attachment::Kind::Tensor(tensor)) => tensor.data.len(),
        // Content is named instead of sent when a frame has left this queue.
        Some(pb::attachment::Kind::Shared(_)) | None => 0,
    });
    attachments.fold(payload.json.len(), usize::saturating_add)
}

/// The payload of a frame, where it has one.
pub fn payload_mut(kind: &mut Kind) -> Option<&mut pb::Payload> {
    use pb::call_result::Outcome;
    use pb::state_request::Verb;
    match kind {
        Kind::Chunk(chunk) => chunk.payload.as_mut(),
        Kind::Result(pb::CallResult { outcome: Some(Outcome::Payload(payload)), .. }) => {
            Some(payload)
        }
        Kind::ToolRequest(request) => request.arguments.as_mut(),
        Kind::StateRequest(request) => match &mut request.verb {
            Some(Verb::Set(set)) => set.value.as_mut(),
            Some(Verb::Register(register)) => register.initial.as_mut(),
            _ => None,
        },
        _ => None,
    }
}

fn pong(number: u64) -> pb::WorkerFrame {
    pb::WorkerFrame { kind: Some(Kind::Pong(pb::Pong { number })) }
}

/// About the bytes a frame takes on the wire: exact for what is large, a round figure for the rest.
fn weight(kind: &Kind) -> usize {
    use pb::call_result::Outcome;
    use pb::state_request::Verb;
    let payload = match kind {
        Kind::Chunk(chunk) => chunk.payload.as_ref(),
        Kind::Result(pb::CallResult { outcome: Some(Outcome::Payload(payload)), .. }) => {
            Some(payload)
        }
        Kind::Result(pb::CallResult { outcome: Some(Outcome::Error(error)), .. }) => {
            return FRAME_BYTES + error.python_traceback.len() + error.message.len();
        }
        Kind::ToolRequest(request) => request.arguments.as_ref(),
        Kind::StateRequest(request) => match &request.verb {
            Some(Verb::Set(set)) => set.value.as_ref(),
            Some(Verb::Register(register)) => register.initial.as_ref(),
            _ => None,
        },
        Kind::Log(record) => return FRAME_BYTES + record.message.len(),
        _ => None,
    };
    FRAME_BYTES + payload.map_or(0, payload_bytes)
}

/// What a frame weighs besides its payload.
const FRAME_BYTES: usize = 64;
