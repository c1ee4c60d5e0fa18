//! Variables, histories and changes as one value each: documents put together of stored ones, byte
//! for byte, with the attachments of all of them behind each other.

use serde_json::{Value as Json, json};

use crate::core::{Attachment, Result, Value};
use crate::state::{ChangeKind, Past, Variable, WatchEvent};

/// An array of `{"name", "type", "id", "version", "value", "constraints", "metadata"}`, with
/// `"lock": {"owner", "expires_in_ms"}` where there is one.
pub fn variables(variables: &[Variable]) -> Result<Value> {
    let mut whole = Assembly::default();
    whole.array(variables, |whole, variable| whole.variable(variable))?;
    Ok(whole.finish())
}

/// One of them.
pub fn variable(variable: &Variable) -> Result<Value> {
    let mut whole = Assembly::default();
    whole.variable(variable)?;
    Ok(whole.finish())
}

/// `{"found": […], "missing": [names]}`.
pub fn found(found: &[Variable], missing: &[String]) -> Result<Value> {
    let mut whole = Assembly::default();
    whole.text("{\"found\":");
    whole.array(found, |whole, variable| whole.variable(variable))?;
    whole.text(",\"missing\":");
    whole.document(&json!(missing));
    whole.text("}");
    Ok(whole.finish())
}

/// An array of `{"version", "value"}`, oldest first.
pub fn history(history: &[Past]) -> Result<Value> {
    let mut whole = Assembly::default();
    whole.array(history, |whole, past| {
        whole.text("{\"version\":");
        whole.document(&json!(past.version));
        whole.text(",\"value\":");
        whole.value(&past.value)?;
        whole.text("}");
        Ok(())
    })?;
    Ok(whole.finish())
}

/// What a watcher is told: `{"kind", "name", "id", "version", "revision"}`, with `"value"` and
/// `"owner"` where there is one. A variable from the beginning has no revision, a count of missed
/// changes is `{"count", "from_revision", "to_revision"}`, the end has no document.
pub fn event(event: &WatchEvent) -> Result<Option<Value>> {
    let mut whole = Assembly::default();
    let (head, value) = match event {
        WatchEvent::Initial(held) => (
            json!({
                "kind": "initial",
                "name": held.name().as_ref(),
                "id": held.definition.id,
                "version": held.version,
            }),
            Some(&held.value),
        ),
        WatchEvent::Change(change) => (
            with_owner(
                json!({
                    "kind": change.kind.name(),
                    "name": change.name.as_ref(),
                    "id": change.id,
                    "version": change.version,
                    "revision": change.revision,
                }),
                &change.kind,
            ),
            change.value.as_ref(),
        ),
        WatchEvent::Missed(missed) => (
            json!({
                "count": missed.count,
                "from_revision": missed.from_revision,
                "to_revision": missed.to_revision,
            }),
            None,
        ),
        WatchEvent::End(_) => return Ok(None),
    };
    whole.head_and_value(&head, value)?;
    Ok(Some(whole.finish()))
}

fn with_owner(mut head: Json, kind: &ChangeKind) -> Json {
    if let (ChangeKind::Locked { owner }, Some(fields)) = (kind, head.as_object_mut()) {
        fields.insert("owner".to_owned(), owner.as_ref().into());
    }
    head
}

/// A document on its way, with the attachments it refers to so far.
#[derive(Default)]
struct Assembly {
    json: Vec<u8>,
    attachments: Vec<Attachment>,
    has_non_finite: bool,
}

impl Assembly {
    fn finish(self) -> Value {
        Value::assembled(self.json, self.attachments, self.has_non_finite)
    }

    fn text(&mut self, json: &str) {
        self.json.extend_from_slice(json.as_bytes());
    }

    fn document(&mut self, document: &Json) {
        self.text(&document.to_string());
    }

