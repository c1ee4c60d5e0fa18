//! Keeps signals away from the link's thread: they are Python's, which handles them on its own
//! threads.
//!
//! Signals that a thread raises by its own fault stay open, so that faulthandler can show them.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// Blocks every asynchronous signal in the calling thread until it is dropped. A thread started
/// meanwhile inherits the mask and keeps it.
pub struct Blocked {
    before: SigSet,
}

impl Blocked {
    pub fn new() -> nix::Result<Self> {
        let mut signals = SigSet::all();
        for fault in FAULTS {
            signals.remove(fault);
        }
        Ok(Blocked { before: signals.thread_swap_mask(SigmaskHow::SIG_BLOCK)? })
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // The mask was valid when it was read, so the call cannot fail.
        let _ = self.before.thread_set_mask();
    }
}

const FAULTS: [Signal; 7] = [
    Signal::SIGABRT,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGSEGV,
    Signal::SIGSYS,
    Signal::SIGTRAP,
];
