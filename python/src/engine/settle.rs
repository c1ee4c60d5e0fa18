//! Received attachments made fit to be kept: small ones leave the message they came in, and tensors
//! start at an address that suits their elements.
//!
//! Done on the link's thread before the state sees the frame, so that neither the lock nor the GIL
//! is held for it. Knows nothing of what a frame means.

use bytes::Bytes;
use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::attachment::Kind as Attached;
use snakepit_bridge_proto::host_frame::Kind;

use crate::limits::DETACH_BYTES_MAX;

/// Settles all attachments of a message.
pub fn settle(frames: &mut [pb::HostFrame]) {
    for frame in frames {
        let payload = match &mut frame.kind {
            Some(Kind::Call(call)) => call.parameters.as_mut(),
            Some(Kind::ToolChunk(chunk)) => chunk.payload.as_mut(),
            Some(Kind::ToolResponse(response)) => match &mut response.outcome {
                Some(pb::tool_response::Outcome::Payload(payload)) => Some(payload),
                _ => None,
            },
            Some(Kind::StateResponse(response)) => {
                settle_variables(response);
                None
            }
            _ => None,
        };
        payload.into_iter().for_each(settle_payload);
    }
}

fn settle_variables(response: &mut pb::StateResponse) {
    use pb::state_response::Outcome;
    let variables = match &mut response.outcome {
        Some(Outcome::Variable(variable)) => std::slice::from_mut(variable),
        Some(Outcome::Variables(variables)) => variables.variables.as_mut_slice(),
        _ => return,
    };
    variables.iter_mut().filter_map(|variable| variable.value.as_mut()).for_each(settle_payload);
}

fn settle_payload(payload: &mut pb::Payload) {
    for attachment in &mut payload.attachments {
        match &mut attachment.kind {
            Some(Attached::Blob(blob)) => settle_bytes(blob, 1),
            Some(Attached::Tensor(tensor)) => settle_bytes(&mut tensor.data, ALIGNMENT),
            None => {}
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
