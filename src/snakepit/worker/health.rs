//! Watches over a ready worker: its link, and its answers to probes.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::super::adapter::Adapter;
use super::super::shared::Shared;

/// What is wrong with a worker.
pub(super) enum Illness {
    LinkLost,
    ProbeFailed(String),
}

/// Resolves when the link breaks or a probe goes unanswered.
pub(super) fn watch_over<A: Adapter>(
    shared: &Shared<A>,
    link: A::Link,
) -> BoxFuture<'static, Illness> {
    let adapter = shared.adapter.clone();
    let (interval, timeout) = (shared.config.probe_interval, shared.config.probe_timeout);
    async move {
        let probing = async {
            loop {
                tokio::time::sleep(interval).await;
                match tokio::time::timeout(timeout, adapter.probe(&link)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(failure)) => return format!("a probe failed: {failure}"),
                    Err(_) => return format!("no sign of life for {} ms", timeout.as_millis()),
                }
            }
        };
        tokio::select! {
            () = adapter.lost(&link) => Illness::LinkLost,
            why = probing => Illness::ProbeFailed(why),
        }
    }
    .boxed()
}
