//! The platform's metric families, and handles that record into them without a lock.
//!
//! A handle is looked up once, where a pool, an operation or a tool becomes known, and kept:
//! recording through it is an atomic addition. Labels come from configuration, schemas and
//! registrations, never from values, and each family has a largest number of series; what comes
//! after goes to the series named `other`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::families::{Families, OperationLabels, PerStatus, WorkerLabels};
use super::histogram::DurationHistogram;
use super::state_verb::StateVerb;
use crate::core::Status;
use crate::core::limits::{METRIC_OPERATIONS_MAX, METRIC_TOOLS_MAX};

/// One platform's metrics.
pub struct Metrics {
    registry: Registry,
    families: Families,
    pools: RwLock<HashMap<String, Arc<PoolMetrics>>>,
    operations: Mutex<HashMap<OperationLabels, Arc<OperationMetrics>>>,
    tools: Mutex<HashMap<String, Arc<ToolMetrics>>>,
    state: [Counter; StateVerb::ALL.len()],
    worker_state: [Counter; StateVerb::ALL.len()],
}

/// One pool's metrics.
pub struct PoolMetrics {
    /// How long calls waited for a worker.
    pub queue_wait: DurationHistogram,
    /// Calls that run now.
    pub running: Gauge,
    /// Calls that wait for a worker now.
    pub queued: Gauge,
    /// Results that came when their operation had ended.
    pub late_results: Counter,
    /// Documents and attachments to workers.
    pub bytes_in: Counter,
    /// Documents and attachments from workers.
    pub bytes_out: Counter,
    /// Calls that were sent to another worker after theirs was lost.
    pub retries: Counter,
    /// Calls that were not, because the budget was used up.
    pub retries_refused: Counter,
    pub(super) refusals: [Counter; Refusal::ALL.len()],
    pub(super) circuit: Gauge,
    pub(super) tainted: Gauge,
    pub(super) name: String,
    pub(super) workers: Family<WorkerLabels, Gauge>,
    pub(super) worker_restarts: Counter,
}

/// The metrics of one operation of one framework in one pool.
pub struct OperationMetrics {
    pub(super) duration: DurationHistogram,
    pub(super) ended: PerStatus,
}

/// The metrics of one host tool's name.
pub struct ToolMetrics {
    pub(super) duration: DurationHistogram,
    pub(super) ended: PerStatus,
}

/// Why a pool takes no call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// Too many calls wait already.
    Full,
    /// No worker was free in time.
    Deadline,
    /// Its workers cannot be started.
    Failed,
    /// It is closed, or closing.
    Drained,
    /// Its circuit is open.
    Circuit,
    /// The call has crashed its worker too often.
    Barrier,
    /// The session's own worker is busy or gone.
    Home,
}

impl Metrics {
    /// Empty families, registered.
    pub fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("spb");
        let families = Families::registered(&mut registry);
        let state = StateVerb::ALL.map(|verb| families.state(verb.name()));
        let worker_state = StateVerb::ALL.map(|verb| families.worker_state(verb.name()));
        Arc::new(Metrics {
            registry,
            families,
            pools: RwLock::default(),
            operations: Mutex::default(),
            tools: Mutex::default(),
            state,
            worker_state,
        })
    }

    /// The metrics of pool `name`; pools are bounded by the configuration. Keep the handle.
    pub fn pool(&self, name: &str) -> Arc<PoolMetrics> {
        if let Some(pool) = self.pools.read().get(name) {
            return pool.clone();
        }
        let mut pools = self.pools.write();
        pools.entry(name.to_owned()).or_insert_with(|| self.families.pool(name).into()).clone()
    }

    /// The metrics of one operation. Keep the handle.
    pub fn operation(&self, pool: &str, framework: &str, operation: &str) -> Arc<OperationMetrics> {
        let mut operations = self.operations.lock();
        let mut labels = OperationLabels::new(pool, framework, operation);
        if operations.len() >= METRIC_OPERATIONS_MAX && !operations.contains_key(&labels) {
            labels = OperationLabels::new(pool, OTHER, OTHER);
        }
        let create = || Arc::new(self.families.operation(&labels));
        operations.entry(labels.clone()).or_insert_with(create).clone()
    }

    /// The metrics of host tool `name`. Keep the handle.
    pub fn tool(&self, name: &str) -> Arc<ToolMetrics> {
        let mut tools = self.tools.lock();
        let is_over = tools.len() >= METRIC_TOOLS_MAX && !tools.contains_key(name);
        let name = if is_over { OTHER } else { name };
        tools.entry(name.to_owned()).or_insert_with(|| self.families.tool(name).into()).clone()
    }

    /// Counts one access of the host to variables.
    pub fn state(&self, verb: StateVerb) {
        if let Some(counter) = self.state.get(verb as usize) {
            counter.inc();
        }
    }

    /// Counts one access of a worker to variables, which is a round trip: what its cache answers is
    /// none.
    pub fn worker_state(&self, verb: StateVerb) {
        if let Some(counter) = self.worker_state.get(verb as usize) {
            counter.inc();
        }
    }

    /// Counts log records that no queue had room for; the hub takes it.
    pub fn logs_dropped(&self) -> Counter {
        self.families.logs_dropped.clone()
    }

    /// Sessions that are open now.
    pub fn sessions(&self) -> &Gauge {
        &self.families.sessions
    }

    /// Everything as OpenMetrics text, which Prometheus reads.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

