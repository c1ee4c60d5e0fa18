//! Connections from a listener that outlives a shortage: an `accept` that fails ends nothing and
//! does not spin.
//!
//! It knows listeners as streams, and neither what connects nor what for.

use std::future::ready;
use std::io;
use std::time::Duration;

use tokio::time::Instant;
use tokio_stream::Stream;

use futures_util::StreamExt;

/// The connections of `incoming`. Where none can be had, because the process has no descriptor left
/// or the kernel no memory, the next attempt comes after a pause; the caller waits in the socket's
/// backlog meanwhile.
pub(super) fn patient<T>(
    incoming: impl Stream<Item = io::Result<T>>,
) -> impl Stream<Item = io::Result<T>> {
    let mut told: Option<Instant> = None;
    let accepted = incoming.then(move |accepted| {
        let failed = accepted.as_ref().err().map(io::Error::to_string);
        if let Some(error) = &failed
            && told.is_none_or(|told| told.elapsed() >= SILENCE)
        {
            told = Some(Instant::now());
            tracing::warn!("a connection cannot be accepted, and waits: {error}");
        }
        async move {
            if failed.is_some() {
                tokio::time::sleep(PAUSE).await;
            }
            accepted
        }
    });
    accepted.filter(|accepted| ready(accepted.is_ok()))
}

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two complaints.
const SILENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_shortage_delays_connections_and_loses_none() {
        let exhausted = || Err(io::Error::from_raw_os_error(libc::EMFILE));
        let incoming = [Ok(1), exhausted(), exhausted(), Ok(2)];
        let began = Instant::now();
        let accepted = patient(tokio_stream::iter(incoming)).map(Result::unwrap);
        assert_eq!(accepted.collect::<Vec<i32>>().await, [1, 2]);
        assert_eq!(began.elapsed(), PAUSE * 2);
    }
}
