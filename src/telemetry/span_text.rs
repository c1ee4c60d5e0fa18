//! A span as text: the document that hosts receive, in one pass.
//!
//! Somebody who listens for spans gets one for every call, so this is written by hand; all other
//! records take `Serialize`, and their keys are these. It must not know where the text goes.

use super::span::{KeptPlace, SPAN_LEVEL, SPAN_TARGET, SpanRecord};

/// The document of a span.
pub(super) fn span_text(SpanRecord { span, place, unix_ms }: &SpanRecord) -> String {
    let duration_us = u64::try_from(span.duration.as_micros()).unwrap_or(u64::MAX);
    let mut text = Text(Vec::with_capacity(TEXT_BYTES_USUAL));
    text.put(r#"{"unix_ms":"#).number(*unix_ms);
    text.put(r#","level":""#).put(SPAN_LEVEL.name());
    text.put(r#"","target":""#).put(SPAN_TARGET);
    text.put(r#"","message":"#).quoted(&place.name);
    text.put(r#","fields":{"span_id":""#).bytes(&span.context.span_id().hex());
    if let Some(parent) = span.parent {
        text.put(r#"","parent_span_id":""#).bytes(&parent.hex());
    }
    text.put(r#"","start_unix_ms":"#).number(unix_ms.saturating_sub(duration_us / 1000));
    text.put(r#","duration_us":"#).number(duration_us);
    text.put(r#","status":""#).put(span.status.name());
    text.put(r#""}"#).place(place);
    text.put(r#","call":"#).number(span.call.0);
    text.put(r#","trace_id":""#).bytes(&span.context.trace_id().hex()).put(r#""}"#);
    String::from_utf8(text.0).unwrap_or_default()
}

/// JSON that is being written.
struct Text(Vec<u8>);

impl Text {
    fn place(&mut self, place: &KeptPlace) {
        self.put(r#","pool":"#).quoted(&place.pool);
        if let Some(worker) = place.worker {
            self.put(r#","worker":""#).number(worker.slot).put(".").number(worker.generation);
            self.put(r#"""#);
        }
        self.put(r#","session":"#).quoted(place.session.as_str());
    }

    fn put(&mut self, part: &str) -> &mut Self {
        self.bytes(part.as_bytes())
    }

    fn bytes(&mut self, part: &[u8]) -> &mut Self {
        self.0.extend_from_slice(part);
        self
    }

    fn number(&mut self, number: impl itoa::Integer) -> &mut Self {
        self.put(itoa::Buffer::new().format(number))
    }

    fn quoted(&mut self, text: &str) -> &mut Self {
        // Neither memory nor a text can fail to be written.
        let _ = serde_json::to_writer(&mut self.0, text);
        self
    }
}

/// With names of a usual length.
const TEXT_BYTES_USUAL: usize = 448;
