//! One log record: what was said, by what part, and for which piece of work.
//!
//! A record is bounded before it is queued: what is longer than the limit is cut and says so. The
//! numbers of the levels are those of Python's logging, because that is where most records come
//! from.

use std::sync::Arc;

use serde_json::Value as Json;

use super::redact::Redactor;
use super::trace::TraceId;
use crate::core::limits::LOG_RECORD_BYTES_MAX;
use crate::core::{CallId, SessionId, WorkerId};

/// How grave a record is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Level {
    /// For whoever looks for a fault.
    Debug = 10,
    /// What happens in good order.
    Info = 20,
    /// Something is wrong and was dealt with.
    Warning = 30,
    /// Something is wrong and somebody should act.
    Error = 40,
}

impl Level {
    /// The level at or below a number of Python's logging; what is under 10 counts as debug.
    pub fn from_number(number: i32) -> Level {
        match number {
            ..20 => Level::Debug,
            20..30 => Level::Info,
            30..40 => Level::Warning,
            40.. => Level::Error,
        }
    }

    /// The level of a name of the configuration document: `debug`, `info`, `warning` or `error`.
    pub fn from_name(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == name)
    }

    /// As in Python's logging and on the C ABI.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// As in the configuration document.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }

    /// Every level, the least grave first.
    pub const ALL: [Level; 4] = [Level::Debug, Level::Info, Level::Warning, Level::Error];
}

/// The work that a record belongs to, as far as it is known.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Origin {
    /// The pool's name.
    pub pool: Option<Arc<str>>,
    /// One life of one worker.
    pub worker: Option<WorkerId>,
    /// The session that the call runs in.
    pub session: Option<SessionId>,
    /// The call, by its number on the wire.
    pub call: Option<CallId>,
    /// The trace that the call belongs to.
    pub trace: Option<TraceId>,
}

/// One log record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When it was made, in milliseconds since 1970. For people: nothing is decided by it.
    pub unix_ms: u64,
    /// How grave it is.
    pub level: Level,
    /// The part that speaks: a module path, a Python logger, `stdout`, `stderr` or `span`.
    pub target: String,
    /// What was said.
    pub message: String,
    /// More of the circumstances, as data.
    pub fields: serde_json::Map<String, Json>,
    /// The work it belongs to.
    pub origin: Origin,
}

impl Record {
    /// A record of now.
    pub fn new(level: Level, target: impl Into<String>, message: impl Into<String>) -> Self {
        Record {
            unix_ms: unix_ms(),
            level,
            target: target.into(),
            message: message.into(),
            fields: serde_json::Map::new(),
            origin: Origin::default(),
        }
    }

    /// Says what work it belongs to.
    #[must_use]
    pub fn from_origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Adds one field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// The record as hosts receive it. Parts of its origin that are not known are left out.
    pub fn to_json(&self) -> Json {
        let mut json = serde_json::Map::new();
        json.insert("unix_ms".to_owned(), self.unix_ms.into());
        json.insert("level".to_owned(), self.level.name().into());
        json.insert("target".to_owned(), self.target.as_str().into());
        json.insert("message".to_owned(), self.message.as_str().into());
        if !self.fields.is_empty() {
            json.insert("fields".to_owned(), Json::Object(self.fields.clone()));
        }
        let origin = &self.origin;
        let parts = [
            ("pool", origin.pool.as_deref().map(Json::from)),
            ("worker", origin.worker.map(|worker| Json::from(worker.to_string()))),
            ("session", origin.session.as_ref().map(|session| Json::from(session.as_str()))),
            ("call", origin.call.map(|call| Json::from(call.0))),
            ("trace_id", origin.trace.map(|trace| Json::from(trace.to_string()))),
        ];
        for (name, part) in parts {
            if let Some(part) = part {
                json.insert(name.to_owned(), part);
            }
        }
        Json::Object(json)
    }

