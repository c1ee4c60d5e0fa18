//! The pool's refusals in the platform's words.

use crate::core::{Error, Status};
use crate::snakepit::PoolError;

/// `error` of the pool named `pool`.
pub fn pool_error(pool: &str, error: PoolError) -> Error {
    let status = match &error {
        PoolError::Full { .. } => Status::ResourceExhausted,
        PoolError::DeadlinePassed { .. } | PoolError::CannotMeet { .. } => Status::Deadline,
        PoolError::HomeGone { .. } => Status::SessionWorkerUnavailable,
        PoolError::HomeBusy { .. } => Status::Busy,
        PoolError::CalledOff => Status::Cancelled,
        PoolError::Closed => Status::Closed,
        PoolError::Failed { .. } | PoolError::Drained => Status::Unavailable,
    };
    Error::new(status, format!("pool {pool:?}: {error}")).with("pool", pool)
}
