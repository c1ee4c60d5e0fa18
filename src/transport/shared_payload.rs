//! Payloads whose large content travels through shared memory instead of the message.
//!
//! The last step before a payload is sent on an attach stream, and the first after one came. The
//! worker's extension module mounts this file: both ends do the same.

use std::sync::Arc;

use bytes::Bytes;
use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::attachment::Kind;

use crate::shared_memory::{Borrower, Fault, Lender, Place};

/// Puts a place for each attachment that lies in a region of ours and is to be had there.
pub fn share(payload: &mut pb::Payload, lender: &Arc<Lender>, bytes_min: usize) {
    for attachment in &mut payload.attachments {
        let Some(kind) = &mut attachment.kind else { continue };
        if content_mut(kind).is_some_and(|content| content.len() >= bytes_min)
            && let Some(shared) = shared(kind, lender)
        {
            *kind = Kind::Shared(shared);
        }
    }
}

/// Puts the content in for each place. All are looked at, also behind one that cannot be had, so
/// that the other side hears of each.
pub fn resolve(payload: &mut pb::Payload, borrower: &Borrower) -> Result<(), Fault> {
    let mut outcome = Ok(());
    for attachment in &mut payload.attachments {
        let Some(Kind::Shared(shared)) = &mut attachment.kind else { continue };
        let place = Place { region: shared.region, offset_bytes: shared.offset };
        match borrower.borrow(place, shared.length) {
            Err(fault) => outcome = Err(fault),
            Ok(data) => {
                let (dtype, shape) =
                    (std::mem::take(&mut shared.dtype), std::mem::take(&mut shared.shape));
                attachment.kind = Some(match dtype.as_str() {
                    "" => Kind::Blob(data),
                    _ => Kind::Tensor(pb::Tensor { dtype, shape, data }),
                });
            }
        }
    }
    outcome
}

/// The bytes of an attachment that are in the message.
pub fn content_mut(kind: &mut Kind) -> Option<&mut Bytes> {
    match kind {
        Kind::Blob(blob) => Some(blob),
        Kind::Tensor(tensor) => Some(&mut tensor.data),
        Kind::Shared(_) => None,
    }
}

fn shared(kind: &mut Kind, lender: &Arc<Lender>) -> Option<pb::Shared> {
    let content = content_mut(kind)?;
    let Place { region, offset_bytes: offset } = lender.lend(content)?;
    let length = u64::try_from(content.len()).ok()?;
    let (dtype, shape) = match kind {
        Kind::Tensor(tensor) => {
            (std::mem::take(&mut tensor.dtype), std::mem::take(&mut tensor.shape))
        }
        _ => Default::default(),
    };
    Some(pb::Shared { region, offset, length, dtype, shape })
}
