//! What a platform says of its own state: alive, ready, and why not.

use serde_json::{Value as Json, json};

use crate::operations::CallPool;
use crate::snakepit::{PoolState, PoolStats};

use super::platform::Platform;
use super::shutdown::Closing;

impl Platform {
    /// `{"live", "ready", "reasons": […], "pools": {…}, "sessions", "operations_in_flight"}`.
    /// Ready: every pool has a worker that takes calls.
    pub fn health(&self) -> Json {
        let closing = !matches!(&*self.closing.lock(), Closing::Open { .. });
        let mut reasons: Vec<String> = Vec::new();
        let mut pools = serde_json::Map::new();
        let mut ready = !closing;
        if closing {
            reasons.push("the platform is closing or closed".to_owned());
        }
        for (name, pool) in &self.pools {
            let (state, stats) = (pool.workers.state(), pool.workers.stats());
            ready &= stats.ready > 0;
            reasons.extend(complaints(&state).map(|reason| format!("pool {name:?}: {reason}")));
            let circuit = pool.protection.report().circuit;
            if circuit != "closed" {
                reasons.push(format!("pool {name:?}: its circuit is {circuit}"));
            }
            pools.insert(name.clone(), pool_row(&state, &stats, circuit));
        }
        json!({
            "live": !closing,
            "ready": ready,
            "reasons": reasons,
            "pools": pools,
            "sessions": self.sessions.len(),
            "operations_in_flight": self.services.in_flight.count(),
        })
    }

    /// Brings the gauges that are not kept as events happen up to date.
    pub(super) fn refresh_gauges(&self) {
        for pool in self.pools.values() {
            let stats = pool.workers.stats();
            pool.metrics.set_workers("starting", stats.starting);
            pool.metrics.set_workers("ready", stats.ready);
            pool.metrics.set_workers("draining", stats.draining);
            pool.metrics.set_workers("stopping", stats.stopping);
            pool.metrics.set_worker_restarts(stats.restarts);
            pool.metrics.queued.set(i64::try_from(stats.queued).unwrap_or(i64::MAX));
            let report = pool.protection.report();
            pool.metrics.set_protection(report.circuit, report.tainted);
        }
    }
}

/// One pool's counts and its workers.
pub(super) fn pool_stats(pool: &CallPool) -> Json {
    let mut document = json!(pool.workers.stats());
    if let Some(fields) = document.as_object_mut() {
        fields.insert("name".to_owned(), Json::from(&*pool.name));
        fields.insert("state".to_owned(), Json::from(state_name(&pool.workers.state())));
        let report = pool.protection.report();
        fields.insert("circuit".to_owned(), Json::from(report.circuit));
        fields.insert("tainted".to_owned(), Json::from(report.tainted));
        fields.insert("retries".to_owned(), Json::from(pool.metrics.retries.get()));
        let refused = pool.metrics.retries_refused.get();
        fields.insert("retries_refused".to_owned(), Json::from(refused));
        let reasons: Json = pool.metrics.refusals().collect();
        fields.insert("refused_by".to_owned(), reasons);
    }
    document
}

fn pool_row(state: &PoolState, stats: &PoolStats, circuit: &str) -> Json {
    json!({
        "state": state_name(state),
        "ready": stats.ready,
        "wanted": stats.wanted,
        "queued": stats.queued,
        "circuit": circuit,
    })
}

const fn state_name(state: &PoolState) -> &'static str {
    match state {
        PoolState::Starting => "starting",
        PoolState::Healthy => "healthy",
        PoolState::Degraded { .. } => "degraded",
        PoolState::Failed { .. } => "failed",
        PoolState::Draining => "draining",
        PoolState::Drained => "drained",
        PoolState::Stopping => "stopping",
        PoolState::Stopped => "stopped",
    }
}

/// Why a pool is not as it should be; nothing for a healthy one.
fn complaints(state: &PoolState) -> impl Iterator<Item = String> {
    let reasons = match state {
        PoolState::Healthy => Vec::new(),
        PoolState::Degraded { reasons } => reasons.clone(),
        PoolState::Failed { reason } => vec![reason.clone()],
        PoolState::Starting
        | PoolState::Draining
        | PoolState::Drained
        | PoolState::Stopping
        | PoolState::Stopped => {
            vec![state_name(state).to_owned()]
        }
    };
    reasons.into_iter()
}
