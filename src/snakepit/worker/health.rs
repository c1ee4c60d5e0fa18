//! Watches over a ready worker: its link, and its answers to probes.

use std::time::Duration;

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
                match patiently(timeout, adapter.probe(&link)).await {
                    Some(Ok(())) => {}
                    Some(Err(failure)) => return format!("a probe failed: {failure}"),
                    None => return format!("no sign of life for {} ms", timeout.as_millis()),
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

/// Waits for an answer in several turns: a host that stood still itself, stopped or asleep, has
/// lost one turn when it goes on, and not a worker whose answer lies unread.
async fn patiently<T>(timeout: Duration, mut probe: BoxFuture<'static, T>) -> Option<T> {
    for _ in 0..TURNS {
        if let Ok(answer) = tokio::time::timeout(timeout / TURNS, &mut probe).await {
            return Some(answer);
        }
    }
    None
}

const TURNS: u32 = 4;
