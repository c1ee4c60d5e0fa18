//! Hands a worker's lines to the adapter and keeps the end of its standard error.

use std::sync::Arc;

use parking_lot::Mutex;

use super::super::adapter::{Adapter, OutputStream};
use super::super::ids::WorkerId;
use super::super::process::{Listener, Tail};

/// Hands what is printed to the adapter, and keeps the end of the standard error.
pub(super) struct Ear<A> {
    pub adapter: Arc<A>,
    pub worker: WorkerId,
    pub tail: Arc<Mutex<Tail>>,
}

impl<A: Adapter> Listener for Ear<A> {
    fn bytes(&self, stream: OutputStream, bytes: &[u8]) {
        if stream == OutputStream::Stderr {
            self.tail.lock().push(bytes);
        }
    }

    fn line(&self, stream: OutputStream, line: &str) {
        self.adapter.output(self.worker, stream, line);
    }
}
