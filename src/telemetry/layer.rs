//! From `tracing` events to log records, on the platform's own threads.
//!
//! Never a global subscriber: a host may have its own. Each library thread installs the dispatch
//! when it starts and keeps it for life. Only this library's events and the warnings of its
//! dependencies are taken; all other call sites are switched off once and cost nothing afterwards.

use std::sync::{Arc, LazyLock};

use serde_json::Value as Json;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

use super::logs::LogHub;
use super::record::{Level, Origin, Record};
use super::trace::TraceId;
use crate::core::{CallId, SessionId, WorkerId};

/// What a thread needs so that its `tracing` events reach a hub. Cheap to clone.
#[derive(Clone)]
pub struct LogDispatch(tracing::Dispatch);

impl Default for LogDispatch {
    /// A dispatch whose events go nowhere.
    fn default() -> Self {
        LogDispatch(tracing::Dispatch::none())
    }
}

impl LogDispatch {
    /// A dispatch whose events go to `hub`, which it keeps alive.
    pub fn new(hub: Arc<LogHub>) -> Self {
        LazyLock::force(&SECOND);
        LogDispatch(tracing::Dispatch::new(Registry::default().with(HubLayer { hub })))
    }

    /// For the rest of the current thread's life; for threads that belong to the platform.
    pub fn install_for_thread(&self) {
        // The guard would put back the thread's former dispatch, and a new thread has none.
        std::mem::forget(tracing::dispatcher::set_default(&self.0));
    }

    /// While `work` runs; for a host's thread that is inside a call of the library.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        tracing::dispatcher::with_default(&self.0, work)
    }
}

/// While there is a single dispatch, `tracing` asks the one of the current thread whether an event
/// is of interest, and keeps the answer for all threads: a thread without any would silence the
/// event for good. A second one that takes nothing makes it ask all that there are.
static SECOND: LazyLock<tracing::Dispatch> =
    LazyLock::new(|| tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default()));

struct HubLayer {
    hub: Arc<LogHub>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for HubLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match level_of(metadata) {
            Some(_) => Interest::sometimes(),
            None => Interest::never(),
        }
    }

    /// What nobody takes, such as the steps of HTTP/2, is left out before its call site is looked
    /// at.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        level_of(metadata).is_some_and(|level| self.hub.listens(level))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut origin = OriginVisitor::default();
        attributes.record(&mut origin);
        span.extensions_mut().insert(origin.0);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(level) = level_of(event.metadata()) else { return };
        let mut visitor = RecordVisitor::default();
        event.record(&mut visitor);
        let mut origin = visitor.origin.0;
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Origin>() {
                origin = filled(origin, outer);
            }
        }
        let mut record =
            Record::new(level, event.metadata().target(), visitor.message).from_origin(origin);
        record.fields = visitor.fields;
        self.hub.publish(record);
    }
}

/// `None` for what the hub does not take.
fn level_of(metadata: &Metadata<'_>) -> Option<Level> {
    let level = match *metadata.level() {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warning,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => return None,
    };
    let is_ours = metadata.target().starts_with(env!("CARGO_CRATE_NAME"));
    (is_ours || level >= Level::Warning).then_some(level)
}

/// `inner`, and from `outer` what it does not say.
fn filled(inner: Origin, outer: &Origin) -> Origin {
    Origin {
        pool: inner.pool.or_else(|| outer.pool.clone()),
        worker: inner.worker.or(outer.worker),
        session: inner.session.or_else(|| outer.session.clone()),
        call: inner.call.or(outer.call),
        trace: inner.trace.or(outer.trace),
    }
}

#[derive(Default)]
struct OriginVisitor(Origin);

impl OriginVisitor {
    /// Takes a field that says whose work it is; false for any other.
    fn take(&mut self, name: &str, text: &str) -> bool {
        match name {
            "pool" => self.0.pool = Some(Arc::from(text)),
            "worker" => self.0.worker = worker(text),
            "session" => self.0.session = SessionId::new(text).ok(),
            "call" => self.0.call = text.parse().ok().map(CallId),
            "trace_id" => self.0.trace = TraceId::parse(text),
            _ => return false,
        }
        true
    }
}

impl Visit for OriginVisitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.take(field.name(), &format!("{value:?}"));
    }
}

#[derive(Default)]
struct RecordVisitor {
    message: String,
    fields: serde_json::Map<String, Json>,
    origin: OriginVisitor,
}

impl RecordVisitor {
    fn keep(&mut self, field: &Field, text: &str, value: impl Into<Json>) {
        if field.name() == "message" {
            self.message = text.to_owned();
        } else if !self.origin.take(field.name(), text) {
            self.fields.insert(field.name().to_owned(), value.into());
        }
    }
}

impl Visit for RecordVisitor {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, &value.to_string(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, &value.to_string(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, &value.to_string(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, &value.to_string(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let text = format!("{value:?}");
        self.keep(field, &text, text.as_str());
    }
}

/// Reads `slot.generation`.
fn worker(text: &str) -> Option<WorkerId> {
    let (slot, generation) = text.split_once('.')?;
    Some(WorkerId { slot: slot.parse().ok()?, generation: generation.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::logs::{LogFilter, LogSubscription};
    use prometheus_client::metrics::counter::Counter;

    fn dispatch(level: Level) -> (LogDispatch, LogSubscription) {
        let hub = LogHub::new(10, Counter::default());
        let subscription = hub.subscribe(LogFilter { level, target_prefix: String::new() });
        (LogDispatch::new(hub), subscription)
    }

    #[test]
    fn an_event_becomes_a_record_with_the_origin_of_its_spans() {
        let (dispatch, records) = dispatch(Level::Debug);
        dispatch.run(|| {
            let outer =
                tracing::info_span!("call", call = 7_u64, session = "ses_1", pool = "default");
            let _outer = outer.enter();
            let _inner =
                tracing::info_span!("on", worker = %WorkerId { slot: 2, generation: 5 }).entered();
            tracing::warn!(attempt = 3, api_key = "canary", pool = "other", "lost {}", "it");
        });
        let json = records.try_next().unwrap().records[0].to_json();
        assert_eq!(json["message"], "lost it");
        assert_eq!(json["level"], "warning");
        assert_eq!(json["fields"], serde_json::json!({"attempt": 3, "api_key": "***"}));
        let origin = ["pool", "worker", "session", "call"].map(|name| json[name].clone());
        assert_eq!(origin, ["other".into(), "2.5".into(), "ses_1".into(), Json::from(7)]);
    }

    #[test]
    fn only_what_is_listened_for_and_ours_is_taken() {
        let (dispatch, records) = dispatch(Level::Info);
        dispatch.run(|| {
            tracing::debug!("too fine");
            tracing::trace!("never");
            tracing::info!(target: "h2::codec", "a dependency's chatter");
            tracing::error!(target: "h2::codec", "a dependency's error");
            tracing::info!("ours");
        });
        let taken: Vec<_> = std::iter::from_fn(|| records.try_next())
            .flat_map(|batch| batch.records)
            .map(|record| record.message().to_owned())
            .collect();
        assert_eq!(taken, ["a dependency's error", "ours"]);
    }

    #[test]
    fn a_thread_keeps_its_dispatch_and_others_have_none() {
        let (dispatch, records) = dispatch(Level::Debug);
        let speak = || tracing::info!("spoken");
        // The one without comes first: what it does not hear, the other one still does.
        std::thread::scope(|scope| drop(scope.spawn(speak).join()));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                dispatch.install_for_thread();
                speak();
            });
        });
        assert!(records.try_next().is_some());
        assert!(records.try_next().is_none());
    }
}
