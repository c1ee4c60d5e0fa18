//! What Python asked of the host and has not heard the end of: tool calls, tool lists, session
//! variables.
//!
//! A request is a small state machine; [`Request::take`] is its consuming side. Part of the link's
//! state: the caller holds the lock. Knows nothing of Python or the network.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Condvar;
use rustc_hash::FxHashMap;
use snakepit_bridge_proto as pb;

use super::state::Refusal;
use crate::limits::{TOOL_CHUNK_WINDOW, TOOL_CREDIT_GRANT};

/// Requests that a Python object still stands for, by their number.
pub type Requests = FxHashMap<u64, Request>;

/// One request.
pub struct Request {
    /// The call that it was made for.
    pub call_id: u64,
    /// A tool, or a watch: only these can be cancelled, and send chunks or changes.
    pub is_stream: bool,
    /// An asyncio task wants a frame when there is something to take.
    pub armed: bool,
    /// Where threads wait for items.
    pub ready: Arc<Condvar>,
    phase: Phase,
    items: VecDeque<Item>,
    next_sequence: u64,
    taken: u32,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// The host may still send.
    Open,
    /// The last item is queued or taken.
    Answered,
    /// Python gave it up.
    Dropped,
    /// The host cancelled the call, with this reason.
    CallCancelled(i32),
    /// The call has its result.
    CallEnded,
}

/// What a request brings.
#[derive(Debug)]
pub enum Item {
    Chunk(pb::ToolChunk),
    Change(pb::StateChange),
    Payload(pb::Payload),
    Error(pb::Error),
    Variable(pb::Variable),
    Variables(Vec<pb::Variable>),
    Found(pb::VariablesFound),
    History(Vec<pb::PastValue>),
    Deleted,
    Tools(Bytes),
    /// Nothing more comes.
    End,
}

/// What [`Request::take`] found.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once, and never kept")]
pub enum Taken {
    /// An item, and the credit to give back to the tool.
    Item(Item, Option<u32>),
    /// Nothing yet.
    Nothing,
}

impl Request {
    pub fn new(call_id: u64, is_stream: bool) -> Self {
        Request {
            call_id,
            is_stream,
            armed: false,
            ready: Arc::default(),
            phase: Phase::Open,
            items: VecDeque::new(),
            next_sequence: 0,
            taken: 0,
        }
    }

    /// Queues the last item; false if none is expected any more.
    pub fn answer(&mut self, item: Item) -> bool {
        let is_open = self.is_open();
        if is_open {
            self.phase = Phase::Answered;
            self.items.push_back(item);
        }
        is_open
    }

    /// Queues a chunk; false if none is expected. One beyond the window or out of order ends the
    /// request.
    pub fn chunk(&mut self, chunk: pb::ToolChunk) -> bool {
        self.next_of_stream(chunk.sequence, Item::Chunk(chunk))
    }

    /// As `chunk`, of a watch.
    pub fn change(&mut self, change: pb::StateChange) -> bool {
        self.next_of_stream(change.sequence, Item::Change(change))
    }

    /// The next item. A cancelled call comes before what is queued, a dead link (`closed`) behind
    /// it.
    pub fn take(&mut self, closed: Option<&Refusal>) -> Result<Taken, Refusal> {
        match self.phase {
            Phase::CallCancelled(reason) => return Err(Refusal::cancelled(self.call_id, reason)),
            Phase::CallEnded => return Err(Refusal::ended(self.call_id)),
            Phase::Dropped => return Ok(Taken::Item(Item::End, None)),
            Phase::Open | Phase::Answered => {}
        }
        match (self.items.pop_front(), self.phase, closed) {
            (Some(item), ..) => {
                let grant = self.grant(&item);
                Ok(Taken::Item(item, grant))
            }
            (None, Phase::Answered, _) => Ok(Taken::Item(Item::End, None)),
            (None, _, Some(refusal)) => Err(refusal.clone()),
            (None, _, None) => Ok(Taken::Nothing),
        }
    }

    /// Whether [`Request::take`] would not say `Nothing`, the link's death aside.
    pub fn is_ready(&self) -> bool {
        self.phase != Phase::Open || !self.items.is_empty()
    }

    /// Python gives it up. True if the host's tool must be told.
    pub fn drop_it(&mut self) -> bool {
        let was_open = self.is_open();
        if !matches!(self.phase, Phase::CallCancelled(_) | Phase::CallEnded) {
            self.phase = Phase::Dropped;
        }
        self.items.clear();
        was_open && self.is_stream
    }

    /// The host cancelled the call.
    pub fn call_cancelled(&mut self, reason: i32) {
        if self.phase != Phase::Dropped {
            self.phase = Phase::CallCancelled(reason);
            self.items.clear();
        }
    }

    /// The call has its result. True if the host's tool must be told.
    pub fn call_ended(&mut self) -> bool {
        let was_open = self.is_open();
        if self.phase != Phase::Dropped {
            self.phase = Phase::CallEnded;
            self.items.clear();
        }
        was_open && self.is_stream
    }

