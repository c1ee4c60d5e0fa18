//! How a pool stands: which phase its workers put it in, and whom it refuses because of that.
//!
//! Questions and short steps under the pool's lock. What the phases mean is the pure machine's
//! matter; how they are told to the owner is in `stats`.

use std::sync::Arc;

use tokio::time::Instant;

use super::adapter::Adapter;
use super::admission::{Claim, Home};
use super::error::{PoolError, StartFailure};
use super::exit::Cause;
use super::expectation::is_hopeless;
use super::lifecycle::{Phase, PoolEvent, SlotState};
use super::shared::State;

impl<A: Adapter> State<A> {
    /// An error unless work may be given out.
    pub fn check_open(&self) -> Result<(), PoolError> {
        match self.phase {
            Phase::Starting | Phase::Healthy | Phase::Degraded | Phase::Failed => Ok(()),
            Phase::Draining | Phase::Drained => Err(PoolError::Drained),
            Phase::Stopping | Phase::Stopped => Err(PoolError::Closed),
        }
    }

    /// Refuses one who would wait in vain, as far as one can tell.
    pub fn check_deadline(
        &self,
        home: Option<Home>,
        claim: Claim,
        deadline: Option<Instant>,
        now: Instant,
    ) -> Result<(), PoolError> {
        let Some(deadline) = deadline else { return Ok(()) };
        let (ahead, places) = self.admission.ahead(home, claim);
        let Some(expected) = self.expectation.wait(ahead, places) else { return Ok(()) };
        let remaining = deadline.saturating_duration_since(now);
        if is_hopeless(expected, remaining) {
            return Err(PoolError::CannotMeet { expected, remaining });
        }
        Ok(())
    }

    /// Brings the phase up to date with what the workers are like.
    pub fn assess(&mut self) {
        self.phase = self.phase.step(self.condition());
    }

    fn condition(&self) -> PoolEvent {
        let ready = self.admission.open_seats();
        if self.failure().is_some() {
            return PoolEvent::Hopeless;
        }
        let failing = self.replacing.trouble.is_some()
            || self.slots.iter().any(|slot| slot.state == SlotState::Quarantined);
        if ready > 0 && failing {
            return PoolEvent::Failing;
        }
        if ready >= self.size.min {
            return PoolEvent::Complete;
        }
        let in_trouble = self.slots.iter().any(|slot| slot.trouble.is_some());
        if ready > 0 && in_trouble { PoolEvent::Failing } else { PoolEvent::Short }
    }

    /// Set while no worker can be expected soon.
    pub fn failure(&self) -> Option<Arc<StartFailure>> {
        let last = self.last_failure.as_ref()?;
        let hopeless = last.cause == Cause::Exhausted || self.intensity.is_failing(Instant::now());
        (self.admission.open_seats() == 0 && hopeless).then(|| last.clone())
    }
}
