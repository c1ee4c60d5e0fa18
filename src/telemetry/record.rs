//! One log record: what was said, by what part, and for which piece of work.
//!
//! A record is bounded before it is queued: what is longer than the limit is cut and says so. It
//! becomes a document only when somebody takes it. The numbers of the levels are those of Python's
//! logging, because that is where most records come from.

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};
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
    pub target: Cow<'static, str>,
    /// What was said.
    pub message: String,
    /// More of the circumstances, as data.
    pub fields: serde_json::Map<String, Json>,
    /// The work it belongs to.
    pub origin: Origin,
}

impl Record {
    /// A record of now.
    pub fn new(
        level: Level,
        target: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
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
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The same as text, without the tree.
    pub fn to_text(&self) -> String {
        let mut text = Vec::with_capacity(TEXT_BYTES_USUAL);
        // Neither memory nor a record can fail to be written.
        let _ = serde_json::to_writer(&mut text, self);
        String::from_utf8(text).unwrap_or_default()
    }

    /// Masked and cut, as it enters the hub. Masking comes first: a secret that is cut in half
    /// would not be known.
    #[must_use]
    pub(super) fn finished(mut self, redactor: &Redactor) -> Self {
        if let std::borrow::Cow::Owned(cleaned) = redactor.clean(&self.message) {
            self.message = cleaned;
        }
        redactor.clean_fields(&mut self.fields);
        if self.target.len() > TARGET_BYTES_MAX {
            cut(self.target.to_mut(), TARGET_BYTES_MAX);
        }
        cut_fields(&mut self.fields);
        cut(&mut self.message, LOG_RECORD_BYTES_MAX - FIELDS_BYTES_MAX - TARGET_BYTES_MAX);
        self
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("unix_ms", &self.unix_ms)?;
        map.serialize_entry("level", self.level.name())?;
        map.serialize_entry("target", &self.target)?;
        map.serialize_entry("message", &self.message)?;
        if !self.fields.is_empty() {
            map.serialize_entry("fields", &self.fields)?;
        }
        let origin = &self.origin;
        if let Some(pool) = &origin.pool {
            map.serialize_entry("pool", &**pool)?;
        }
        if let Some(worker) = &origin.worker {
            map.serialize_entry("worker", &Shown(worker))?;
        }
        if let Some(session) = &origin.session {
            map.serialize_entry("session", session.as_str())?;
        }
        if let Some(call) = &origin.call {
            map.serialize_entry("call", &call.0)?;
        }
        if let Some(trace) = &origin.trace {
            map.serialize_entry("trace_id", &Shown(trace))?;
        }
        map.end()
    }
}

/// Written as people read it, straight to where it goes.
struct Shown<'a, T>(&'a T);

impl<T: std::fmt::Display> Serialize for Shown<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
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
        let bytes = name.len() + written_bytes(value);
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

/// How long a value is as text.
fn written_bytes(value: &Json) -> usize {
    struct Count(usize);
    impl Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Neither the counter nor a tree can fail to be written.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

const TARGET_BYTES_MAX: usize = 256;
/// Most records have fewer.
const TEXT_BYTES_USUAL: usize = 512;
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
        let text: Json = serde_json::from_str(&record.to_text()).unwrap();
        assert_eq!(text, record.to_json());
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
