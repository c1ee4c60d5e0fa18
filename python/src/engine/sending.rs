//! What Python sends for its calls: chunks and the one result.
//!
//! Part of the link's state: the caller holds the lock. No function here waits; [`Attempt::Wait`]
//! says where to.

use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::worker_frame::Kind;

use super::calls::Call;
use super::requests::Request;
use super::shared::Attempt;
use super::state::{Incoming, Refusal, State};

impl State {
    /// Sends `outcome` as the one result of a call; the call and its requests are over.
    pub fn send_result(
        &mut self,
        call_id: u64,
        outcome: &mut Option<pb::call_result::Outcome>,
    ) -> Attempt<Result<(), Refusal>> {
        if let Some(refusal) = self.closed().cloned() {
            return Attempt::Done(Err(refusal));
        }
        if !self.calls.contains_key(&call_id) {
            return Attempt::Done(Err(Refusal::NoCall(call_id)));
        }
        if !self.outbox.has_room() {
            return Attempt::Wait(self.outbox.room.clone());
        }
        if let Some(call) = self.calls.remove(&call_id) {
            self.end_requests(call);
        }
        self.outbox.push(Kind::Result(pb::CallResult { call_id, outcome: outcome.take() }));
        Attempt::Done(Ok(()))
    }

    /// Sends `payload` as the one result of a call, if the call was not given up and there is room;
    /// otherwise nothing is done.
    pub fn try_send_result(&mut self, call_id: u64, payload: pb::Payload) -> bool {
        if self.live_call(call_id).is_err() {
            return false;
        }
        let mut outcome = Some(pb::call_result::Outcome::Payload(payload));
        matches!(self.send_result(call_id, &mut outcome), Attempt::Done(Ok(())))
    }

    /// Sends a chunk for one credit.
    pub fn send_chunk(
        &mut self,
        call_id: u64,
        payload: &mut Option<pb::Payload>,
    ) -> Attempt<Result<(), Refusal>> {
        if let Err(refusal) = self.live_call(call_id) {
            return Attempt::Done(Err(refusal));
        }
        if !self.outbox.has_room() {
            return Attempt::Wait(self.outbox.room.clone());
        }
        let Some(call) = self.calls.get_mut(&call_id) else {
            return Attempt::Done(Err(Refusal::ended(call_id)));
        };
        let Some(sequence) = call.spend() else { return Attempt::Wait(call.waiter()) };
        let payload = payload.take();
        self.outbox.push(Kind::Chunk(pb::CallChunk { call_id, sequence, payload }));
        Attempt::Done(Ok(()))
    }

    /// Asks for one `Credit` frame as soon as a chunk can be sent, or can no longer be.
    pub fn arm_credit(&mut self, call_id: u64) {
        let has_room = self.outbox.has_room();
        match self.calls.get_mut(&call_id) {
            Some(call) if call.cancelled.is_none() && !(has_room && call.credit > 0) => {
                if !call.armed {
                    call.armed = true;
                    self.armed.push(call_id);
                }
            }
            _ => self.deliver(Incoming::Credit(call_id)),
        }
    }

    /// Delivers the `Credit` frames that are due now.
    pub fn fire_armed(&mut self) {
        if self.armed.is_empty() {
            return;
        }
        let has_room = self.outbox.has_room();
        let armed = std::mem::take(&mut self.armed);
        for call_id in armed {
            let is_due = match self.calls.get_mut(&call_id) {
                Some(call) => {
                    let is_due = call.cancelled.is_some() || (has_room && call.credit > 0);
                    call.armed = !is_due;
                    is_due
                }
                None => true,
            };
            match is_due {
                true => self.deliver(Incoming::Credit(call_id)),
                false => self.armed.push(call_id),
            }
        }
    }

    /// Whether a call is cancelled, or over.
    pub fn is_cancelled(&self, call_id: u64) -> bool {
        self.calls.get(&call_id).is_none_or(|call| call.cancelled.is_some())
    }

    /// Says that all calls are finished after a drain.
    pub fn send_drained(&mut self) -> Result<(), Refusal> {
        if let Some(refusal) = self.closed() {
            return Err(refusal.clone());
        }
        self.outbox.push(Kind::Drained(pb::Drained {}));
        Ok(())
    }

    fn end_requests(&mut self, call: Call) {
        self.wakes.all.extend(call.waiter);
        for request_id in call.requests {
            let must_tell = self.requests.get_mut(&request_id).is_some_and(Request::call_ended);
            if must_tell {
                self.outbox.push(Kind::ToolCancel(pb::ToolCancel { request_id }));
            }
            self.touch(request_id);
        }
    }
}
