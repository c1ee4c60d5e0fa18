//! The update `patch`: RFC 6902, one operation after the other, within bounds.
//!
//! The crate applies operations; what is added here is that no patch, however made, can nest the
//! document deeper or make it larger than a value may be on the way.

use json_patch::{PatchErrorKind, PatchOperation};
use serde_json::{Value as Json, json};

use crate::core::limits::{JSON_DEPTH_MAX, PATCH_COPIED_BYTES_MAX};
use crate::core::{Attachment, Error, Result, Status, Value};

use super::super::fault::{shown, violation};
use super::document::{closed, opened, sealed, shown_sealed};
use super::invalid;

/// The document after all operations; the first that fails is told by its index.
pub fn patch(
    name: &str,
    current: &Value,
    operations: &[PatchOperation],
    added: &[Attachment],
) -> Result<Value> {
    let (mut tree, attachments) = opened(current, added)?;
    let mut copied_bytes = 0;
    for (index, operation) in operations.iter().enumerate() {
        let operation = with_sealed_value(operation, current.attachments().len());
        let told = |error: Error| error.with("variable", name).with("operation", index);
        check_bounds(&tree, &operation, &mut copied_bytes).map_err(told)?;
        json_patch::patch_unsafe(&mut tree, std::slice::from_ref(&operation))
            .map_err(|error| told(refused(name, &tree, &operation, &error.kind)))?;
    }
    closed(name, tree, &attachments)
}

fn with_sealed_value(operation: &PatchOperation, shift: usize) -> PatchOperation {
    let mut operation = operation.clone();
    if let PatchOperation::Add(json_patch::AddOperation { value, .. })
    | PatchOperation::Replace(json_patch::ReplaceOperation { value, .. })
    | PatchOperation::Test(json_patch::TestOperation { value, .. }) = &mut operation
    {
        *value = sealed(value, shift);
    }
    operation
}

/// Refuses what would nest too deep, or copy too much in all.
fn check_bounds(tree: &Json, operation: &PatchOperation, copied_bytes: &mut usize) -> Result<()> {
    let placed = match operation {
        PatchOperation::Add(operation) => Some(&operation.value),
        PatchOperation::Replace(operation) => Some(&operation.value),
        PatchOperation::Move(operation) => tree.pointer(operation.from.as_str()),
        PatchOperation::Copy(operation) => tree.pointer(operation.from.as_str()),
        PatchOperation::Remove(_) | PatchOperation::Test(_) => None,
    };
    let Some(placed) = placed else { return Ok(()) };
    let path = operation.path();
    if path.count().saturating_add(depth(placed)) > JSON_DEPTH_MAX {
        let path = shown(path.as_str());
        return Err(invalid(&format!("would nest deeper than {JSON_DEPTH_MAX} at {path:?}")));
    }
    if matches!(operation, PatchOperation::Copy(_)) {
        *copied_bytes = copied_bytes.saturating_add(size(placed));
    }
    if *copied_bytes > PATCH_COPIED_BYTES_MAX {
        let message = format!("update copies more than {PATCH_COPIED_BYTES_MAX} bytes");
        return Err(Error::new(Status::ResourceExhausted, message)
            .retryable(false)
            .with("limit", PATCH_COPIED_BYTES_MAX));
    }
    Ok(())
}

fn refused(name: &str, tree: &Json, operation: &PatchOperation, kind: &PatchErrorKind) -> Error {
    let path = shown(operation.path().as_str());
    if let (PatchErrorKind::TestFailed, PatchOperation::Test(test)) = (kind, operation) {
        let given = tree.pointer(test.path.as_str()).map_or(Json::Null, shown_sealed);
        let what = format!("holds something else at {path:?} than the patch's test expects");
        return violation(name, "test", given, shown_sealed(&test.value), &what).with("path", path);
    }
    invalid(&format!("cannot be applied at {path:?}: {kind}")).with("path", json!(path))
}

/// How many containers are around the innermost value, itself included.
fn depth(tree: &Json) -> usize {
    match tree {
        Json::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// About what it takes as text.
fn size(tree: &Json) -> usize {
    match tree {
        Json::String(text) => text.len() + 2,
        Json::Array(items) => 2 + items.iter().map(|item| size(item) + 1).sum::<usize>(),
        Json::Object(members) => {
            2 + members.iter().map(|(key, item)| key.len() + size(item) + 4).sum::<usize>()
        }
        _ => NUMBER_BYTES,
    }
}

/// A number or a literal, as they are on average.
const NUMBER_BYTES: usize = 8;