    fn array<T>(&mut self, items: &[T], add: impl Fn(&mut Self, &T) -> Result<()>) -> Result<()> {
        self.text("[");
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.text(",");
            }
            add(self, item)?;
        }
        self.text("]");
        Ok(())
    }

    fn variable(&mut self, variable: &Variable) -> Result<()> {
        let mut head = json!({
            "name": variable.name().as_ref(),
            "type": variable.type_name(),
            "id": variable.definition.id,
            "version": variable.version,
        });
        if let (Some(lock), Some(fields)) = (&variable.lock, head.as_object_mut()) {
            let expires_in_ms = u64::try_from(lock.expires_in.as_millis()).unwrap_or(u64::MAX);
            let lock = json!({"owner": lock.owner.as_ref(), "expires_in_ms": expires_in_ms});
            fields.insert("lock".to_owned(), lock);
        }
        self.open_head(&head);
        self.text(",\"constraints\":");
        self.object(variable.constraints());
        self.text(",\"metadata\":");
        self.object(variable.metadata());
        self.text(",\"value\":");
        self.value(&variable.value)?;
        self.text("}");
        Ok(())
    }

    fn head_and_value(&mut self, head: &Json, value: Option<&Value>) -> Result<()> {
        self.open_head(head);
        if let Some(value) = value {
            self.text(",\"value\":");
            self.value(value)?;
        }
        self.text("}");
        Ok(())
    }

    /// An object without its closing brace.
    fn open_head(&mut self, head: &Json) {
        let text = head.to_string();
        self.text(text.strip_suffix('}').unwrap_or(&text));
    }

    /// An object that the store keeps as bytes; none is an empty one.
    fn object(&mut self, kept: &[u8]) {
        let kept = if kept.is_empty() { b"{}" } else { kept };
        self.json.extend_from_slice(kept);
    }

    /// A stored value. Its attachments come behind those there are, so its references move up.
    fn value(&mut self, value: &Value) -> Result<()> {
        let offset = self.attachments.len();
        if value.attachments().is_empty() || offset == 0 {
            self.json.extend_from_slice(value.json());
        } else {
            let mut document = value.to_document()?;
            move_references(&mut document, offset);
            self.document(&document);
        }
        self.attachments.extend_from_slice(value.attachments());
        self.has_non_finite |= value.has_non_finite();
        Ok(())
    }
}

/// Adds `offset` to every reference. A user's own key is never `$spb`, so what reads so is one.
fn move_references(node: &mut Json, offset: usize) {
    match node {
        Json::Array(items) => items.iter_mut().for_each(|item| move_references(item, offset)),
        Json::Object(fields) => {
            if let Some(number) = fields.get_mut(TAG).and_then(|tag| tag.get_mut("attachment")) {
                let moved = number.as_u64().unwrap_or_default() + offset as u64;
                *number = moved.into();
                return;
            }
            fields.values_mut().for_each(|field| move_references(field, offset));
        }
        _ => {}
    }
}

/// The key of a reference to an attachment.
const TAG: &str = "$spb";

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(json: &str, bytes: &'static [u8]) -> Value {
        Value::new(json.to_owned(), vec![Attachment::Blob(bytes.into())]).unwrap()
    }

    #[test]
    fn documents_stay_as_they_are_and_references_keep_their_attachments() {
        let past = |version, value| Past { version, value };
        let whole = history(&[
            past(1, Value::from_json("{ \"a\": 2.50 }").unwrap()),
            past(2, blob("[{\"$spb\":{\"attachment\":0}}]", b"x")),
            past(
                3,
                blob("{\"$$spb\":{\"attachment\":0},\"b\":{\"$spb\":{\"attachment\":0}}}", b"y"),
            ),
        ])
        .unwrap();
        let expected = concat!(
            r#"[{"version":1,"value":{ "a": 2.50 }},"#,
            r#"{"version":2,"value":[{"$spb":{"attachment":0}}]},"#,
            r#"{"version":3,"value":{"$$spb":{"attachment":0},"b":{"$spb":{"attachment":1}}}}]"#,
        );
        assert_eq!(std::str::from_utf8(whole.json()).unwrap(), expected);
        let (json, attachments) = whole.into_parts();
        assert_eq!(attachments, [Attachment::Blob("x".into()), Attachment::Blob("y".into())]);
        assert!(Value::new(json, attachments).is_ok());
    }
}
