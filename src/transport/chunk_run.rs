//! Chunks of one call that came one after the other in one message: they go on to the call
//! together, so that locks are taken, and the consumer is woken, once for all of them.
//!
//! Nothing waits here: whoever reads a message flushes at its end. Knows nothing of what a chunk is
//! for.

use crate::core::Value;

use super::link::WorkerLink;

/// The chunks that wait for the end of their run.
#[derive(Default)]
pub struct ChunkRun {
    call: u64,
    chunks: Vec<(u64, Value)>,
}

impl ChunkRun {
    /// Adds a chunk, behind the run of another call if there is one.
    pub fn push(&mut self, link: &WorkerLink, call: u64, sequence: u64, value: Value) {
        if self.call != call || self.chunks.len() >= CHUNKS_MAX {
            self.flush(link);
            self.call = call;
        }
        self.chunks.push((sequence, value));
    }

    /// Lets the call have them; those of one that is not there were given up.
    pub fn flush(&mut self, link: &WorkerLink) {
        if self.chunks.is_empty() {
            return;
        }
        let chunks = std::mem::take(&mut self.chunks);
        if let Some(call) = link.call(self.call) {
            call.chunks(chunks);
        }
    }
}

/// The first of a run is not to wait long for the last to be checked.
const CHUNKS_MAX: usize = 64;
