//! Updates that work on a document's tree: what they share, and `merge`.
//!
//! A tag stands for one thing and must not be taken apart, so it is a leaf while a tree is changed:
//! a text that begins with NUL, where texts that begin so by themselves carry one more. Attachments
//! that nothing refers to any more are dropped.

use std::borrow::Cow;

use serde_json::Value as Json;

use crate::core::tag::{NonFinite, TAG_KEY, Tag};
use crate::core::{Attachment, Error, Result, Value};

use super::super::fault::shown_json;
use super::invalid;

/// RFC 7396.
pub fn merge(name: &str, current: &Value, patch: &Json, added: &[Attachment]) -> Result<Value> {
    let (mut tree, attachments) = opened(current, added)?;
    json_patch::merge(&mut tree, &sealed(patch, current.attachments().len()));
    closed(name, tree, &attachments)
}

/// The tree of a value with its tags as leaves, and everything that they may refer to.
pub fn opened(current: &Value, added: &[Attachment]) -> Result<(Json, Vec<Attachment>)> {
    let tree = sealed(&current.to_document()?, 0);
    Ok((tree, [current.attachments(), added].concat()))
}

/// A copy with its tags as leaves. Those of an operand refer to what stands behind the current
/// value's own attachments, of which there are `shift`.
pub fn sealed(tree: &Json, shift: usize) -> Json {
    if let Some(tag) = tag_of(tree) {
        return match tag {
            Tag::Attachment(number) => format!("\0{ATTACHMENT}{}", number.saturating_add(shift)),
            Tag::Float(float) => format!("\0{FLOAT}{}", float.name()),
        }
        .into();
    }
    match tree {
        Json::String(text) if text.starts_with('\0') => format!("\0{text}").into(),
        Json::Array(items) => items.iter().map(|item| sealed(item, shift)).collect(),
        Json::Object(members) => {
            let members = members.iter().map(|(key, item)| (key.clone(), sealed(item, shift)));
            Json::Object(members.collect())
        }
        other => other.clone(),
    }
}

/// A leaf or a scalar of a sealed tree in an error's details.
pub fn shown_sealed(tree: &Json) -> Json {
    match tree {
        Json::String(text) if text.starts_with('\0') => "a tagged value".into(),
        other => shown_json(other),
    }
}

/// The value of a changed tree.
pub fn closed(name: &str, mut tree: Json, attachments: &[Attachment]) -> Result<Value> {
    let mut used = Used { all: attachments, numbers: vec![None; attachments.len()], kept: vec![] };
    used.unseal(&mut tree).map_err(|error| error.with("variable", name))?;
    Value::new(tree.to_string(), used.kept).map_err(|error| error.with("variable", name))
}

/// The operand as it is written, with its tags referring to what stands behind `held` attachments.
pub fn renumbered<'a>(
    operand: &'a [u8],
    held: usize,
    added: &[Attachment],
) -> Result<Cow<'a, [u8]>> {
    if held == 0 || added.is_empty() {
        return Ok(Cow::Borrowed(operand));
    }
    let mut tree = serde_json::from_slice(operand)
        .map_err(|error| invalid(&format!("cannot be read: {error}")))?;
    renumber(&mut tree, held);
    Ok(Cow::Owned(tree.to_string().into_bytes()))
}

fn renumber(tree: &mut Json, shift: usize) {
    match tag_of(tree) {
        Some(Tag::Attachment(number)) => {
            *tree = Tag::Attachment(number.saturating_add(shift)).to_document();
        }
        Some(Tag::Float(_)) => {}
        None => match tree {
            Json::Array(items) => items.iter_mut().for_each(|item| renumber(item, shift)),
            Json::Object(members) => members.values_mut().for_each(|item| renumber(item, shift)),
            _ => {}
        },
    }
}

/// Attachments that are referred to, in the order in which that shows.
struct Used<'a> {
    all: &'a [Attachment],
    /// The new number of each.
    numbers: Vec<Option<usize>>,
    kept: Vec<Attachment>,
}

impl Used<'_> {
    fn unseal(&mut self, tree: &mut Json) -> Result<()> {
        match tree {
            Json::String(text) => {
                if let Some(rest) = text.strip_prefix('\0') {
                    *tree = self.leaf(rest)?;
                }
                Ok(())
            }
            Json::Array(items) => items.iter_mut().try_for_each(|item| self.unseal(item)),
            Json::Object(members) if members.contains_key(TAG_KEY) => Err(invalid(TAG_MADE)),
            Json::Object(members) => members.values_mut().try_for_each(|item| self.unseal(item)),
            _ => Ok(()),
        }
    }

    /// What a sealed text stands for; `rest` is what follows its first NUL.
    fn leaf(&mut self, rest: &str) -> Result<Json> {
        if rest.starts_with('\0') {
            return Ok(rest.into());
        }
        if let Some(name) = rest.strip_prefix(FLOAT) {
            let float = FLOATS.into_iter().find(|float| float.name() == name);
            return float.map(|float| Tag::Float(float).to_document()).ok_or_else(lost);
        }
        let number = rest.strip_prefix(ATTACHMENT).and_then(|number| number.parse().ok());
        let number: usize = number.ok_or_else(lost)?;
        let attachment = self.all.get(number).ok_or_else(lost)?;
        let place = self.numbers.get_mut(number).ok_or_else(lost)?;
        let kept = &mut self.kept;
        let number = *place.get_or_insert_with(|| {
            kept.push(attachment.clone());
            kept.len() - 1
        });
        Ok(Tag::Attachment(number).to_document())
    }
}

/// A tag in a tree that was checked.
fn tag_of(tree: &Json) -> Option<Tag> {
    let inside = tree.as_object()?.get(TAG_KEY)?;
    Tag::of_inside(inside.to_string().as_bytes())
}

/// Sealed texts are made here only, so this cannot be.
fn lost() -> Error {
    Error::new(crate::core::Status::Internal, "a tag was lost in an update")
}

/// What stands behind the NUL of a sealed tag.
const ATTACHMENT: char = '@';
const FLOAT: char = '~';
const FLOATS: [NonFinite; 3] = [NonFinite::Nan, NonFinite::Infinity, NonFinite::NegativeInfinity];
const TAG_MADE: &str =
    "makes a key \"$spb\", which is the platform's; a user's own is written \"$$spb\"";
