//! The pool's refusals in the platform's words.

use std::time::Duration;

use serde_json::{Map, Value as Json};

use crate::core::{Error, Status};
use crate::snakepit::{Cause, PoolError, StartFailure};
use crate::telemetry::Refusal;

/// `error` of the pool named `pool`. A failed start comes with its journey and all that is kept of
/// the worker's standard error.
pub fn pool_error(pool: &str, error: PoolError) -> Error {
    let status = match &error {
        PoolError::Full { .. } => Status::ResourceExhausted,
        PoolError::DeadlinePassed { .. } | PoolError::CannotMeet { .. } => Status::Deadline,
        PoolError::HomeGone { .. } => Status::SessionWorkerUnavailable,
        PoolError::HomeBusy { .. } => Status::Busy,
        PoolError::CalledOff => Status::Cancelled,
        PoolError::Closed => Status::Closed,
        PoolError::Failed(failure) if failure.cause == Cause::Exhausted => {
            Status::ResourceExhausted
        }
        PoolError::Failed { .. } | PoolError::Drained => Status::Unavailable,
    };
    let told = Error::new(status, format!("pool {pool:?}: {error}")).with("pool", pool);
    match error {
        PoolError::Failed(failure) => told.with_details(story(&failure)),
        PoolError::HomeGone { worker } => {
            let message = format!("pool {pool:?}: {error}; the session's next call gets a new one");
            Error::new(status, message).with("pool", pool).with("worker", worker.to_string())
        }
        PoolError::HomeBusy { worker } => told.with("worker", worker.to_string()),
        PoolError::CannotMeet { expected, remaining } => {
            told.with("expected_ms", whole_ms(expected)).with("remaining_ms", whole_ms(remaining))
        }
        _ => told,
    }
}

/// What a refusal counts as.
pub(super) fn refusal_of(error: &PoolError) -> Refusal {
    match error {
        PoolError::Full { .. } => Refusal::Full,
        PoolError::DeadlinePassed { .. } | PoolError::CannotMeet { .. } => Refusal::Deadline,
        PoolError::HomeGone { .. } | PoolError::HomeBusy { .. } => Refusal::Home,
        PoolError::Failed(_) => Refusal::Failed,
        // It takes no calls now: drained, or stopping.
        _ => Refusal::Drained,
    }
}

/// A failed start for programs to read.
fn story(failure: &StartFailure) -> Map<String, Json> {
    let mut journey = Map::new();
    for (step, at) in failure.journey.steps() {
        journey.insert(step.name().to_owned(), Json::from(whole_ms(*at)));
    }
    let mut story = Map::new();
    story.insert("worker".to_owned(), Json::from(failure.worker.to_string()));
    story.insert("reason".to_owned(), Json::from(&*failure.reason));
    story.insert("journey_ms".to_owned(), Json::Object(journey));
    story.insert("stderr_tail".to_owned(), Json::from(&*failure.stderr_tail));
    story
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snakepit::WorkerId;

    #[test]
    fn every_refusal_has_its_status_and_what_a_program_needs() {
        let (worker, ms) = (WorkerId { slot: 1, generation: 2 }, Duration::from_millis);
        let cannot = PoolError::CannotMeet { expected: ms(70), remaining: ms(20) };
        for (error, status, details) in [
            (PoolError::Full { queue_max: 1 }, Status::ResourceExhausted, ""),
            (PoolError::DeadlinePassed { waited: ms(5) }, Status::Deadline, ""),
            (cannot, Status::Deadline, r#""expected_ms":70,"pool":"p","remaining_ms":20"#),
            (PoolError::HomeBusy { worker }, Status::Busy, r#""worker":"1.2""#),
            (
                PoolError::HomeGone { worker },
                Status::SessionWorkerUnavailable,
                r#""pool":"p","worker":"1.2""#,
            ),
            (PoolError::Drained, Status::Unavailable, ""),
            (PoolError::Closed, Status::Closed, ""),
        ] {
            let told = pool_error("p", error);
            assert_eq!(told.status(), status);
            let given = Json::Object(told.details().clone()).to_string();
            assert!(given.contains(details) && given.contains(r#""pool":"p""#), "{given}");
        }
    }
}
