//! What Python asks of the host, from the request's frame to the end of its object.
//!
//! Part of the link's state: the caller holds the lock. No function here waits; [`Attempt::Wait`]
//! says where to.

use std::sync::Arc;

use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::worker_frame::Kind;

use super::requests::{Item, Request, Taken};
use super::shared::Attempt;
use super::state::{Incoming, Refusal, State};
use crate::limits::REQUESTS_MAX;

impl State {
    /// Opens a request for a call; `frame` makes the frame that asks for it from its new number,
    /// and is taken once there is room.
    pub fn open_request(
        &mut self,
        call_id: u64,
        is_stream: bool,
        frame: &mut Option<impl FnOnce(u64) -> Kind>,
    ) -> Attempt<Result<u64, Refusal>> {
        if let Err(refusal) = self.live_call(call_id) {
            return Attempt::Done(Err(refusal));
        }
        if self.requests.len() >= REQUESTS_MAX {
            return Attempt::Done(Err(Refusal::RequestsFull));
        }
        if !self.outbox.has_room() {
            return Attempt::Wait(self.outbox.room.clone());
        }
        self.last_request += 1;
        let request_id = self.last_request;
        if let Some(call) = self.calls.get_mut(&call_id) {
            call.requests.push(request_id);
        }
        self.requests.insert(request_id, Request::new(call_id, is_stream));
        if let Some(frame) = frame.take() {
            self.outbox.push(frame(request_id));
        }
        Attempt::Done(Ok(request_id))
    }

    /// A variable that was read before and has not changed since. Why the call can ask nothing any
    /// more comes first.
    pub fn cached(
        &mut self,
        call_id: u64,
        name: &str,
    ) -> Result<Option<Arc<pb::Variable>>, Refusal> {
        self.live_call(call_id)?;
        let session = self.calls.get(&call_id).map_or(0, |call| call.session);
        Ok(self.cache.get(session, name))
    }

    /// The next item of a request; gives credit back to its tool.
    pub fn take_item(&mut self, request_id: u64) -> Attempt<Result<Item, Refusal>> {
        let closed = self.closed().cloned();
        let Some(request) = self.requests.get_mut(&request_id) else {
            return Attempt::Done(Ok(Item::End));
        };
        match request.take(closed.as_ref()) {
            Ok(Taken::Item(item, grant)) => {
                if let Some(chunks) = grant {
                    self.outbox.push(Kind::ToolCredit(pb::ToolCredit { request_id, chunks }));
                }
                Attempt::Done(Ok(item))
            }
            Ok(Taken::Nothing) => Attempt::Wait(request.ready.clone()),
            Err(refusal) => Attempt::Done(Err(refusal)),
        }
    }

    /// Asks for one `Ready` frame as soon as the request has something to say.
    pub fn arm_request(&mut self, request_id: u64) {
        match self.requests.get_mut(&request_id) {
            Some(request) if !request.is_ready() => request.armed = true,
            _ => self.deliver(Incoming::Ready(request_id)),
        }
    }

    /// Python gives a request up; its tool is cancelled if it still runs.
    pub fn drop_request(&mut self, request_id: u64) {
        let Some(request) = self.requests.get_mut(&request_id) else { return };
        if request.drop_it() {
            self.outbox.push(Kind::ToolCancel(pb::ToolCancel { request_id }));
        }
        self.touch(request_id);
    }

    /// The Python object behind a request is gone.
    pub fn forget_request(&mut self, request_id: u64) {
        self.drop_request(request_id);
        let Some(request) = self.requests.remove(&request_id) else { return };
        let Some(call) = self.calls.get_mut(&request.call_id) else { return };
        if let Some(place) = call.requests.iter().position(|&other| other == request_id) {
            call.requests.swap_remove(place);
        }
    }

    /// Wakes whoever waits for a request.
    pub fn touch(&mut self, request_id: u64) {
        let Some(request) = self.requests.get_mut(&request_id) else { return };
        self.wakes.all.push(request.ready.clone());
        if std::mem::take(&mut request.armed) {
            self.deliver(Incoming::Ready(request_id));
        }
    }
}
