//! The pool's refusals in the platform's words.

use serde_json::{Map, Value as Json};

use crate::core::{Error, Status};
use crate::snakepit::{PoolError, StartFailure};
use crate::telemetry::Refusal;

/// `error` of the pool named `pool`. A failed start comes with its journey and all that is kept of
/// the worker's standard error.
pub fn pool_error(pool: &str, error: PoolError) -> Error {
    let status = match &error {
        PoolError::Full { .. } => Status::ResourceExhausted,
        PoolError::DeadlinePassed { .. } | PoolError::CannotMeet { .. } => Status::Deadline,
        PoolError::HomeGone { .. } => Status::SessionWorkerUnavailable,
        PoolError::HomeBusy { .. } => Status::Busy,
        PoolError::Closed => Status::Closed,
        PoolError::Failed { .. } | PoolError::Drained => Status::Unavailable,
    };
    let told = Error::new(status, format!("pool {pool:?}: {error}")).with("pool", pool);
    match error {
        PoolError::Failed(failure) => told.with_details(story(&failure)),
        _ => told,
    }
}

/// What a refusal counts as.
pub(super) fn refusal_of(error: &PoolError) -> Refusal {
    match error {
        PoolError::Full { .. } => Refusal::Full,
        PoolError::DeadlinePassed { .. } => Refusal::Deadline,
        PoolError::Failed(_) => Refusal::Failed,
        PoolError::Closed => Refusal::Drained,
    }
}

/// A failed start for programs to read.
fn story(failure: &StartFailure) -> Map<String, Json> {
    let mut journey = Map::new();
    for (step, at) in failure.journey.steps() {
        let at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        journey.insert(step.name().to_owned(), Json::from(at_ms));
    }
    let mut story = Map::new();
    story.insert("worker".to_owned(), Json::from(failure.worker.to_string()));
    story.insert("reason".to_owned(), Json::from(&*failure.reason));
    story.insert("journey_ms".to_owned(), Json::Object(journey));
    story.insert("stderr_tail".to_owned(), Json::from(&*failure.stderr_tail));
    story
}