impl Refusal {
    /// Every reason, in the order of its number.
    pub const ALL: [Refusal; 7] = [
        Refusal::Full,
        Refusal::Deadline,
        Refusal::Failed,
        Refusal::Drained,
        Refusal::Circuit,
        Refusal::Barrier,
        Refusal::Home,
    ];

    /// The value of the label `reason`.
    pub const fn name(self) -> &'static str {
        match self {
            Refusal::Full => "full",
            Refusal::Deadline => "deadline",
            Refusal::Failed => "failed",
            Refusal::Drained => "drained",
            Refusal::Circuit => "circuit",
            Refusal::Barrier => "barrier",
            Refusal::Home => "home",
        }
    }
}

impl PoolMetrics {
    /// Counts a call that the pool did not take.
    pub fn refused(&self, reason: Refusal) {
        if let Some(counter) = self.refusals.get(reason as usize) {
            counter.inc();
        }
    }

    /// How many calls were refused, for each reason.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Refusal::ALL.iter().zip(&self.refusals).map(|(why, counter)| (why.name(), counter.get()))
    }

    /// Where the pool's protection stands. `circuit`: `closed`, `half_open` or `open`.
    pub fn set_protection(&self, circuit: &str, tainted: usize) {
        let level = ["closed", "half_open", "open"].iter().position(|name| *name == circuit);
        self.circuit.set(level.and_then(|level| i64::try_from(level).ok()).unwrap_or(-1));
        self.tainted.set(i64::try_from(tainted).unwrap_or(i64::MAX));
    }

    /// How many workers are in `state` now. `state` is one of the pool's few names.
    pub fn set_workers(&self, state: &'static str, count: usize) {
        let labels = WorkerLabels { pool: self.name.clone(), state };
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.workers.get_or_create_owned(&labels).set(count);
    }

    /// How many workers were started in place of one that ended, since the pool began. A figure
    /// that came too late and is lower than the last changes nothing.
    pub fn set_worker_restarts(&self, total: u64) {
        self.worker_restarts.inner().fetch_max(total, Ordering::Relaxed);
    }
}

impl OperationMetrics {
    /// Counts one end, `duration` after it was submitted.
    pub fn ended(&self, status: Status, duration: Duration) {
        self.ended.count(status);
        self.duration.observe(duration);
    }
}

impl ToolMetrics {
    /// Counts one end, `duration` after Python asked.
    pub fn ended(&self, status: Status, duration: Duration) {
        self.ended.count(status);
        self.duration.observe(duration);
    }
}

