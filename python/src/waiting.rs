//! Waiting on the link from Python: first a try with the GIL held, then sleeping without it.
//!
//! Most things are done at the first try, and giving the GIL away for them would invite another
//! thread to keep it. The main thread sleeps in short pieces, so that Python's signal handlers run.
//! Knows nothing of what is waited for.

use std::time::Duration;

use pyo3::prelude::*;
use tokio::time::Instant;

use crate::engine::state::State;
use crate::engine::{Attempt, Shared};
use crate::limits::{SIGNAL_CHECK, WAIT_PIECE};

/// Tries `act` until it is done. `None` when `timeout` (none: no limit) passed first. The GIL is
/// released while it sleeps; an exception raised by a signal handler ends the wait.
pub fn wait<T: Send>(
    py: Python<'_>,
    shared: &Shared,
    timeout: Option<Duration>,
    mut act: impl FnMut(&mut State) -> Attempt<T> + Send,
) -> PyResult<Option<T>> {
    if let Some(done) = shared.attempt(&mut act) {
        return Ok(Some(done));
    }
    let started = Instant::now();
    let piece_max = if is_main_thread() { SIGNAL_CHECK } else { WAIT_PIECE };
    loop {
        let piece = match timeout {
            Some(limit) => limit.saturating_sub(started.elapsed()).min(piece_max),
            None => piece_max,
        };
        if piece.is_zero() {
            return Ok(None);
        }
        let until = Instant::now() + piece;
        if let Some(done) = py.detach(|| shared.wait(until, &mut act)) {
            return Ok(Some(done));
        }
        py.check_signals()?;
    }
}

/// [`wait`] for what only ends by being done.
pub fn wait_done<T: Send>(
    py: Python<'_>,
    shared: &Shared,
    act: impl FnMut(&mut State) -> Attempt<T> + Send,
) -> PyResult<T> {
    match wait(py, shared, None, act)? {
        Some(done) => Ok(done),
        // Without a limit, only done or an exception ends it.
        None => Err(crate::errors::link_closed(py, "wait without a limit ended")),
    }
}

/// The thread that the process began with, or was forked from: the one where Python handles
/// signals.
fn is_main_thread() -> bool {
    nix::unistd::gettid() == nix::unistd::getpid()
}
