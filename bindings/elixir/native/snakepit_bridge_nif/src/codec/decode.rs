//! Values to terms: the document is read once and each part becomes a term at once.
//!
//! Attachments are not copied: binaries over the value's memory keep the value alive. Must not know
//! where a value came from.

use std::borrow::Cow;
use std::fmt;

use rustler::types::binary::NewBinary;
use rustler::types::tuple::make_tuple;
use rustler::{Atom, Encoder, Env, ResourceArc, Term};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use crate::ffi::{AttachmentKind, Failure, Outcome, SPB_E_INTERNAL, Value};

use super::payload::ValueResource;
use super::{atoms, dtype};

/// The term that a value stands for.
pub fn decode<'a>(env: Env<'a>, value: &ResourceArc<ValueResource>) -> Outcome<Term<'a>> {
    read(env, value.0.json(), Document::Of(value))
}

/// The term that a value without attachments stands for; nothing is kept of it.
pub fn decode_bare<'a>(env: Env<'a>, value: &Value) -> Outcome<Term<'a>> {
    read(env, value.json(), Document::Bare)
}

/// The term of a document that is no value's: nothing in it is a tag.
pub fn decode_plain<'a>(env: Env<'a>, json: &[u8]) -> Outcome<Term<'a>> {
    read(env, json, Document::Plain)
}

fn read<'a>(env: Env<'a>, json: &[u8], document: Document) -> Outcome<Term<'a>> {
    let text = std::str::from_utf8(json).map_err(internal)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    Reader { env, document }.deserialize(&mut reader).map_err(internal)
}

fn internal(error: impl fmt::Display) -> Failure {
    Failure::own(SPB_E_INTERNAL, format!("a document of the library cannot be read: {error}"))
}

#[derive(Clone, Copy)]
struct Reader<'r, 'a> {
    env: Env<'a>,
    document: Document<'r>,
}

/// What the document belongs to.
#[derive(Clone, Copy)]
enum Document<'r> {
    /// A value, which the terms over its attachments keep alive.
    Of(&'r ResourceArc<ValueResource>),
    /// A value without attachments.
    Bare,
    /// Nothing.
    Plain,
}

/// What stands behind `$spb`.
#[derive(Deserialize)]
struct Tag<'t> {
    attachment: Option<usize>,
    #[serde(borrow)]
    float: Option<Cow<'t, str>>,
}

impl<'de, 'a> DeserializeSeed<'de> for Reader<'_, 'a> {
    type Value = Term<'a>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Term<'a>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, 'a> Visitor<'de> for Reader<'_, 'a> {
    type Value = Term<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a document")
    }

    fn visit_unit<E>(self) -> Result<Term<'a>, E> {
        Ok(atoms::nil().to_term(self.env))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Term<'a>, E> {
        Ok(truth.encode(self.env))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Term<'a>, E> {
        Ok(number.encode(self.env))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Term<'a>, E> {
        Ok(number.encode(self.env))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Term<'a>, E> {
        Ok(number.encode(self.env))
    }

    fn visit_str<E>(self, text: &str) -> Result<Term<'a>, E> {
        Ok(NewBinary::from_slice(self.env, text.as_bytes()).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Term<'a>, A::Error> {
        let mut terms = Vec::new();
        while let Some(term) = items.next_element_seed(self)? {
            terms.push(term);
        }
        Ok(terms.encode(self.env))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Term<'a>, A::Error> {
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        while let Some(key) = members.next_key::<Cow<str>>()? {
            if keys.is_empty() && self.has_tags() && key == "$spb" {
                let tag: Tag = members.next_value()?;
                return self.tagged(&tag).map_err(A::Error::custom);
            }
            keys.push(NewBinary::from_slice(self.env, self.own(&key).as_bytes()).into());
            values.push(members.next_value_seed(self)?);
        }
        Ok(map_of(self.env, &keys, &values))
    }
}

impl<'a> Reader<'_, 'a> {
    fn has_tags(&self) -> bool {
        !matches!(self.document, Document::Plain)
    }

    /// The key as its writer meant it: what looks like a tag has one `$` more in a document.
    fn own<'k>(&self, key: &'k str) -> &'k str {
        match key.strip_prefix('$') {
            Some(rest) if self.has_tags() && rest.trim_start_matches('$') == "spb" => rest,
            _ => key,
        }
    }

    fn tagged(&self, tag: &Tag) -> Result<Term<'a>, String> {
        match (tag.attachment, tag.float.as_deref(), self.document) {
            (Some(index), None, Document::Of(value)) => self.attachment(value, index),
            (None, Some("nan"), _) => Ok(atoms::nan().to_term(self.env)),
            (None, Some("inf"), _) => Ok(atoms::infinity().to_term(self.env)),
            (None, Some("-inf"), _) => Ok(atoms::neg_infinity().to_term(self.env)),
            _ => Err("a tag of an unknown form".to_owned()),
        }
    }

    fn attachment(
        &self,
        value: &ResourceArc<ValueResource>,
        index: usize,
    ) -> Result<Term<'a>, String> {
        let env = self.env;
        let missing = |_| format!("attachment {index} is not there");
        let seen = value.0.attachment(index).map_err(missing)?;
        let data = if seen.data.len() <= COPIED_BYTES_MAX {
            NewBinary::from_slice(env, seen.data).into()
        } else {
            value.make_binary(env, |value| value.data(index)).to_term(env)
        };
        let AttachmentKind::Tensor { dtype, shape } = seen.kind else {
            return Ok(structure(env, atoms::blob(), &[(atoms::data(), data)]));
        };
        let name = dtype::name(dtype).ok_or_else(|| format!("element type {dtype} is unknown"))?;
        let name = Atom::from_bytes(env, name.as_bytes()).map_err(|_| "no such atom".to_owned())?;
        let sides: Vec<Term> = shape.iter().map(|side| side.encode(env)).collect();
        let fields = [
            (atoms::dtype(), name.to_term(env)),
            (atoms::shape(), make_tuple(env, &sides)),
            (atoms::data(), data),
        ];
        Ok(structure(env, atoms::tensor(), &fields))
    }
}

/// A struct of Elixir.
pub fn structure<'a>(env: Env<'a>, name: Atom, fields: &[(Atom, Term<'a>)]) -> Term<'a> {
    let head = (atoms::__struct__(), name.to_term(env));
    let all = || std::iter::once(&head).chain(fields);
    let keys: Vec<Term> = all().map(|(key, _)| key.to_term(env)).collect();
    let values: Vec<Term> = all().map(|(_, value)| *value).collect();
    map_of(env, &keys, &values)
}

/// A map; of a key that stands twice the last value counts.
fn map_of<'a>(env: Env<'a>, keys: &[Term<'a>], values: &[Term<'a>]) -> Term<'a> {
    Term::map_from_term_arrays(env, keys, values).unwrap_or_else(|_| {
        let members = keys.iter().zip(values);
        members.fold(Term::map_new(env), |map, (key, value)| map.map_put(key, value).unwrap_or(map))
    })
}

/// What fits into a binary on the process's own heap is copied there.
const COPIED_BYTES_MAX: usize = 64;
