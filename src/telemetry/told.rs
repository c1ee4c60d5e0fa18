//! What a subscriber is told: a record as somebody made it, or a span in short.
//!
//! It is moved from queue to queue and becomes text when it is taken, so it is small: what a record
//! holds lies elsewhere.

use serde_json::Value as Json;

use super::record::{Level, Record};
use super::span::{SPAN_LEVEL, SPAN_TARGET, SpanRecord};
use super::span_text::span_text;

/// One log record, as hosts receive it.
#[derive(Clone, Debug)]
pub enum Told {
    /// Made by whoever had something to say.
    Record(Box<Record>),
    /// An operation or a tool call has ended.
    Span(SpanRecord),
}

impl Told {
    /// How grave it is.
    pub fn level(&self) -> Level {
        match self {
            Told::Record(record) => record.level,
            Told::Span(_) => SPAN_LEVEL,
        }
    }

    /// The part that speaks: a module path, a Python logger, `stdout`, `stderr` or `span`.
    pub fn target(&self) -> &str {
        match self {
            Told::Record(record) => &record.target,
            Told::Span(_) => SPAN_TARGET,
        }
    }

    /// What was said; of a span, what was done.
    pub fn message(&self) -> &str {
        match self {
            Told::Record(record) => &record.message,
            Told::Span(span) => &span.place.name,
        }
    }

    /// The record as hosts receive it. Parts of its origin that are not known are left out.
    pub fn to_json(&self) -> Json {
        match self {
            Told::Record(record) => record.to_json(),
            Told::Span(span) => serde_json::from_str(&span_text(span)).unwrap_or_default(),
        }
    }

    /// The same as text.
    pub fn to_text(&self) -> String {
        match self {
            Told::Record(record) => record.to_text(),
            Told::Span(span) => span_text(span),
        }
    }
}

impl From<Record> for Told {
    fn from(record: Record) -> Self {
        Told::Record(Box::new(record))
    }
}

impl From<SpanRecord> for Told {
    fn from(span: SpanRecord) -> Self {
        Told::Span(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_small() {
        assert!(size_of::<Told>() <= 80, "{} bytes", size_of::<Told>());
    }
}
