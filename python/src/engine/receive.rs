//! What the host's frames do to the link's state.
//!
//! A frame for a call or request that is over is ignored and counted: it crossed with the end on
//! its way. No function here waits, touches the network or calls Python.

use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::host_frame::Kind;
use tokio::time::Instant;

use super::calls::Call;
use super::requests::{Item, protocol_error};
use super::state::{Incoming, State};

impl State {
    /// Takes in all frames of one message that came at `now`.
    pub fn receive(&mut self, frames: Vec<pb::HostFrame>, now: Instant) {
        for frame in frames {
            self.frame(frame, now);
        }
        self.fire_armed();
    }

    fn frame(&mut self, frame: pb::HostFrame, now: Instant) {
        let known = match frame.kind {
            Some(Kind::Call(call)) => self.call(call, now),
            Some(Kind::Cancel(cancel)) => self.cancel(cancel),
            Some(Kind::Credit(credit)) => self.credit(credit),
            Some(Kind::ToolChunk(chunk)) => {
                let request_id = chunk.request_id;
                let request = self.requests.get_mut(&request_id);
                let known = request.is_some_and(|request| request.chunk(chunk));
                self.touched(request_id, known)
            }
            Some(Kind::ToolResponse(response)) => {
                self.answer(response.request_id, tool_item(response.outcome))
            }
            Some(Kind::ToolList(list)) => self.answer(list.request_id, list_item(list.outcome)),
            Some(Kind::StateResponse(response)) => {
                self.keep_if_cacheable(&response);
                self.answer(response.request_id, state_item(response.outcome))
            }
            Some(Kind::StateChange(change)) => {
                let request_id = change.request_id;
                let request = self.requests.get_mut(&request_id);
                let known = request.is_some_and(|request| request.change(change));
                self.touched(request_id, known)
            }
            Some(Kind::VariableGone(gone)) => {
                match gone.name.as_str() {
                    "" => self.cache.remove_session(gone.session_incarnation),
                    name => self.cache.remove(gone.session_incarnation, name),
                }
                true
            }
            Some(Kind::Names(names)) => {
                self.deliver(Incoming::Names(Box::new(names)));
                true
            }
            Some(Kind::Ping(ping)) => {
                self.outbox.push_pong(ping.number);
                true
            }
            Some(Kind::Drain(pb::Drain {})) => {
                self.deliver(Incoming::Drain);
                true
            }
            // Notes of regions were heeded before.
            Some(Kind::Welcome(_) | Kind::RegionNotes(_)) | None => false,
        };
        self.frames_ignored += u64::from(!known);
    }

    fn call(&mut self, call: pb::Call, now: Instant) -> bool {
        if self.calls.contains_key(&call.call_id) {
            return false;
        }
        self.inbox_bytes += call.parameters.as_ref().map_or(0, |parameters| parameters.json.len());
        let credit = u64::from(call.chunk_credit);
        let session = call.session_incarnation;
        self.calls.insert(call.call_id, Call { session, credit, ..Call::default() });
        self.deliver(Incoming::Call(Box::new(call), now));
        true
    }

    fn cancel(&mut self, cancel: pb::CallCancel) -> bool {
        let pb::CallCancel { call_id, reason } = cancel;
        let Some(call) = self.calls.get_mut(&call_id) else { return false };
        if call.cancelled.is_some() {
            return true;
        }
        call.cancelled = Some(reason);
        self.wakes.all.extend(call.waiter.clone());
        for request_id in call.requests.clone() {
            if let Some(request) = self.requests.get_mut(&request_id) {
                request.call_cancelled(reason);
            }
            self.touch(request_id);
        }
        // Who waits for room on behalf of this call has to look again.
        self.wakes.all.push(self.outbox.room.clone());
        self.deliver(Incoming::Cancel { call_id, reason });
        true
    }

    fn credit(&mut self, credit: pb::CallCredit) -> bool {
        let Some(call) = self.calls.get_mut(&credit.call_id) else { return false };
        call.credit = call.credit.saturating_add(u64::from(credit.chunks));
        self.wakes.all.extend(call.waiter.clone());
        true
    }

    /// Whether somebody still waits for the answer does not matter: the host reckons with it here.
    fn keep_if_cacheable(&mut self, response: &pb::StateResponse) {
        let Some(pb::state_response::Outcome::Variable(variable)) = &response.outcome else {
            return;
        };
        let request = self.requests.get(&response.request_id);
        let call = request.and_then(|request| self.calls.get(&request.call_id));
        let session = call.map_or(0, |call| call.session);
        if response.cacheable && session != 0 {
            self.cache.put(session, variable);
        }
    }

    fn answer(&mut self, request_id: u64, item: Item) -> bool {
        let request = self.requests.get_mut(&request_id);
        let known = request.is_some_and(|request| request.answer(item));
        self.touched(request_id, known)
    }

    fn touched(&mut self, request_id: u64, known: bool) -> bool {
        if known {
            self.touch(request_id);
        }
        known
    }
}

fn tool_item(outcome: Option<pb::tool_response::Outcome>) -> Item {
    use pb::tool_response::Outcome;
    match outcome {
        Some(Outcome::Payload(payload)) => Item::Payload(payload),
        Some(Outcome::Error(error)) => Item::Error(error),
        None => protocol_error("tool response without an outcome"),
    }
}

fn list_item(outcome: Option<pb::tool_list::Outcome>) -> Item {
    use pb::tool_list::Outcome;
    match outcome {
        Some(Outcome::ToolsJson(json)) => Item::Tools(json),
        Some(Outcome::Error(error)) => Item::Error(error),
        None => protocol_error("tool list without an outcome"),
    }
}

fn state_item(outcome: Option<pb::state_response::Outcome>) -> Item {
    use pb::state_response::Outcome;
    match outcome {
        Some(Outcome::Error(error)) => Item::Error(error),
        Some(Outcome::Variable(variable)) => Item::Variable(variable),
        Some(Outcome::Variables(variables)) => Item::Variables(variables.variables),
        Some(Outcome::Deleted(pb::Deleted {})) => Item::Deleted,
        Some(Outcome::Found(found)) => Item::Found(found),
        Some(Outcome::History(past)) => Item::History(past.values),
        None => protocol_error("state response without an outcome"),
    }
}