    fn next_of_stream(&mut self, given: u64, item: Item) -> bool {
        if !self.is_open() || !self.is_stream {
            return false;
        }
        let expected = self.next_sequence;
        if given != expected {
            return self.answer(protocol_error(format!("chunk {given}, expected {expected}")));
        }
        if self.items.len() >= TOOL_CHUNK_WINDOW as usize {
            return self.answer(protocol_error(format!("more than {TOOL_CHUNK_WINDOW} chunks")));
        }
        self.next_sequence += 1;
        self.items.push_back(item);
        true
    }

    fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    fn grant(&mut self, item: &Item) -> Option<u32> {
        if !self.is_open() || !matches!(item, Item::Chunk(_) | Item::Change(_)) {
            return None;
        }
        self.taken += 1;
        (self.taken >= TOOL_CREDIT_GRANT).then(|| std::mem::take(&mut self.taken))
    }
}

/// An error item of our own making: the host did not keep to the contract.
pub fn protocol_error(fault: impl std::fmt::Display) -> Item {
    let message = format!("host broke the link's contract: {fault}");
    Item::Error(pb::Error { status: STATUS_PROTOCOL, message, ..pb::Error::default() })
}

/// `Status::Protocol` of the platform.
const STATUS_PROTOCOL: i32 = 22;

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(sequence: u64) -> pb::ToolChunk {
        pb::ToolChunk { sequence, ..pb::ToolChunk::default() }
    }

    fn item(request: &mut Request) -> Item {
        match request.take(None) {
            Ok(Taken::Item(item, _)) => item,
            _ => panic!("no item"),
        }
    }

    #[test]
    fn chunks_come_in_order_and_then_the_end_for_ever() {
        let mut request = Request::new(1, true);
        assert!(matches!(request.take(None), Ok(Taken::Nothing)));
        assert!(request.chunk(chunk(0)));
        assert!(request.answer(Item::Deleted));
        assert!(!request.chunk(chunk(1)), "nothing counts behind the answer");
        assert!(!request.answer(Item::Deleted));
        assert!(matches!(item(&mut request), Item::Chunk(_)));
        assert!(matches!(item(&mut request), Item::Deleted));
        assert!(matches!(item(&mut request), Item::End));
        assert!(matches!(item(&mut request), Item::End));
    }

    #[test]
    fn credit_is_given_back_at_half_a_window() {
        let mut request = Request::new(1, true);
        let mut granted = 0;
        for sequence in 0..u64::from(TOOL_CHUNK_WINDOW) * 3 {
            assert!(request.chunk(chunk(sequence)));
            let Ok(Taken::Item(Item::Chunk(_), grant)) = request.take(None) else { panic!() };
            assert!(grant.is_none_or(|chunks| chunks == TOOL_CREDIT_GRANT));
            granted += grant.unwrap_or(0);
        }
        assert_eq!(granted, TOOL_CHUNK_WINDOW * 3);
    }

    #[test]
    fn a_host_beyond_its_window_or_out_of_order_ends_the_request() {
        let mut flooded = Request::new(1, true);
        for sequence in 0..=u64::from(TOOL_CHUNK_WINDOW) {
            assert!(flooded.chunk(chunk(sequence)));
        }
        assert!(!flooded.chunk(chunk(0)));
        let last = flooded.items.pop_back();
        assert!(matches!(last, Some(Item::Error(error)) if error.status == STATUS_PROTOCOL));

        let mut disordered = Request::new(1, true);
        assert!(disordered.chunk(chunk(1)));
        assert!(matches!(item(&mut disordered), Item::Error(error) if error.status == 22));
    }

    #[test]
    fn cancel_beats_what_is_queued_and_death_does_not() {
        let closed = Refusal::Closed("gone".into());
        let mut dead = Request::new(1, true);
        dead.chunk(chunk(0));
        assert!(matches!(dead.take(Some(&closed)), Ok(Taken::Item(Item::Chunk(_), _))));
        assert!(matches!(dead.take(Some(&closed)), Err(Refusal::Closed(_))));

        let mut cancelled = Request::new(7, true);
        cancelled.chunk(chunk(0));
        cancelled.call_cancelled(9);
        assert!(matches!(cancelled.take(None), Err(Refusal::Cancelled { call_id: 7, .. })));
        assert!(!cancelled.drop_it(), "the host knows already");
    }

    #[test]
    fn only_an_open_tool_is_cancelled_at_the_host() {
        assert!(Request::new(1, true).drop_it());
        assert!(!Request::new(1, false).drop_it());
        let mut answered = Request::new(1, true);
        answered.answer(Item::Deleted);
        assert!(!answered.drop_it());
        assert!(matches!(item(&mut answered), Item::End));
        assert!(Request::new(1, true).call_ended());
    }
}
