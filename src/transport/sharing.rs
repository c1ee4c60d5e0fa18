//! One worker's part in shared memory: its lane, what it was lent, what was borrowed from it.
//!
//! Without a lane there is no `Sharing`, and everything travels in messages.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::host_frame::Kind;

use crate::core::limits::{SHARED_BYTES_MIN, SHARED_PER_WORKER_BYTES_MAX};
use crate::core::{Attachment, Error, Result, Status, Tensor, Value};
use crate::shared_memory::{self, Borrower, Fault, Lane, Lender, Notes};

use super::outbox::Outbox;
use super::shared_payload::{content_mut, resolve, share};
use super::wire;

/// What is shared with one worker.
pub struct Sharing {
    lender: Arc<Lender>,
    borrower: Borrower,
}

impl Sharing {
    /// Over the worker's lane; notes go out by `outbox`.
    pub fn new(lane: OwnedFd, outbox: Outbox) -> Self {
        let lane = Arc::new(Lane::new(lane));
        let notes: Arc<dyn Notes> = Arc::new(OutboxNotes(outbox));
        let pool = shared_memory::pool().clone();
        Sharing {
            lender: Lender::new(pool, lane.clone(), notes.clone()),
            borrower: Borrower::new(lane, notes, SHARED_PER_WORKER_BYTES_MAX),
        }
    }

    /// A value for this worker: large content is placed in a region, if it does not lie in one, and
    /// named instead of sent.
    pub fn payload_of(&self, value: Value) -> pb::Payload {
        let mut payload = wire::payload_of(value);
        for kind in payload.attachments.iter_mut().filter_map(|item| item.kind.as_mut()) {
            if let Some(content) = content_mut(kind) {
                *content = shared_memory::placed(std::mem::take(content));
            }
        }
        share(&mut payload, &self.lender, SHARED_BYTES_MIN);
        payload
    }

    /// Puts the content in that the worker has named.
    pub fn resolve(&self, payload: &mut pb::Payload) -> Result<()> {
        resolve(payload, &self.borrower).map_err(|fault| match fault {
            Fault::Missing(why) => Error::new(Status::ResourceExhausted, why),
            Fault::Impossible(what) => wire::protocol(what),
        })
    }

    /// What the worker says of regions.
    pub fn heed(&self, notes: pb::RegionNotes) {
        notes.returned.into_iter().for_each(|region| self.lender.returned(region));
        notes.missing.into_iter().for_each(|region| self.lender.missing(region));
        notes.forgotten.into_iter().for_each(|region| self.borrower.forgotten(region));
    }

    /// The worker is gone, with all that it looked at.
    pub fn end(&self) {
        self.lender.end();
    }
}

/// The same value on memory of the host's own, which is nobody's else to write or to want back.
pub fn owned(value: Value) -> Result<Value> {
    if !value.attachments().iter().any(|item| shared_memory::is_large(item.bytes().len())) {
        return Ok(value);
    }
    let (json, attachments) = value.into_parts();
    let attachments = attachments.into_iter().map(|item| {
        Ok(match item {
            Attachment::Blob(blob) => Attachment::Blob(own_bytes(blob)),
            Attachment::Tensor(tensor) => {
                let data = own_bytes(tensor.data().clone());
                Attachment::Tensor(Tensor::new(tensor.dtype(), tensor.shape().to_vec(), data)?)
            }
        })
    });
    let attachments = attachments.collect::<Result<_>>()?;
    Value::new(json, attachments)
}

/// Ordinary memory where there is no region: what a worker owns is copied all the same.
fn own_bytes(bytes: bytes::Bytes) -> bytes::Bytes {
    match shared_memory::is_large(bytes.len()) {
        true if shared_memory::pool().find(&bytes).is_none() => shared_memory::bytes_of(&bytes),
        _ => bytes,
    }
}

/// Notes as frames. After the end of the stream nobody wants them.
struct OutboxNotes(Outbox);

impl OutboxNotes {
    fn push(&self, notes: pb::RegionNotes) {
        self.0.push(Kind::RegionNotes(notes));
    }
}

impl Notes for OutboxNotes {
    fn returned(&self, region: u64) {
        self.push(pb::RegionNotes { returned: vec![region], ..Default::default() });
    }

    fn missing(&self, region: u64) {
        self.push(pb::RegionNotes { missing: vec![region], ..Default::default() });
    }

    fn forgotten(&self, region: u64) {
        self.push(pb::RegionNotes { forgotten: vec![region], ..Default::default() });
    }
}
