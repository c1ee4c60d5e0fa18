//! Values, constraints and metadata come back byte for byte, whichever verb they come back by.

use bytes::Bytes;

use crate::core::{Attachment, DType, Tensor, Value};
use crate::state::backend::{Access, Command};

use super::probe::{METADATA, Probe, json, same, set, told, write};
use super::{Outcome, Subject, hold};

pub async fn check(subject: &Subject) -> Outcome {
    hold!(subject; documents_come_back_as_given, attachments_come_back_as_given)
}

async fn documents_come_back_as_given(probe: &Probe) -> Outcome {
    for (number, document) in DOCUMENTS.into_iter().enumerate() {
        let (name, value) = (format!("v{number}"), json(document)?);
        let registered = probe.register(&name, "json", "{ }", value.clone()).await?;
        same("the answer to register", &registered.value, &value)?;
        let variable = probe.get(&name).await?;
        same("value", &variable.value, &value)?;
        same("type", &variable.type_name(), &"json")?;
        same("constraints", variable.constraints().as_ref(), b"{ }".as_slice())?;
        same("metadata", variable.metadata().as_ref(), METADATA.as_bytes())?;
        everywhere(probe, &name, &value).await?;
    }
    Ok(())
}

async fn attachments_come_back_as_given(probe: &Probe) -> Outcome {
    probe.register("v", "json", "{}", Value::null()).await?;
    let value = with_attachments()?;
    let after = probe.variable(set("v", value.clone(), Access::ANY)).await?;
    same("the answer to set", &after.value, &value)?;
    same("the value", &probe.value("v").await?, &value)?;
    everywhere(probe, "v", &value).await
}

/// Writes `value` over itself, so that it is in the history too, and reads it by every verb.
async fn everywhere(probe: &Probe, name: &str, value: &Value) -> Outcome {
    let after = probe.set_many(vec![write(name, value.clone())], None).await?;
    let after = after.first().map(|variable| &variable.value);
    same("the answer to set_many", &after, &Some(value))?;
    let (found, _) = probe.get_many(&[name]).await?;
    same("get_many", &found.first().map(|variable| &variable.value), &Some(value))?;
    let history = probe.history(name).await?;
    for past in history.iter().rev().take(2) {
        same("history", &past.value, value)?;
    }
    let command =
        Command::Rollback { name, version: version_before(&history), access: Access::ANY };
    same("rollback", &probe.variable(command).await?.value, value)?;
    let saved = probe.snapshot().await?;
    let saved = saved.iter().find(|saved| &*saved.name == name);
    let saved = saved.ok_or_else(|| format!("{name} is not in the snapshot"))?;
    same("snapshot", &saved.value, value)?;
    same("metadata in the snapshot", saved.metadata.as_ref(), METADATA.as_bytes())
}

/// The last version before the current one.
fn version_before(history: &[crate::state::variable::Past]) -> u64 {
    history.iter().rev().nth(1).map_or(0, |past| past.version)
}

/// A tensor and bytes, referred to in the other order.
pub fn with_attachments() -> Result<Value, String> {
    let tensor = Tensor::new(DType::Int16, vec![2, 1], vec![1, 2, 3, 4]).map_err(told)?;
    let empty = Tensor::new(DType::Float64, vec![0, 3], Vec::new()).map_err(told)?;
    let attachments = vec![
        Attachment::Tensor(tensor),
        Attachment::Blob(Bytes::from_static(b"\0\xff")),
        Attachment::Blob(Bytes::new()),
        Attachment::Tensor(empty),
    ];
    let document = r#"[{"$spb":{"attachment":1}},{"$spb":{"attachment":0}}, 1]"#;
    Value::new(document, attachments).map_err(told)
}

/// Spaces, the order of keys and how numbers are written are the caller's.
const DOCUMENTS: [&str; 9] = [
    " null ",
    "{\"b\" : 1, \"a\" : [ ], \"b\":2}",
    "18446744073709551615",
    "-9223372036854775808",
    "1.0e2",
    "\"\\u00e9\\ud83d\\ude00\\u0000\"",
    "\"\u{e9}\u{1f600}\u{7f}\"",
    "\"\"",
    "{\"$$spb\":true}",
];
