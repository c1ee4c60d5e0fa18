//! The document of an archive:
//!
//! `{"format": "snakepit-session", "version": 1, "session": {"id", "metadata", "ttl_ms" (null: for
//! ever), "affinity"}, "variables": [{"name", "type", "constraints", "metadata", "version",
//! "value", "history": [{"version", "value"}, …]}, …]}`
//!
//! Values, constraints and metadata stand in it as they were written, only that the attachments of
//! all values are counted through. Attachments that no document refers to are left out, and spaces
//! around a document are not kept.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::core::{Affinity, Attachment, Result, SessionId, Value};
use crate::state::{Past, Rule, SavedVariable, SessionAbout};

use super::tags::{numbers, references, renumber};
use super::{Archive, fault};

/// The document and the attachments that it counts through.
pub fn write(archive: &Archive) -> Result<(Vec<u8>, Vec<Attachment>)> {
    let mut writer = Writer { document: Vec::new(), attachments: Vec::new() };
    let SessionAbout { metadata, ttl: _, affinity } = &archive.about;
    writer.text(&format!(r#"{{"format":"{FORMAT}","version":{VERSION},"session":{{"id":"#));
    writer.json(&json!(archive.id.as_str()));
    writer.text(r#","metadata":"#);
    writer.document.extend_from_slice(metadata);
    writer.text(r#","ttl_ms":"#);
    writer.json(&json!(archive.about.ttl_ms()));
    writer.text(r#","affinity":"#);
    writer.json(&json!(affinity.name()));
    writer.text(r#"},"variables":["#);
    for (index, variable) in archive.variables.iter().enumerate() {
        writer.comma(index);
        writer.variable(variable)?;
    }
    writer.text("]}");
    Ok((writer.document, writer.attachments))
}

/// The archive that a document describes.
pub fn read(document: &[u8], attachments: &[Attachment]) -> Result<Archive> {
    let head: Head = serde_json::from_slice(document).map_err(fault)?;
    if head.format != FORMAT {
        return Err(fault(format!("format is not {FORMAT:?}")));
    }
    if head.version != VERSION {
        let message = format!("version is {}, expected {VERSION}", head.version);
        return Err(fault(message).with("version", head.version));
    }
    let whole: Whole<'_> = serde_json::from_slice(document).map_err(fault)?;
    let Whole { session, variables, .. } = whole;
    let metadata = Bytes::copy_from_slice(session.metadata.get().as_bytes());
    let ttl = session.ttl_ms.map_or(Duration::MAX, Duration::from_millis);
    let about = SessionAbout { metadata, ttl, affinity: session.affinity };
    let variables = variables.iter().map(|part| part.read(attachments));
    let variables = variables.collect::<Result<_>>()?;
    Ok(Archive { id: SessionId::new(&session.id)?, about, variables })
}

struct Writer {
    document: Vec<u8>,
    attachments: Vec<Attachment>,
}

impl Writer {
    fn text(&mut self, text: &str) {
        self.document.extend_from_slice(text.as_bytes());
    }

    fn json(&mut self, value: &serde_json::Value) {
        self.text(&value.to_string());
    }

    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.text(",");
        }
    }

    fn variable(&mut self, variable: &SavedVariable) -> Result<()> {
        let SavedVariable { name, rule, metadata, value, version, history } = variable;
        self.text(r#"{"name":"#);
        self.json(&json!(&**name));
        self.text(&format!(r#","type":"{}","constraints":"#, rule.variable_type().name()));
        self.document.extend_from_slice(rule.constraints());
        self.text(r#","metadata":"#);
        self.document.extend_from_slice(metadata);
        self.text(&format!(r#","version":{version},"value":"#));
        self.value(value)?;
        self.text(r#","history":["#);
        for (index, past) in history.iter().enumerate() {
            self.comma(index);
            self.text(&format!(r#"{{"version":{},"value":"#, past.version));
            self.value(&past.value)?;
            self.text("}");
        }
        self.text("]}");
        Ok(())
    }

    fn value(&mut self, value: &Value) -> Result<()> {
        if value.attachments().is_empty() {
            self.document.extend_from_slice(value.json());
            return Ok(());
        }
        let references = references(value.json())?;
        let used = numbers(&references);
        let base = self.attachments.len();
        let place = |number| base + used.binary_search(&number).unwrap_or_default();
        renumber(&mut self.document, value.json(), &references, place);
        let attachments = used.iter().filter_map(|number| value.attachments().get(*number));
        self.attachments.extend(attachments.cloned());
        Ok(())
    }
}

/// What says whether the rest can be read.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole<'a> {
    #[serde(rename = "format")]
    _format: serde::de::IgnoredAny,
    #[serde(rename = "version")]
    _version: serde::de::IgnoredAny,
    #[serde(borrow)]
    session: SessionPart<'a>,
    #[serde(borrow)]
    variables: Vec<VariablePart<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionPart<'a> {
    id: String,
    #[serde(borrow)]
    metadata: &'a RawValue,
    ttl_ms: Option<u64>,
    affinity: Affinity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VariablePart<'a> {
    name: String,
    r#type: String,
    #[serde(borrow)]
    constraints: &'a RawValue,
    #[serde(borrow)]
    metadata: &'a RawValue,
    version: u64,
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(borrow)]
    history: Vec<PastPart<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PastPart<'a> {
    version: u64,
    #[serde(borrow)]
    value: &'a RawValue,
}

impl VariablePart<'_> {
    fn read(&self, attachments: &[Attachment]) -> Result<SavedVariable> {
        let of_variable = |error: crate::core::Error| error.with("variable", self.name.as_str());
        let constraints = Bytes::copy_from_slice(self.constraints.get().as_bytes());
        let past = |past: &PastPart<'_>| {
            let value = value(past.value, attachments)?;
            Ok(Past { version: past.version, value })
        };
        let history = self.history.iter().map(past).collect::<Result<_>>();
        Ok(SavedVariable {
            name: self.name.as_str().into(),
            rule: Rule::new(&self.r#type, &constraints).map_err(of_variable)?,
            metadata: Bytes::copy_from_slice(self.metadata.get().as_bytes()),
            value: value(self.value, attachments).map_err(of_variable)?,
            version: self.version,
            history: history.map_err(of_variable)?,
        })
    }
}

/// A value with the attachments that it refers to, counted from 0 again.
fn value(raw: &RawValue, attachments: &[Attachment]) -> Result<Value> {
    let document = raw.get().as_bytes();
    let references = references(document)?;
    let used = numbers(&references);
    let own = used.iter().map(|number| {
        attachments.get(*number).cloned().ok_or_else(|| {
            let have = attachments.len();
            fault(format!("a value refers to attachment {number}, and the archive has {have}"))
        })
    });
    let own = own.collect::<Result<Vec<_>>>()?;
    let mut counted = Vec::with_capacity(document.len());
    let place = |number| used.binary_search(&number).unwrap_or_default();
    renumber(&mut counted, document, &references, place);
    Ok(Value::new(counted, own)?.to_kept())
}

const FORMAT: &str = "snakepit-session";
const VERSION: u64 = 1;