    /// Masked and cut, as it enters the hub. Masking comes first: a secret that is cut in half
    /// would not be known.
    #[must_use]
    pub(super) fn finished(mut self, redactor: &Redactor) -> Self {
        if let std::borrow::Cow::Owned(cleaned) = redactor.clean(&self.message) {
            self.message = cleaned;
        }
        redactor.clean_fields(&mut self.fields);
        cut(&mut self.target, TARGET_BYTES_MAX);
        cut_fields(&mut self.fields);
        cut(&mut self.message, LOG_RECORD_BYTES_MAX - FIELDS_BYTES_MAX - TARGET_BYTES_MAX);
        self
    }
}

/// Wall time for people.
#[expect(clippy::disallowed_methods, reason = "the one place that stamps records; decides nothing")]
pub fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Shortens `text` to at most `bytes_max` at a character's border and says how long it was.
fn cut(text: &mut String, bytes_max: usize) {
    if text.len() <= bytes_max {
        return;
    }
    let note = format!("… (cut, {} bytes)", text.len());
    text.truncate(text.floor_char_boundary(bytes_max.saturating_sub(note.len())));
    text.push_str(&note);
}

/// Keeps the fields that fit, in their order, and counts the others.
fn cut_fields(fields: &mut serde_json::Map<String, Json>) {
    let mut left = FIELDS_BYTES_MAX - CUT_NOTE_BYTES;
    let mut omitted = 0_u64;
    fields.retain(|name, value| {
        let bytes = name.len() + value.to_string().len();
        let fits = bytes <= left;
        if fits {
            left -= bytes;
        } else {
            omitted += 1;
        }
        fits
    });
    if omitted > 0 {
        fields.insert(FIELDS_OMITTED.to_owned(), omitted.into());
    }
}

const TARGET_BYTES_MAX: usize = 256;
/// The share of a record that its fields may take.
const FIELDS_BYTES_MAX: usize = LOG_RECORD_BYTES_MAX / 4;
const CUT_NOTE_BYTES: usize = 64;
const FIELDS_OMITTED: &str = "fields_omitted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_python() {
        let numbers = [(-1, "debug"), (10, "debug"), (20, "info"), (25, "info"), (30, "warning")];
        for (number, name) in numbers.into_iter().chain([(40, "error"), (50, "error")]) {
            assert_eq!(Level::from_number(number).name(), name);
            assert_eq!(Level::from_name(name), Some(Level::from_number(number)));
        }
        assert_eq!(Level::from_name("trace"), None);
    }

    #[test]
    fn json_names_the_origin_that_is_known() {
        let origin = Origin {
            pool: Some("default".into()),
            worker: Some(WorkerId { slot: 1, generation: 4 }),
            call: Some(CallId(9)),
            ..Origin::default()
        };
        let record = Record::new(Level::Info, "stdout", "hello").with("n", 1).from_origin(origin);
        let mut json = record.to_json();
        assert!(json["unix_ms"].take().as_u64().unwrap() > 1_600_000_000_000);
        let expected = serde_json::json!({"unix_ms": null, "level": "info", "target": "stdout",
            "message": "hello", "fields": {"n": 1}, "pool": "default", "worker": "1.4", "call": 9});
        assert_eq!(json, expected);
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let record = Record::new(Level::Info, "t".repeat(1000), "é".repeat(20_000))
            .with("small", 1)
            .with("large", "x".repeat(20_000));
        let record = record.finished(&Redactor::default());
        assert!(record.message.ends_with("… (cut, 40000 bytes)"), "{}", record.message);
        assert_eq!(record.fields["small"], 1);
        assert_eq!(record.fields[FIELDS_OMITTED], 1);
        let total = record.message.len()
            + record.target.len()
            + Json::Object(record.fields).to_string().len();
        assert!(total <= LOG_RECORD_BYTES_MAX, "{total}");
    }

    #[test]
    fn a_secret_across_the_cut_leaves_nothing() {
        let redactor = Redactor::default();
        redactor.hide("canary-7391");
        let message = "x".repeat(LOG_RECORD_BYTES_MAX - FIELDS_BYTES_MAX - TARGET_BYTES_MAX - 30);
        let record = Record::new(Level::Info, "stderr", message + "canary-7391" + &"y".repeat(99));
        assert!(!record.finished(&redactor).message.contains("canary"));
    }
}
