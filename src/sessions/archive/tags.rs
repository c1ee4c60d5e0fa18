//! The numbers of attachments in a document: found without building a tree, and written anew where
//! several documents become one, or one becomes several. Everything else stays byte for byte.

use std::ops::Range;

use jiter::{Jiter, JiterError, Peek};

use crate::core::Result;
use crate::core::tag::{TAG_KEY, Tag};

use super::fault;

/// Each reference to an attachment: which one, and where its number stands.
pub fn references(document: &[u8]) -> Result<Vec<(usize, Range<usize>)>> {
    let mut walk = Walk { jiter: Jiter::new(document).with_allow_inf_nan(), found: Vec::new() };
    let walked = walk.jiter.peek().and_then(|peek| walk.value(peek));
    walked.map_err(|error| fault(format!("a value is not JSON: {}", error.error_type)))?;
    Ok(walk.found)
}

/// Appends `document` to `out` with each reference's number replaced by what `number` gives.
pub fn renumber(
    out: &mut Vec<u8>,
    document: &[u8],
    references: &[(usize, Range<usize>)],
    number: impl Fn(usize) -> usize,
) {
    let mut done = 0;
    for (old, place) in references {
        out.extend_from_slice(document.get(done..place.start).unwrap_or_default());
        out.extend_from_slice(number(*old).to_string().as_bytes());
        done = place.end;
    }
    out.extend_from_slice(document.get(done..).unwrap_or_default());
}

/// The numbers that are referred to, ascending, each once.
pub fn numbers(references: &[(usize, Range<usize>)]) -> Vec<usize> {
    let mut numbers: Vec<usize> = references.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

struct Walk<'a> {
    jiter: Jiter<'a>,
    found: Vec<(usize, Range<usize>)>,
}

type Walked = std::result::Result<(), JiterError>;

impl Walk<'_> {
    fn value(&mut self, peek: Peek) -> Walked {
        match peek {
            Peek::Array => self.array(),
            Peek::Object => self.object(),
            _ => self.jiter.known_skip(peek),
        }
    }

    fn array(&mut self) -> Walked {
        let mut next = self.jiter.known_array()?;
        while let Some(peek) = next {
            self.value(peek)?;
            next = self.jiter.array_step()?;
        }
        Ok(())
    }

    fn object(&mut self) -> Walked {
        let mut is_tag = self.jiter.known_object()?.map(|key| key == TAG_KEY);
        while let Some(is_own) = is_tag {
            if is_own {
                self.tag()?;
            } else {
                let peek = self.jiter.peek()?;
                self.value(peek)?;
            }
            is_tag = self.jiter.next_key()?.map(|key| key == TAG_KEY);
        }
        Ok(())
    }

    /// Numbers of attachments are the only ones in a tag, and stand last in it.
    fn tag(&mut self) -> Walked {
        let start = self.jiter.current_index();
        self.jiter.next_skip()?;
        let inside = self.jiter.slice_to_current(start);
        if let Some(Tag::Attachment(number)) = Tag::of_inside(inside) {
            let is_digit = u8::is_ascii_digit;
            let last = inside.iter().rposition(is_digit).map_or(0, |last| last + 1);
            let digits = inside.iter().take(last).rev().take_while(|byte| is_digit(byte)).count();
            self.found.push((number, start + last - digits..start + last));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_change_and_nothing_else_does() {
        let document =
            br#" [ {"$spb" : { "attachment" : 12 } }, {"a1": "{\"$spb\": {\"attachment\":3}}"},
            {"$$spb": {"attachment": 3}}, {"\u0024spb":{"attachment":0}}, {"$spb":{"float":"nan"}},
            1.50, 9007199254740993 ] "#;
        let found = references(document).unwrap();
        assert_eq!(numbers(&found), [0, 12]);
        let mut out = Vec::new();
        renumber(&mut out, document, &found, |number| number + 100);
        let expected =
            std::str::from_utf8(document).unwrap().replace("12 }", "112 }").replace(":0}", ":100}");
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
        let back = references(&out).unwrap();
        let mut again = Vec::new();
        renumber(&mut again, &out, &back, |number| number - 100);
        assert_eq!(again, document);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for bad in [&b"{"[..], b"", b"[1,]", b"{\"a\" 1}"] {
            assert!(references(bad).is_err());
        }
    }
}
