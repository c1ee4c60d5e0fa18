//! The pool's own housekeeping, apart from its slots: follows the load with the number of workers,
//! and has those replaced that have served long enough.
//!
//! One task per pool that sleeps until something is due or it is nudged. What is due is decided by
//! pure functions elsewhere.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::adapter::Adapter;
use super::lifecycle::Phase;
use super::moment::passed;
use super::shared::{Shared, State};
use super::sizing::{self, Facts, Pace};

/// Runs until the pool is stopped.
pub async fn keep_house<A: Adapter>(shared: Arc<Shared<A>>) {
    loop {
        let now = Instant::now();
        let next = {
            let mut state = shared.lock();
            match state.phase {
                Phase::Stopping | Phase::Stopped => return,
                Phase::Draining | Phase::Drained => None,
                _ => shared.look_after(&mut state, now),
            }
        };
        // Never in a tight circle, whatever was found.
        let next = next.map(|at| at.max(now + PAUSE));
        tokio::select! {
            () = passed(next) => {}
            () = shared.nudge.notified() => {}
        }
    }
}

impl<A: Adapter> Shared<A> {
    /// Does what is due, and returns when to look again.
    fn look_after(self: &Arc<Self>, state: &mut State<A>, now: Instant) -> Option<Instant> {
        let revive = state.revive_at.filter(|at| *at > now);
        if revive.is_none() && state.revive_at.take().is_some() {
            self.arrange(state);
        }
        let size = self.follow_load(state, now);
        let replacement = self.replace_due(state, now);
        [revive, size, replacement].into_iter().flatten().min()
    }

    fn follow_load(self: &Arc<Self>, state: &mut State<A>, now: Instant) -> Option<Instant> {
        if state.size.min == state.size.max {
            return None;
        }
        let pace =
            Pace { grow_after: self.config.grow_after, shrink_after: self.config.shrink_after };
        let since = |at: Instant| now.saturating_duration_since(at);
        let facts = Facts {
            wanted: state.wanted,
            waited: state.admission.waiting_since().map(since),
            since_growth: state.grown_at.map(since),
            idle: state.idle_since().map(since),
            failing: state.intensity.is_failing(now),
        };
        let wanted = sizing::wanted(state.size, pace, facts);
        if wanted > state.wanted {
            state.grown_at = Some(now);
        }
        let since_growth = state.grown_at.map(since);
        if wanted != state.wanted {
            state.wanted = wanted;
            self.arrange(state);
        }
        sizing::look_again(state.size, pace, Facts { wanted, since_growth, ..facts })
            .map(|rest| now + rest)
    }
}

const PAUSE: Duration = Duration::from_millis(5);
