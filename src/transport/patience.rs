//! Accepting connections where it can fail for lack of descriptors or memory: the same error would
//! come again at once, and an I/O thread would do nothing else.
//!
//! It knows nothing of what is accepted.

use std::io;
use std::time::Duration;

use tokio_stream::{Stream, StreamExt};

/// Connections as they come from `listener`; after a failure the next one is asked for a little
/// later. Those who connect meanwhile wait in the kernel's queue.
pub fn patient<S, T>(listener: S) -> impl Stream<Item = io::Result<T>>
where
    S: Stream<Item = io::Result<T>>,
{
    listener.then(|accepted| async {
        if let Err(error) = &accepted {
            tracing::warn!("a connection cannot be accepted: {error}");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
        accepted
    })
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    #[tokio::test(start_paused = true)]
    async fn only_a_failure_is_followed_by_a_pause() {
        let failed = || Err(io::Error::from_raw_os_error(24));
        let listener = tokio_stream::iter([Ok(1), failed(), failed(), Ok(2)]);
        let mut accepted = pin!(patient(listener));
        let began = tokio::time::Instant::now();
        assert_eq!(accepted.next().await.unwrap().unwrap(), 1);
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(accepted.next().await.unwrap().is_err());
        assert!(accepted.next().await.unwrap().is_err());
        assert_eq!(accepted.next().await.unwrap().unwrap(), 2);
        assert_eq!(began.elapsed(), ACCEPT_PAUSE * 2);
    }
}
