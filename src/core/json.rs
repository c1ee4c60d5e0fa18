//! Finds everything that the platform refuses in a JSON document, and says where.
//!
//! `json_quick` accepts most documents; the pass here, over the others, is the one that decides.
//! Reading is `jiter`'s; this file adds the platform's rules: depth, integers that fit 64 bits,
//! finite numbers, and the `$spb` tag. Nothing is built: the bytes travel on as they came.

use jiter::{Jiter, JiterError, NumberAny, NumberInt, Peek};
use smallvec::SmallVec;

use super::error::{Error, Result};
use super::json_quick;
use super::limits::JSON_DEPTH_MAX;
use super::members::Members;
use super::status::Status;
use super::tag::{TAG_KEY, Tag};

/// What was met on the way through a document that was accepted.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Somewhere a float that is not finite, as a tag.
    pub non_finite: bool,
    pub members: Members,
}

/// Accepts `document` or names the place (`details.path`, as `$.a[3]`) and the fault in it. Tags
/// may refer to attachments below `attachments`.
pub fn check(document: &[u8], attachments: usize) -> Result<Seen> {
    if let Err(error) = std::str::from_utf8(document) {
        let offset = error.valid_up_to();
        let message = format!("document is not UTF-8 at byte {offset}");
        return Err(Error::new(Status::Utf8, message).with("path", "$").with("offset", offset));
    }
    // What has attachments has a tag, which the quick pass leaves alone.
    if attachments == 0
        && let Some(members) = json_quick::accept(document)
    {
        return Ok(Seen { non_finite: false, members });
    }
    check_precisely(document, attachments)
}

/// The pass that decides, over a document that is UTF-8.
pub(super) fn check_precisely(document: &[u8], attachments: usize) -> Result<Seen> {
    let jiter = Jiter::new(document).with_allow_inf_nan();
    let mut walk = Walk { document, jiter, path: SmallVec::new(), attachments, non_finite: false };
    let peek = walk.jiter.peek().map_err(|error| walk.syntax(&error))?;
    walk.value(peek)?;
    walk.jiter.finish().map_err(|error| walk.syntax(&error))?;
    Ok(Seen { non_finite: walk.non_finite, members: Members::UNKNOWN })
}

struct Walk<'a> {
    document: &'a [u8],
    jiter: Jiter<'a>,
    path: SmallVec<[Step; DEPTH_INLINE]>,
    attachments: usize,
    non_finite: bool,
}

/// One step down into the document.
#[derive(Clone, Copy)]
enum Step {
    /// Behind this byte the key begins; it is read again if a fault has to be named.
    Key(usize),
    Index(usize),
}

impl Walk<'_> {
    fn value(&mut self, peek: Peek) -> Result<()> {
        match peek {
            Peek::Null => self.jiter.known_null().map_err(|error| self.syntax(&error)),
            Peek::True | Peek::False => {
                self.jiter.known_bool(peek).map(drop).map_err(|error| self.syntax(&error))
            }
            Peek::String => match self.jiter.known_str().map(drop) {
                Ok(()) => Ok(()),
                Err(error) => Err(self.syntax(&error)),
            },
            Peek::Array => self.array(),
            Peek::Object => self.object(),
            _ => self.number(peek),
        }
    }

    fn number(&mut self, peek: Peek) -> Result<()> {
        match self.jiter.known_number(peek) {
            Ok(NumberAny::Int(NumberInt::Int(_))) => Ok(()),
            Ok(NumberAny::Int(NumberInt::BigInt(big))) => match u64::try_from(&big) {
                Ok(_) => Ok(()),
                Err(_) => {
                    Err(self.refuse(format!("integer {} does not fit 64 bits", shortened(&big))))
                }
            },
            Ok(NumberAny::Float(float)) if float.is_finite() => Ok(()),
            Ok(NumberAny::Float(_)) => Err(self
                .refuse("number is not finite: NaN and infinities have no JSON form".to_owned())),
            Err(error) => Err(self.syntax(&error)),
        }
    }

    fn array(&mut self) -> Result<()> {
        self.enter()?;
        let mut next = self.jiter.known_array().map_err(|error| self.syntax(&error))?;
        let mut index = 0;
        while let Some(peek) = next {
            self.path.push(Step::Index(index));
            self.value(peek)?;
            self.path.pop();
            index += 1;
            next = self.jiter.array_step().map_err(|error| self.syntax(&error))?;
        }
        Ok(())
    }

    fn object(&mut self) -> Result<()> {
        self.enter()?;
        let mut keys = 0_usize;
        let mut tagged = false;
        let mut behind = self.jiter.current_index();
        let mut next = self.jiter.known_object().map(is_tag_key);
        while let Some(is_tag) = next.map_err(|error| self.syntax(&error))? {
            keys += 1;
            self.path.push(Step::Key(behind));
            if is_tag {
                tagged = true;
                self.tag()?;
            } else {
                let peek = self.jiter.peek().map_err(|error| self.syntax(&error))?;
                self.value(peek)?;
            }
            self.path.pop();
            behind = self.jiter.current_index();
            next = self.jiter.next_key().map(is_tag_key);
        }
        if tagged && keys != 1 {
            return Err(self.refuse(format!(
                "object with the key {TAG_KEY:?} has other keys; a user's own {TAG_KEY:?} is \
                 written \"$$spb\""
            )));
        }
        Ok(())
    }

    /// The inside of `{"$spb": …}`: an attachment in range, or a float that is not finite.
    fn tag(&mut self) -> Result<()> {
        let start = self.jiter.current_index();
        self.jiter.next_skip().map_err(|error| self.syntax(&error))?;
        match Tag::of_inside(self.jiter.slice_to_current(start)) {
            Some(Tag::Attachment(number)) if number < self.attachments => Ok(()),
            Some(Tag::Attachment(number)) => {
                let have = self.attachments;
                Err(self.refuse(format!("refers to attachment {number}, and the value has {have}")))
            }
            Some(Tag::Float(_)) => {
                self.non_finite = true;
                Ok(())
            }
            None => Err(self.refuse(TAG_FAULT.to_owned())),
        }
    }

    fn enter(&self) -> Result<()> {
        if self.path.len() < JSON_DEPTH_MAX {
            return Ok(());
        }
        Err(self.refuse(format!("document is nested deeper than {JSON_DEPTH_MAX}")))
    }

    fn refuse(&self, fault: String) -> Error {
        let path = self.rendered_path();
        Error::invalid(format!("at {path}: {fault}")).with("path", path)
    }

    fn syntax(&self, error: &JiterError) -> Error {
        let position = error.get_position(&self.jiter);
        self.refuse(format!(
            "{} (line {}, column {})",
            error.error_type, position.line, position.column
        ))
    }

    fn rendered_path(&self) -> String {
        let mut text = String::from("$");
        for step in &self.path {
            match step {
                Step::Index(index) => text.push_str(&format!("[{index}]")),
                Step::Key(behind) => {
                    text.push('.');
                    text.extend(self.key(*behind).chars().take(PATH_KEY_CHARS_MAX));
                }
            }
        }
        text
    }

    /// The key that begins behind a byte: between them are only a comma, a brace, white space.
    fn key(&self, behind: usize) -> String {
        let rest = self.document.get(behind..).unwrap_or_default();
        let quote = rest.iter().position(|byte| *byte == b'"').unwrap_or_default();
        let mut key = Jiter::new(rest.get(quote..).unwrap_or_default());
        key.next_str().map(str::to_owned).unwrap_or_default()
    }
}

