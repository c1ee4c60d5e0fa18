//! Waiting for a moment that may not be set.

use tokio::time::Instant;

/// Resolves at `at`; never without one.
pub(super) async fn passed(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
