//! The metric families: names, help texts and labels, in one place.
//!
//! Names are part of what operators build dashboards on: adding is free, renaming is not. Nothing
//! here decides when something is counted.

use std::sync::OnceLock;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::histogram::DurationHistogram;
use super::metrics::{OperationMetrics, PoolMetrics, Refusal, ToolMetrics};
use crate::core::Status;

/// All families of one platform.
#[derive(Default)]
pub(super) struct Families {
    operations: Family<OperationStatusLabels, Counter>,
    operation_duration: Family<OperationLabels, DurationHistogram>,
    operation_queue: Family<PoolLabels, DurationHistogram>,
    operations_running: Family<PoolLabels, Gauge>,
    operations_queued: Family<PoolLabels, Gauge>,
    late_results: Family<PoolLabels, Counter>,
    workers: Family<WorkerLabels, Gauge>,
    worker_restarts: Family<PoolLabels, Counter>,
    operation_retries: Family<PoolLabels, Counter>,
    operation_retries_refused: Family<PoolLabels, Counter>,
    operations_refused: Family<RefusalLabels, Counter>,
    circuit: Family<PoolLabels, Gauge>,
    tainted: Family<PoolLabels, Gauge>,
    value_bytes: Family<DirectionLabels, Counter>,
    tool_calls: Family<ToolStatusLabels, Counter>,
    tool_call_duration: Family<ToolLabels, DurationHistogram>,
    state: Family<StateLabels, Counter>,
    worker_state: Family<StateLabels, Counter>,
    pub(super) sessions: Gauge,
    pub(super) logs_dropped: Counter,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct OperationLabels {
    pool: String,
    framework: String,
    operation: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct WorkerLabels {
    pub(super) pool: String,
    pub(super) state: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct OperationStatusLabels {
    pool: String,
    framework: String,
    operation: String,
    status: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct PoolLabels {
    pool: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RefusalLabels {
    pool: String,
    reason: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct DirectionLabels {
    pool: String,
    direction: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ToolLabels {
    tool: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ToolStatusLabels {
    tool: String,
    status: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct StateLabels {
    verb: &'static str,
}

/// A counter for each status that occurred. The first of a kind creates its series, later ones only
/// add.
pub(super) struct PerStatus {
    counters: [OnceLock<Counter>; Status::ALL.len()],
    create: Box<dyn Fn(Status) -> Counter + Send + Sync>,
}

impl PerStatus {
    fn new(create: impl Fn(Status) -> Counter + Send + Sync + 'static) -> Self {
        PerStatus { counters: std::array::from_fn(|_| OnceLock::new()), create: Box::new(create) }
    }

    pub(super) fn count(&self, status: Status) {
        if let Some(counter) = self.counters.get(status as usize) {
            counter.get_or_init(|| (self.create)(status)).inc();
        }
    }
}

impl OperationLabels {
    pub(super) fn new(pool: &str, framework: &str, operation: &str) -> Self {
        OperationLabels {
            pool: pool.to_owned(),
            framework: framework.to_owned(),
            operation: operation.to_owned(),
        }
    }
}

impl Families {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let families = Families::default();
        families.register_operations(registry);
        families.register_protection(registry);
        families.register_workers(registry);
        families.register_tools_and_state(registry);
        families
    }

    pub(super) fn pool(&self, name: &str) -> PoolMetrics {
        let labels = PoolLabels { pool: name.to_owned() };
        let bytes = |direction| {
            let labels = DirectionLabels { pool: name.to_owned(), direction };
            self.value_bytes.get_or_create_owned(&labels)
        };
        PoolMetrics {
            queue_wait: self.operation_queue.get_or_create_owned(&labels),
            running: self.operations_running.get_or_create_owned(&labels),
            queued: self.operations_queued.get_or_create_owned(&labels),
            worker_restarts: self.worker_restarts.get_or_create_owned(&labels),
            late_results: self.late_results.get_or_create_owned(&labels),
            bytes_in: bytes("in"),
            bytes_out: bytes("out"),
            retries: self.operation_retries.get_or_create_owned(&labels),
            retries_refused: self.operation_retries_refused.get_or_create_owned(&labels),
            refusals: Refusal::ALL.map(|why| {
                let labels = RefusalLabels { pool: name.to_owned(), reason: why.name() };
                self.operations_refused.get_or_create_owned(&labels)
            }),
            circuit: self.circuit.get_or_create_owned(&labels),
            tainted: self.tainted.get_or_create_owned(&labels),
            name: name.to_owned(),
            workers: self.workers.clone(),
        }
    }

    pub(super) fn operation(&self, labels: &OperationLabels) -> OperationMetrics {
        let duration = self.operation_duration.get_or_create_owned(labels);
        let (family, labels) = (self.operations.clone(), labels.clone());
        let ended = PerStatus::new(move |status| {
            let OperationLabels { pool, framework, operation } = labels.clone();
            let status = status.name();
            let labels = OperationStatusLabels { pool, framework, operation, status };
            family.get_or_create_owned(&labels)
        });
        OperationMetrics { duration, ended }
    }

    pub(super) fn tool(&self, name: &str) -> ToolMetrics {
        let tool = name.to_owned();
        let labels = ToolLabels { tool: tool.clone() };
        let duration = self.tool_call_duration.get_or_create_owned(&labels);
        let family = self.tool_calls.clone();
        let ended = PerStatus::new(move |status| {
            let labels = ToolStatusLabels { tool: tool.clone(), status: status.name() };
            family.get_or_create_owned(&labels)
        });
        ToolMetrics { duration, ended }
    }

    pub(super) fn state(&self, verb: &'static str) -> Counter {
        self.state.get_or_create_owned(&StateLabels { verb })
    }

    pub(super) fn worker_state(&self, verb: &'static str) -> Counter {
        self.worker_state.get_or_create_owned(&StateLabels { verb })
    }

    fn register_operations(&self, registry: &mut Registry) {
        let help = "Operations that ended, by how";
        registry.register("operations", help, self.operations.clone());
        let help = "From submit to end";
        let family = self.operation_duration.clone();
        registry.register_with_unit("operation_duration", help, Unit::Seconds, family);
        let help = "Waiting for a worker";
        let family = self.operation_queue.clone();
        registry.register_with_unit("operation_queue", help, Unit::Seconds, family);
        let help = "Operations that run in a worker now";
        registry.register("operations_running", help, self.operations_running.clone());
        let help = "Operations that wait for a worker now";
        registry.register("operations_queued", help, self.operations_queued.clone());
        let help = "Results that came when their operation had ended, and were dropped";
        registry.register("late_results", help, self.late_results.clone());
    }

    fn register_protection(&self, registry: &mut Registry) {
        let help = "Operations sent to another worker after theirs was lost";
        registry.register("operation_retries", help, self.operation_retries.clone());
        let help = "Operations that were not, because the retry budget was used up";
        registry.register(
            "operation_retries_refused",
            help,
            self.operation_retries_refused.clone(),
        );
        let help = "Operations that a pool did not take, by reason";
        registry.register("operations_refused", help, self.operations_refused.clone());
        let help = "The pool's circuit: 0 closed, 1 half open, 2 open";
        registry.register("pool_circuit", help, self.circuit.clone());
        let help = "Operations with parameters that crashed their worker and are refused now";
        registry.register("pool_tainted_operations", help, self.tainted.clone());
    }

    fn register_workers(&self, registry: &mut Registry) {
        let help = "Workers now, by state";
        registry.register("workers", help, self.workers.clone());
        let help = "Workers started in place of one that ended";
        registry.register("worker_restarts", help, self.worker_restarts.clone());
        let help = "Documents and attachments, to workers (in) and from them (out)";
        let family = self.value_bytes.clone();
        registry.register_with_unit("value", help, Unit::Bytes, family);
    }

    fn register_tools_and_state(&self, registry: &mut Registry) {
        let help = "Calls of host tools that ended, by how";
        registry.register("tool_calls", help, self.tool_calls.clone());
        let help = "From Python's request to the host's answer";
        let family = self.tool_call_duration.clone();
        registry.register_with_unit("tool_call_duration", help, Unit::Seconds, family);
        let help = "Accesses to variables, by verb";
        registry.register("state_operations", help, self.state.clone());
        let help = "Accesses of workers to variables that their caches did not answer";
        registry.register("worker_state_operations", help, self.worker_state.clone());
        registry.register("sessions", "Sessions that are open now", self.sessions.clone());
        let help = "Log records that a subscriber's queue had no room for";
        registry.register("log_records_dropped", help, self.logs_dropped.clone());
    }
}
