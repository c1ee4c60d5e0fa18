//! A finished span: the trace of one operation or tool call, told once, when it is over.
//!
//! Spans are records of target `span`, so a host reads them where it reads logs and forwards them
//! to what it uses. One that nobody listens for is not built. One that somebody listens for comes
//! with every call, so it is kept small until it is read: what it shares with its neighbours is
//! kept once.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::logs::LogHub;
use super::record::{Level, unix_ms};
use super::redact::Redactor;
use super::trace::{SpanId, TraceContext};
use crate::core::{CallId, SessionId, Status, WorkerId};

/// One span that has ended.
#[derive(Clone, Copy, Debug)]
pub struct FinishedSpan {
    /// The span itself, in its trace.
    pub context: TraceContext,
    /// The span that asked for it; `None` for the first of a trace.
    pub parent: Option<SpanId>,
    /// From its start to now.
    pub duration: Duration,
    /// How it ended.
    pub status: Status,
    /// The call that it was.
    pub call: CallId,
}

/// What was done, and where: the same for many spans in a row.
#[derive(Clone, Copy, Debug)]
pub struct SpanPlace<'a> {
    /// What was done: `framework.operation`.
    pub name: &'a Arc<str>,
    /// The pool's name.
    pub pool: &'a Arc<str>,
    /// The session that the call ran in.
    pub session: &'a SessionId,
    /// The worker that it had last, if it had one.
    pub worker: Option<WorkerId>,
}

/// A span as it waits for whoever listens. Names, numbers and ids: there is nothing in them that
/// could be a secret, but for the name, which is masked.
#[derive(Clone, Debug)]
pub struct SpanRecord {
    pub(super) span: FinishedSpan,
    pub(super) place: Arc<KeptPlace>,
    /// When it ended.
    pub(super) unix_ms: u64,
}

/// A place that spans have in common.
#[derive(Debug)]
pub(super) struct KeptPlace {
    /// As it was given, to be known again.
    given: Arc<str>,
    pub name: Arc<str>,
    pub pool: Arc<str>,
    pub session: SessionId,
    pub worker: Option<WorkerId>,
}

impl FinishedSpan {
    /// Whether somebody listens for spans, and the trace is sampled: ask before making a place.
    pub fn is_wanted(&self, hub: &LogHub) -> bool {
        self.context.is_sampled() && hub.listens(SPAN_LEVEL)
    }

    /// Tells `hub` where it was done.
    pub fn report(&self, hub: &LogHub, place: &SpanPlace<'_>) {
        if self.is_wanted(hub) {
            hub.publish_span(self, place);
        }
    }

    pub(super) fn record(&self, place: Arc<KeptPlace>) -> SpanRecord {
        SpanRecord { span: *self, place, unix_ms: unix_ms() }
    }
}

impl SpanPlace<'_> {
    pub(super) fn kept(&self, redactor: &Redactor) -> Arc<KeptPlace> {
        let name = match redactor.clean(self.name) {
            Cow::Borrowed(_) => self.name.clone(),
            Cow::Owned(masked) => masked.into(),
        };
        Arc::new(KeptPlace {
            given: self.name.clone(),
            name,
            pool: self.pool.clone(),
            session: self.session.clone(),
            worker: self.worker,
        })
    }
}

impl KeptPlace {
    /// Whether it is the same one. Names that are equal but not the same count as others.
    pub fn is(&self, place: &SpanPlace<'_>) -> bool {
        Arc::ptr_eq(&self.given, place.name)
            && Arc::ptr_eq(&self.pool, place.pool)
            && self.session.is_same(place.session)
            && self.worker == place.worker
    }
}

