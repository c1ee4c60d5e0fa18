//! Received attachments made fit to be kept: what the host has put into shared memory is looked up,
//! small content leaves the message it came in, and tensors start at an address that suits their
//! elements.
//!
//! Done on the link's thread before the state sees the frame, so that neither the lock nor the GIL
//! is held for it. Where content cannot be had, the frame says so instead.

use bytes::Bytes;
use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::attachment::Kind as Attached;
use snakepit_bridge_proto::host_frame::Kind;

use super::sharing::Sharing;
use crate::limits::DETACH_BYTES_MAX;
use crate::shared_memory::Fault;

/// Settles all attachments of a message. The calls whose content cannot be had are taken out: their
/// results say why.
#[must_use]
pub fn settle(frames: &mut Vec<pb::HostFrame>, sharing: &Sharing) -> Vec<pb::CallResult> {
    let mut refused = Vec::new();
    frames.retain_mut(|frame| {
        let Some(kind) = &mut frame.kind else { return true };
        let mut fault = None;
        for payload in payloads_mut(kind) {
            fault = sharing.resolve(payload).err().or(fault);
            settle_payload(payload);
        }
        match (fault, &mut *kind) {
            (None, Kind::RegionNotes(notes)) => {
                sharing.heed(notes);
                false
            }
            (None, _) => true,
            (Some(fault), Kind::Call(call)) => {
                let outcome = Some(pb::call_result::Outcome::Error(error_of(fault)));
                refused.push(pb::CallResult { call_id: call.call_id, outcome });
                false
            }
            (Some(fault), _) => {
                put_error(kind, error_of(fault));
                true
            }
        }
    });
    refused
}

fn payloads_mut(kind: &mut Kind) -> Vec<&mut pb::Payload> {
    use pb::state_response::Outcome as State;
    use pb::tool_response::Outcome as Tool;
    let variables = match kind {
        Kind::Call(call) => return call.parameters.iter_mut().collect(),
        Kind::ToolChunk(chunk) => return chunk.payload.iter_mut().collect(),
        Kind::StateChange(change) => return change.value.iter_mut().collect(),
        Kind::ToolResponse(pb::ToolResponse { outcome: Some(Tool::Payload(payload)), .. }) => {
            return vec![payload];
        }
        Kind::StateResponse(response) => match &mut response.outcome {
            Some(State::Variable(variable)) => std::slice::from_mut(variable),
            Some(State::Variables(variables)) => variables.variables.as_mut_slice(),
            Some(State::Found(found)) => found.variables.as_mut_slice(),
            Some(State::History(past)) => {
                return past.values.iter_mut().filter_map(|past| past.value.as_mut()).collect();
            }
            _ => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    variables.iter_mut().filter_map(|variable| variable.value.as_mut()).collect()
}

/// The end of whatever the frame belongs to.
fn put_error(kind: &mut Kind, error: pb::Error) {
    match kind {
        Kind::ToolChunk(pb::ToolChunk { request_id, .. })
        | Kind::ToolResponse(pb::ToolResponse { request_id, .. }) => {
            let outcome = Some(pb::tool_response::Outcome::Error(error));
            *kind = Kind::ToolResponse(pb::ToolResponse { request_id: *request_id, outcome });
        }
        Kind::StateChange(pb::StateChange { request_id, .. }) => {
            let outcome = Some(pb::state_response::Outcome::Error(error));
            *kind = Kind::StateResponse(pb::StateResponse {
                request_id: *request_id,
                outcome,
                cacheable: false,
            });
        }
        Kind::StateResponse(response) => {
            response.outcome = Some(pb::state_response::Outcome::Error(error));
        }
        _ => {}
    }
}

fn error_of(fault: Fault) -> pb::Error {
    let (status, message) = match fault {
        Fault::Missing(why) => (STATUS_RESOURCE_EXHAUSTED, why),
        Fault::Impossible(what) => (STATUS_PROTOCOL, format!("host broke the contract: {what}")),
    };
    pb::Error { status, message, ..pb::Error::default() }
}

fn settle_payload(payload: &mut pb::Payload) {
    for attachment in &mut payload.attachments {
        match &mut attachment.kind {
            Some(Attached::Blob(blob)) => settle_bytes(blob, 1),
            Some(Attached::Tensor(tensor)) => settle_bytes(&mut tensor.data, ALIGNMENT),
            Some(Attached::Shared(_)) | None => {}
        }
    }
}

/// A copy comes from the allocator, which aligns for every element type.
fn settle_bytes(bytes: &mut Bytes, alignment: usize) {
    let is_aligned = bytes.as_ptr().addr().is_multiple_of(alignment);
    if bytes.len() <= DETACH_BYTES_MAX || !is_aligned {
        *bytes = Bytes::copy_from_slice(bytes);
    }
}

/// Of the widest element.
const ALIGNMENT: usize = 8;
/// `Status::ResourceExhausted` and `Status::Protocol` of the platform.
const STATUS_RESOURCE_EXHAUSTED: i32 = 17;
const STATUS_PROTOCOL: i32 = 22;
