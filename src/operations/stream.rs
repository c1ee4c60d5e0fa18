//! Back-pressure of a stream: a chunk carries a credit, and only when the consumer lets go of it
//! may its sender (a worker, or a tool of the host) send another. Credits go back in batches of
//! half a window, so that they cost little.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::core::{CallId, Value};

/// One piece of a stream, as the consumer gets it.
#[derive(Debug)]
pub struct Chunk {
    /// Counts from 0.
    pub sequence: u64,
    pub value: Value,
    /// Drop it when the chunk has been taken: that lets the worker go on.
    pub credit: ChunkCredit,
}

/// The right to one more chunk; dropping gives it back to the sender.
pub struct ChunkCredit {
    meter: Arc<ChunkMeter>,
}

/// Counts what the consumer has taken and tells the sender now and then.
pub struct ChunkMeter {
    call: CallId,
    give: Box<dyn Fn(u32) + Send + Sync>,
    batch: u32,
    taken: AtomicU32,
}

impl ChunkMeter {
    /// A meter for the stream of `call`, whose sender started with `window` credits; `give` gives
    /// it more. It is called wherever a credit is dropped, under the locks held there: it must take
    /// none of an operation's or a tool call's.
    pub fn new(call: CallId, window: u32, give: impl Fn(u32) + Send + Sync + 'static) -> Arc<Self> {
        let batch = (window / 2).max(1);
        Arc::new(ChunkMeter { call, give: Box::new(give), batch, taken: AtomicU32::new(0) })
    }

    pub fn credit(self: &Arc<Self>) -> ChunkCredit {
        ChunkCredit { meter: self.clone() }
    }

    fn give_back(&self) {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed) + 1;
        if taken.is_multiple_of(self.batch) {
            (self.give)(self.batch);
        }
    }
}

impl Drop for ChunkCredit {
    fn drop(&mut self) {
        self.meter.give_back();
    }
}

impl std::fmt::Debug for ChunkCredit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChunkCredit(call {})", self.meter.call.0)
    }
}
