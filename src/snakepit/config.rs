//! Every number that a pool obeys. There are no defaults here: whoever owns the pool owns its
//! limits.

use std::sync::Arc;
use std::time::Duration;

use super::recycling::Terms;
use super::registry::Instance;

/// How a pool behaves. Fixed for its life, except for the number of workers.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Appears in messages and on the guards' command lines.
    pub name: String,
    /// Where the pool's processes are recorded, and what marks them. Several pools may share one,
    /// if their names differ.
    pub instance: Arc<Instance>,
    /// Workers to keep, whatever the load.
    pub workers: usize,
    /// Workers to have under load; fewer than `workers` counts as `workers`.
    pub workers_max: usize,
    /// One more worker when a caller has waited for so long, and again each time it has passed.
    pub grow_after: Duration,
    /// One fewer when a worker has been idle for so long.
    pub shrink_after: Duration,
    /// How long a worker serves before another takes its place.
    pub terms: Terms,
    /// Workers that are being replaced at the same time.
    pub replacements_max: usize,
    /// Leases that one worker runs at once, lent ones not counted.
    pub calls_per_worker: usize,
    /// Leases of one worker, lent ones included.
    pub held_max: usize,
    /// Callers waiting for a worker; further ones are refused, but for the first of a group, up to
    /// as many again.
    pub queue_max: usize,
    /// Workers that start at the same time.
    pub concurrent_starts: usize,
    /// From the description to readiness.
    pub start_timeout: Duration,
    /// The first and the longest rest before a slot is started again after a failure; it doubles in
    /// between.
    pub restart_backoff_min: Duration,
    pub restart_backoff_max: Duration,
    /// The rest after a start for which there was no descriptor, process or memory left. It does
    /// not double.
    pub exhaustion_rest: Duration,
    /// Starts that may fail within the window, or in a row, before the pool counts as failing.
    pub restart_failures_max: usize,
    /// Also how long a worker has to serve for the earlier failures of its slot to be forgotten.
    pub restart_window: Duration,
    /// The rest of a slot whose starts fail that many times in a row while other workers serve.
    pub quarantine: Duration,
    /// Between two probes of a worker.
    pub probe_interval: Duration,
    /// How long a probe may go without an answer.
    pub probe_timeout: Duration,
    /// Memory that a worker with everything it has started may take before it is killed at once;
    /// measured once per probe interval. `None`: any.
    pub memory_hard_bytes: Option<u64>,
    /// What a worker without a sign of life has for printing where it stands, after ABRT, before
    /// KILL.
    pub abort_grace: Duration,
    /// After a worker was asked to leave, before TERM; after TERM, before KILL.
    pub kill_grace: Duration,
    /// How long a worker that broke its link may take to end by itself, so that its own exit is
    /// seen.
    pub lost_grace: Duration,
    /// Kept of what a worker last printed to its standard error.
    pub stderr_tail_bytes: usize,
    /// Longest line handed to the adapter; the rest of a longer one is dropped, with a note.
    pub output_line_bytes_max: usize,
}
