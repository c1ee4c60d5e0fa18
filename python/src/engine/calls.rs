//! The calls that this worker runs: their credit, their chunk numbers, whether they are cancelled.
//!
//! Part of the link's state: the caller holds the lock. Knows nothing of Python or the network.

use std::sync::Arc;

use parking_lot::Condvar;
use rustc_hash::FxHashMap;

/// Calls that were received and have not ended, by their number.
pub type Calls = FxHashMap<u64, Call>;

/// One call between its arrival and its result.
#[derive(Default)]
pub struct Call {
    /// Its session's incarnation; 0: nothing of it is cached.
    pub session: u64,
    /// Chunks that may be sent now.
    pub credit: u64,
    /// The number of the next chunk.
    pub next_sequence: u64,
    /// The host's reason, once it has given the call up.
    pub cancelled: Option<i32>,
    /// An asyncio task wants a frame when it may send again.
    pub armed: bool,
    /// The requests that were made on behalf of this call and still exist.
    pub requests: Vec<u64>,
    /// Where a thread waits for credit; made by the first that does.
    pub waiter: Option<Arc<Condvar>>,
}

impl Call {
    /// Takes one credit and gives the chunk its number.
    pub fn spend(&mut self) -> Option<u64> {
        self.credit = self.credit.checked_sub(1)?;
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        Some(sequence)
    }

    /// Where to wait for credit.
    pub fn waiter(&mut self) -> Arc<Condvar> {
        self.waiter.get_or_insert_default().clone()
    }
}
