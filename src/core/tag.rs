//! The `$spb` tag: the one way in which a document says what JSON cannot.
//!
//! `{"$spb": {"attachment": N}}` stands for attachment N of the value, `{"$spb": {"float": "nan"}}`
//! (`"inf"`, `"-inf"`) for a float that is not finite. Where tags may stand and what they refer to
//! is checked in `json`; this file knows only how one is written and read.

use serde::Deserialize;
use serde_json::{Value as Json, json};

/// The key of a tagged object.
pub const TAG_KEY: &str = "$spb";

/// What a tagged object stands for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Tag {
    /// The attachment of this index.
    Attachment(usize),
    Float(NonFinite),
}

/// A float that JSON has no number for. There is one NaN: its sign and payload are not kept.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum NonFinite {
    #[serde(rename = "nan")]
    Nan,
    #[serde(rename = "inf")]
    Infinity,
    #[serde(rename = "-inf")]
    NegativeInfinity,
}

impl Tag {
    /// The tag that is the whole of `document`, if it is one.
    pub fn of_document(document: &[u8]) -> Option<Self> {
        // Most documents are told apart by their first character.
        if document.trim_ascii_start().first() != Some(&b'{') {
            return None;
        }
        serde_json::from_slice::<Tagged>(document).ok().map(|tagged| tagged.tag)
    }

    /// The tag whose inside, what stands behind the key, is `inside`.
    pub fn of_inside(inside: &[u8]) -> Option<Self> {
        serde_json::from_slice(inside).ok()
    }

    /// The tagged object.
    pub fn to_document(self) -> Json {
        match self {
            Tag::Attachment(number) => json!({ TAG_KEY: { "attachment": number } }),
            Tag::Float(float) => json!({ TAG_KEY: { "float": float.name() } }),
        }
    }
}

impl NonFinite {
    /// `None` for a finite number.
    pub fn of(number: f64) -> Option<Self> {
        match number {
            number if number.is_nan() => Some(NonFinite::Nan),
            f64::INFINITY => Some(NonFinite::Infinity),
            f64::NEG_INFINITY => Some(NonFinite::NegativeInfinity),
            _ => None,
        }
    }

    pub const fn to_f64(self) -> f64 {
        match self {
            NonFinite::Nan => f64::NAN,
            NonFinite::Infinity => f64::INFINITY,
            NonFinite::NegativeInfinity => f64::NEG_INFINITY,
        }
    }

    /// As the tag writes it: `nan`, `inf` or `-inf`.
    pub const fn name(self) -> &'static str {
        match self {
            NonFinite::Nan => "nan",
            NonFinite::Infinity => "inf",
            NonFinite::NegativeInfinity => "-inf",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tagged {
    #[serde(rename = "$spb")]
    tag: Tag,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_as_it_is_written_and_nothing_else_is_one() {
        let floats = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let tags = floats.map(|float| Tag::Float(NonFinite::of(float).unwrap()));
        for tag in tags.into_iter().chain([Tag::Attachment(0), Tag::Attachment(7)]) {
            let document = tag.to_document().to_string();
            assert_eq!(Tag::of_document(document.as_bytes()), Some(tag), "{document}");
        }
        for document in [
            "",
            "1",
            "[]",
            "{}",
            r#"{"$spb":1}"#,
            r#"{"$spb":{"attachment":-1}}"#,
            r#"{"$spb":{"attachment":0,"float":"nan"}}"#,
            r#"{"$spb":{"attachment":0,"attachment":0}}"#,
            r#"{"$spb":{"float":"NaN"}}"#,
            r#"{"$spb":{"float":"nan"},"a":1}"#,
            r#"{"$spb":"attachment"}"#,
            r#"{"$$spb":{"attachment":0}}"#,
        ] {
            assert_eq!(Tag::of_document(document.as_bytes()), None, "{document}");
        }
        assert_eq!(NonFinite::of(f64::MAX), None);
    }
}
