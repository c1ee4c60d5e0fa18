//! A finished span: the trace of one operation or tool call, told once, when it is over.
//!
//! Spans are records of target `span`, so a host reads them where it reads logs and forwards them
//! to what it uses. One that nobody listens for is not built.

use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::logs::LogHub;
use super::record::{Level, Origin, Record, Shown};
use super::trace::{SpanId, TraceContext};
use crate::core::Status;

/// One span that has ended.
#[derive(Clone, Debug)]
pub struct FinishedSpan<'a> {
    /// What was done: `format_args!("{framework}.{operation}")`. Written only if somebody listens.
    pub name: std::fmt::Arguments<'a>,
    /// The span itself, in its trace.
    pub context: TraceContext,
    /// The span that asked for it; `None` for the first of a trace.
    pub parent: Option<SpanId>,
    /// From its start to now.
    pub duration: Duration,
    /// How it ended.
    pub status: Status,
}

/// What the record of a span says besides its name: its fields, as they are until somebody reads
/// them. Names, numbers and ids: there is nothing in them that could be a secret.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpanFacts {
    id: SpanId,
    parent: Option<SpanId>,
    start_unix_ms: u64,
    duration_us: u64,
    status: Status,
}

impl FinishedSpan<'_> {
    /// Tells `hub`, if somebody listens for debug records and the trace is sampled. `origin` is
    /// only asked then.
    pub fn report(&self, hub: &LogHub, origin: impl FnOnce() -> Origin) {
        if !hub.listens(Level::Debug) || !self.context.is_sampled() {
            return;
        }
        let origin = Origin { trace: Some(self.context.trace_id()), ..origin() };
        hub.publish(self.record().from_origin(origin));
    }

    fn record(&self) -> Record {
        let record = Record::new(Level::Debug, SPAN_TARGET, self.name.to_string());
        let duration_us = u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX);
        let facts = SpanFacts {
            id: self.context.span_id(),
            parent: self.parent,
            start_unix_ms: record.unix_ms.saturating_sub(duration_us / 1000),
            duration_us,
            status: self.status,
        };
        Record { span: Some(facts), ..record }
    }
}

impl Serialize for SpanFacts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("span_id", &Shown(&self.id))?;
        if let Some(parent) = &self.parent {
            map.serialize_entry("parent_span_id", &Shown(parent))?;
        }
        map.serialize_entry("start_unix_ms", &self.start_unix_ms)?;
        map.serialize_entry("duration_us", &self.duration_us)?;
        map.serialize_entry("status", self.status.name())?;
        map.end()
    }
}

/// The target of span records.
pub const SPAN_TARGET: &str = "span";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::logs::LogFilter;
    use prometheus_client::metrics::counter::Counter;

    fn listen(hub: &std::sync::Arc<LogHub>, level: Level) -> crate::telemetry::LogSubscription {
        hub.subscribe(LogFilter { level, target_prefix: SPAN_TARGET.to_owned() })
    }

    #[test]
    fn a_span_is_a_record_with_its_place_in_the_trace() {
        let hub = LogHub::new(10, Counter::default());
        let subscription = listen(&hub, Level::Debug);
        let parent = TraceContext::root();
        let span = FinishedSpan {
            name: format_args!("dspy.react"),
            context: parent.child(),
            parent: Some(parent.span_id()),
            duration: Duration::from_millis(250),
            status: Status::Deadline,
        };
        span.report(&hub, Origin::default);
        let json = subscription.try_next().unwrap().records[0].to_json();
        assert_eq!(json["target"], "span");
        assert_eq!(json["message"], "dspy.react");
        assert_eq!(json["trace_id"], parent.trace_id().to_string());
        assert_eq!(json["fields"]["span_id"], span.context.span_id().to_string());
        assert_eq!(json["fields"]["parent_span_id"], parent.span_id().to_string());
        assert_eq!(json["fields"]["duration_us"], 250_000);
        assert_eq!(json["fields"]["status"], "DEADLINE");
    }

    #[test]
    fn what_nobody_listens_for_or_samples_is_not_built() {
        let hub = LogHub::new(10, Counter::default());
        let _info = listen(&hub, Level::Info);
        let mut span = FinishedSpan {
            name: format_args!("n"),
            context: TraceContext::root(),
            parent: None,
            duration: Duration::ZERO,
            status: Status::Ok,
        };
        span.report(&hub, || panic!("built for nobody"));
        let _debug = listen(&hub, Level::Debug);
        let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        span.context = TraceContext::parse(unsampled).unwrap();
        span.report(&hub, || panic!("built although unsampled"));
    }
}
