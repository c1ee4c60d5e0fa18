//! What the platform tells about itself: log records, metrics, trace context, and the masking of
//! secrets.
//!
//! A leaf: it uses `core` and knows no pool, session or protocol. Nothing here is process-wide.
//! Logs go to a hub that belongs to one platform, metrics live in a registry that belongs to one
//! platform, and the layer that turns `tracing` events into records is installed per thread, on the
//! platform's own threads only.

mod families;
pub mod histogram;
pub mod layer;
pub mod logs;
pub mod metrics;
pub mod record;
pub mod redact;
pub mod span;
mod span_text;
pub mod state_verb;
pub mod told;
pub mod trace;

pub use layer::LogDispatch;
pub use logs::{LogBatch, LogFilter, LogHub, LogSubscription};
pub use metrics::{Metrics, OperationMetrics, PoolMetrics, Refusal, ToolMetrics};
pub use record::{Level, Origin, Record};
pub use redact::Redactor;
pub use span::{FinishedSpan, SpanPlace};
pub use state_verb::StateVerb;
pub use told::Told;
pub use trace::{SpanId, TraceContext, TraceId};
