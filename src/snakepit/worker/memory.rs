//! How much memory a worker takes, with everything it has started: what is measured now and then,
//! and held against the limit.
//!
//! The measure is read from `/proc` on the runtime's own thread: about ten short files for a worker
//! of ten threads, a tenth of a millisecond, once per probe interval. Nothing of it is on the way
//! of a call.

use super::super::adapter::Adapter;
use super::super::exit::Cause;
use super::super::lifecycle::Event;
use super::super::os;
use super::super::process::Guarded;
use super::life::Life;
use tokio::time::Instant;

impl<A: Adapter> Life<A> {
    /// Weighs the worker's tree, and says so if it is too heavy. Arms the next time.
    pub(super) fn weigh(&mut self, guarded: &Guarded) -> Option<Event> {
        self.weigh_at = Instant::now().checked_add(self.shared.config.probe_interval);
        if let Some(oom) = &mut self.oom {
            oom.look();
        }
        let config = &self.shared.config;
        let limit = config.memory_hard_bytes;
        let lowest = [limit, config.terms.memory_soft_bytes].into_iter().flatten().min();
        // Without an answer (no descriptor free, the guard gone) the last one stands.
        let bytes = tree_bytes(guarded.guard_pid()?, lowest)?;
        self.note_row(|row| row.resident_bytes = Some(bytes));
        let limit = limit.filter(|limit| bytes > *limit)?;
        let reason = format!("it takes {bytes} bytes of memory, hard limit {limit}");
        self.blame(Cause::Memory, reason);
        Some(Event::MemoryExceeded)
    }
}

/// What everything below `guard` has in memory. Up to `exact_above` the sum may count pages twice
/// that are shared within the tree or with a template; beyond it they are divided fairly, so that
/// nobody is judged by another's pages.
fn tree_bytes(guard: u32, exact_above: Option<u64>) -> Option<u64> {
    let tree = os::descendants_of(guard);
    let resident = sum(tree.iter().map(|pid| os::resident_bytes(*pid)))?;
    if exact_above.is_none_or(|limit| resident <= limit) {
        return Some(resident);
    }
    let fair = |pid: &u32| os::proportional_bytes(*pid).or_else(|| os::resident_bytes(*pid));
    sum(tree.iter().map(fair))
}

/// Of those that are known: a process may end while it is looked at. `None` if nothing is.
fn sum(parts: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    parts.flatten().fold(None, |sum, bytes| Some(sum.unwrap_or(0) + bytes))
}