/// The level and the target of span records.
pub const SPAN_LEVEL: Level = Level::Debug;
pub const SPAN_TARGET: &str = "span";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::logs::LogFilter;
    use crate::telemetry::{LogSubscription, Told};
    use prometheus_client::metrics::counter::Counter;

    struct Place {
        name: Arc<str>,
        pool: Arc<str>,
        session: SessionId,
    }

    impl Place {
        fn new(name: &str) -> Self {
            let session = SessionId::new("a \"session\"").unwrap();
            Place { name: name.into(), pool: "default".into(), session }
        }

        fn on(&self, slot: u32) -> SpanPlace<'_> {
            let worker = Some(WorkerId { slot, generation: 7 });
            SpanPlace { name: &self.name, pool: &self.pool, session: &self.session, worker }
        }
    }

    fn listen(hub: &Arc<LogHub>, level: Level) -> LogSubscription {
        hub.subscribe(LogFilter { level, target_prefix: SPAN_TARGET.to_owned() })
    }

    fn span(parent: &TraceContext) -> FinishedSpan {
        FinishedSpan {
            context: parent.child(),
            parent: Some(parent.span_id()),
            duration: Duration::from_millis(250),
            status: Status::Deadline,
            call: CallId(9),
        }
    }

    #[test]
    fn a_span_is_a_record_with_its_place_in_the_trace() {
        let hub = LogHub::new(10, Counter::default());
        let subscription = listen(&hub, Level::Debug);
        let parent = TraceContext::root();
        let span = span(&parent);
        span.report(&hub, &Place::new("dspy.react").on(1));
        let mut json = subscription.try_next().unwrap().records[0].to_json();
        let ended = json["unix_ms"].take().as_u64().unwrap();
        let expected = serde_json::json!({
            "unix_ms": null, "level": "debug", "target": "span", "message": "dspy.react",
            "fields": {
                "span_id": span.context.span_id().to_string(),
                "parent_span_id": parent.span_id().to_string(),
                "start_unix_ms": ended - 250, "duration_us": 250_000, "status": "DEADLINE",
            },
            "pool": "default", "worker": "1.7", "session": "a \"session\"", "call": 9,
            "trace_id": parent.trace_id().to_string(),
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn what_has_no_parent_and_no_worker_says_nothing_of_them() {
        let hub = LogHub::new(10, Counter::default());
        let subscription = listen(&hub, Level::Debug);
        let place = Place::new("python.echo");
        let span = FinishedSpan { parent: None, ..span(&TraceContext::root()) };
        span.report(&hub, &SpanPlace { worker: None, ..place.on(1) });
        let json = subscription.try_next().unwrap().records[0].to_json();
        assert_eq!(json["message"], "python.echo");
        assert!(json.get("worker").is_none() && json["fields"].get("parent_span_id").is_none());
    }

    #[test]
    fn neighbours_share_a_place_until_it_is_another() {
        let hub = LogHub::new(10, Counter::default());
        let subscription = listen(&hub, Level::Debug);
        let (first, second) = (Place::new("a.b"), Place::new("c.d"));
        let span = span(&TraceContext::root());
        for place in [first.on(1), first.on(1), first.on(2), second.on(2)] {
            span.report(&hub, &place);
        }
        let batch = subscription.try_next().unwrap();
        let place = |record: &Told| match record {
            Told::Span(span) => Arc::as_ptr(&span.place),
            Told::Record(record) => panic!("no span: {record:?}"),
        };
        let places: Vec<_> = batch.records.iter().map(place).collect();
        assert!(places[0] == places[1] && places[1] != places[2] && places[2] != places[3]);
        let told: Vec<_> = batch.records.iter().map(Told::to_json).collect();
        let worker = |at: usize| (told[at]["message"].clone(), told[at]["worker"].clone());
        assert_eq!(worker(1), ("a.b".into(), "1.7".into()));
        assert_eq!(worker(2), ("a.b".into(), "2.7".into()));
        assert_eq!(worker(3), ("c.d".into(), "2.7".into()));
    }

    #[test]
    fn what_nobody_listens_for_or_samples_is_not_told() {
        let hub = LogHub::new(10, Counter::default());
        let info = listen(&hub, Level::Info);
        let place = Place::new("a.b");
        let mut span = span(&TraceContext::root());
        assert!(!span.is_wanted(&hub));
        let debug = listen(&hub, Level::Debug);
        assert!(span.is_wanted(&hub));
        let other = LogFilter { level: Level::Debug, target_prefix: "python".to_owned() };
        let other = hub.subscribe(other);
        span.report(&hub, &place.on(1));
        assert!(debug.try_next().is_some(), "who listens for spans gets it");
        assert!(info.try_next().is_none() && other.try_next().is_none(), "and nobody else");
        let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        span.context = TraceContext::parse(unsampled).unwrap();
        span.report(&hub, &place.on(1));
        assert!(debug.try_next().is_none(), "told although unsampled");
    }

    #[test]
    fn a_secret_in_a_name_is_masked() {
        let hub = LogHub::new(10, Counter::default());
        hub.redactor().hide("canary-7391");
        let subscription = listen(&hub, Level::Debug);
        span(&TraceContext::root()).report(&hub, &Place::new("a.canary-7391").on(1));
        assert_eq!(subscription.try_next().unwrap().records[0].message(), "a.***");
    }
}