fn is_tag_key(key: Option<&str>) -> Option<bool> {
    key.map(|key| key == TAG_KEY)
}

fn shortened(number: &impl std::fmt::Display) -> String {
    let text = number.to_string();
    match text.get(..NUMBER_CHARS_MAX) {
        Some(head) if text.len() > NUMBER_CHARS_MAX => format!("{head}…"),
        _ => text,
    }
}

/// Most documents are no deeper.
const DEPTH_INLINE: usize = 8;
const TAG_FAULT: &str =
    "tag is neither {\"attachment\": N} nor {\"float\": \"nan\", \"inf\" or \"-inf\"}";
/// A key in an error message is cut here.
const PATH_KEY_CHARS_MAX: usize = 64;
/// A number in an error message is cut here.
const NUMBER_CHARS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(document: &str) -> (String, String) {
        let error = check(document.as_bytes(), 1).unwrap_err();
        (error.details()["path"].as_str().unwrap().to_owned(), error.message().to_owned())
    }

    #[test]
    fn plain_documents_pass() {
        for document in [
            "null",
            " [1, -2.5e3, true, \"\\ud83d\\ude00\", {\"\": []}] ",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "{\"a\":{\"$spb\":{\"attachment\":0}}}",
            "{\"$$spb\":1,\"b\":2}",
        ] {
            assert!(!check(document.as_bytes(), 1).unwrap().non_finite, "{document}");
        }
        let document = "[{\"a\":{\"\\u0024spb\":{\"float\":\"-inf\"}}}]";
        assert!(check(document.as_bytes(), 0).unwrap().non_finite);
    }

    #[test]
    fn faults_are_named_with_their_place() {
        for (document, path, text) in [
            ("{\"a\":[0,NaN]}", "$.a[1]", "not finite"),
            ("[-Infinity]", "$[0]", "not finite"),
            ("[1e999]", "$[0]", "not finite"),
            ("{\"n\":18446744073709551616}", "$.n", "does not fit 64 bits"),
            ("[-9223372036854775809]", "$[0]", "does not fit 64 bits"),
            ("[1,]", "$", "line 1"),
            ("{} {}", "$", "line 1"),
            ("", "$", "line 1"),
            ("{\"x\":{\"$spb\":{\"attachment\":1}}}", "$.x.$spb", "has 1"),
            ("{ \"a\" : 1 , \n\"\\u0062\\\"c\" : { \"d,{\" :NaN}}", "$.b\"c.d,{", "not finite"),
            ("{\"$spb\":3}", "$.$spb", "tag is neither"),
            ("[{\"$spb\":{\"float\":\"NaN\"}}]", "$[0].$spb", "tag is neither"),
            ("{\"$spb\":{\"float\":\"nan\"},\"y\":1}", "$", "other keys"),
            ("{\"$spb\":{\"attachment\":0},\"y\":1}", "$", "other keys"),
        ] {
            let (at, message) = fault(document);
            assert_eq!(at, path, "{document}: {message}");
            assert!(message.contains(text), "{document}: {message}");
        }
    }

    #[test]
    fn depth_is_counted_in_containers() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        check(nested(JSON_DEPTH_MAX).as_bytes(), 0).unwrap();
        let (path, message) = fault(&nested(JSON_DEPTH_MAX + 1));
        assert!(message.contains("deeper than 64"), "{message}");
        assert!(path.starts_with("$[0][0]"));
    }

    #[test]
    fn invalid_utf8_has_a_status_of_its_own() {
        let error = check(b"[\"\xff\"]", 0).unwrap_err();
        assert_eq!(error.status(), Status::Utf8);
        assert_eq!(error.details()["offset"], 2);
    }
}