/// The label of what comes after a family's largest number of series.
const OTHER: &str = "other";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_renders_what_was_recorded() {
        let metrics = Metrics::new();
        let pool = metrics.pool("default");
        pool.queue_wait.observe(Duration::from_millis(3));
        pool.running.set(2);
        pool.late_results.inc();
        pool.set_worker_restarts(2);
        pool.set_worker_restarts(1);
        pool.bytes_in.inc_by(10);
        pool.bytes_out.inc_by(20);
        pool.set_workers("ready", 4);
        pool.retries.inc();
        pool.refused(Refusal::Circuit);
        pool.set_protection("open", 3);
        metrics.operation("default", "dspy", "react").ended(Status::Ok, Duration::from_millis(3));
        metrics.operation("default", "dspy", "react").ended(Status::Deadline, Duration::ZERO);
        metrics.tool("lookup").ended(Status::ToolFailed, Duration::from_micros(60));
        metrics.state(StateVerb::Set);
        metrics.logs_dropped().inc();
        metrics.sessions().set(1);
        let text = metrics.render();
        let operation = "pool=\"default\",framework=\"dspy\",operation=\"react\"";
        let expected = [
            format!("spb_operations_total{{{operation},status=\"OK\"}} 1"),
            format!("spb_operations_total{{{operation},status=\"DEADLINE\"}} 1"),
            format!("spb_operation_duration_seconds_bucket{{le=\"0.005\",{operation}}} 2"),
            "spb_operation_queue_seconds_count{pool=\"default\"} 1".to_owned(),
            "spb_operations_running{pool=\"default\"} 2".to_owned(),
            "spb_operations_queued{pool=\"default\"} 0".to_owned(),
            "spb_late_results_total{pool=\"default\"} 1".to_owned(),
            "spb_workers{pool=\"default\",state=\"ready\"} 4".to_owned(),
            "spb_worker_restarts_total{pool=\"default\"} 2".to_owned(),
            "spb_value_bytes_total{pool=\"default\",direction=\"in\"} 10".to_owned(),
            "spb_value_bytes_total{pool=\"default\",direction=\"out\"} 20".to_owned(),
            "spb_operation_retries_total{pool=\"default\"} 1".to_owned(),
            "spb_operation_retries_refused_total{pool=\"default\"} 0".to_owned(),
            "spb_operations_refused_total{pool=\"default\",reason=\"circuit\"} 1".to_owned(),
            "spb_operations_refused_total{pool=\"default\",reason=\"full\"} 0".to_owned(),
            "spb_pool_circuit{pool=\"default\"} 2".to_owned(),
            "spb_pool_tainted_operations{pool=\"default\"} 3".to_owned(),
            "spb_tool_calls_total{tool=\"lookup\",status=\"TOOL_FAILED\"} 1".to_owned(),
            "spb_tool_call_duration_seconds_count{tool=\"lookup\"} 1".to_owned(),
            "spb_state_operations_total{verb=\"set\"} 1".to_owned(),
            "spb_state_operations_total{verb=\"get\"} 0".to_owned(),
            "spb_log_records_dropped_total 1".to_owned(),
            "spb_sessions 1".to_owned(),
        ];
        for line in expected {
            assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn handles_of_the_same_name_share_their_counts() {
        let metrics = Metrics::new();
        assert!(Arc::ptr_eq(&metrics.pool("a"), &metrics.pool("a")));
        assert!(Arc::ptr_eq(&metrics.tool("t"), &metrics.tool("t")));
        let operation = || metrics.operation("a", "f", "o");
        assert!(Arc::ptr_eq(&operation(), &operation()));
    }

    #[test]
    fn series_are_bounded_and_the_rest_is_counted_together() {
        let metrics = Metrics::new();
        for number in 0..METRIC_TOOLS_MAX + 5 {
            metrics.tool(&number.to_string()).ended(Status::Ok, Duration::ZERO);
        }
        for number in 0..METRIC_OPERATIONS_MAX + 5 {
            let operation = metrics.operation("p", "f", &number.to_string());
            operation.ended(Status::Ok, Duration::ZERO);
        }
        let text = metrics.render();
        assert!(text.contains("spb_tool_calls_total{tool=\"other\",status=\"OK\"} 5\n"));
        let other = "pool=\"p\",framework=\"other\",operation=\"other\"";
        assert!(text.contains(&format!("spb_operations_total{{{other},status=\"OK\"}} 5\n")));
        assert!(Arc::ptr_eq(&metrics.tool("0"), &metrics.tool("0")));
    }
}
