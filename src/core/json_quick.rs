//! The quick half of checking a document: one pass that accepts most of those that are right.
//!
//! What it accepts, the precise pass in `json` accepts too, and finds no tag in. What it does not
//! accept may still be right: the precise pass decides, and names the fault. Nothing is decoded. It
//! knows of tags only how their key is written. Positions are handed on by value, because a place
//! in memory would cost more than what is done to it.

use super::limits::JSON_DEPTH_MAX;
use super::members::Members;

/// Where the members of `document` are, which is UTF-8, right in every respect and without a tag;
/// `None` leaves it to the precise pass.
pub fn accept(document: &[u8]) -> Option<Members> {
    let mut open = Open::default();
    let mut members = Members::UNKNOWN;
    let (mut byte, mut at) = behind_space(document, 0);
    loop {
        if byte == b'{' || byte == b'[' {
            open.enter(byte == b'{')?;
            if open.depth == 1 && open.is_object() {
                members = Members::NONE;
            }
            (byte, at) = behind_space(document, at + 1);
            if byte != open.closing() {
                (byte, at) = behind_key(document, byte, at, &open, &mut members)?;
                continue;
            }
        } else {
            (byte, at) = behind_space(document, behind_scalar(document, byte, at)?);
        }
        while open.depth > 0 && byte == open.closing() {
            open.leave();
            (byte, at) = behind_space(document, at + 1);
        }
        if open.depth == 0 {
            return (at == document.len()).then_some(members);
        }
        if byte != b',' {
            return None;
        }
        (byte, at) = behind_space(document, at + 1);
        (byte, at) = behind_key(document, byte, at, &open, &mut members)?;
    }
}

/// The containers around a place.
#[derive(Default)]
struct Open {
    depth: usize,
    /// For each whether it is an object, the innermost in the lowest bit.
    objects: u64,
}

impl Open {
    #[inline(always)]
    fn enter(&mut self, is_object: bool) -> Option<()> {
        if self.depth == JSON_DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        self.objects = (self.objects << 1) | u64::from(is_object);
        Some(())
    }

    #[inline(always)]
    fn leave(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
    }

    #[inline(always)]
    fn is_object(&self) -> bool {
        self.objects & 1 == 1
    }

    /// What ends the innermost.
    #[inline(always)]
    fn closing(&self) -> u8 {
        if self.is_object() { b'}' } else { b']' }
    }
}

/// In an object, from the key that has to be here to the value; in an array it stays.
#[inline(always)]
fn behind_key(
    document: &[u8],
    byte: u8,
    at: usize,
    open: &Open,
    members: &mut Members,
) -> Option<(u8, usize)> {
    if !open.is_object() {
        return Some((byte, at));
    }
    if byte != b'"' {
        return None;
    }
    if open.depth == 1 {
        members.add(at);
    }
    let begins = at + 1;
    let ends = behind_string::<true>(document, begins)?;
    if ends - begins == TAG_KEY_END.len() && document.get(begins..ends) == Some(TAG_KEY_END) {
        return None;
    }
    match behind_space(document, ends) {
        (b':', at) => Some(behind_space(document, at + 1)),
        _ => None,
    }
}

#[inline(always)]
fn behind_scalar(document: &[u8], byte: u8, at: usize) -> Option<usize> {
    match byte {
        b'"' => behind_string::<false>(document, at + 1),
        b'-' | b'0'..=b'9' => behind_number(document, byte, at),
        b't' => behind_word(document, at, b"true"),
        b'f' => behind_word(document, at, b"false"),
        b'n' => behind_word(document, at, b"null"),
        _ => None,
    }
}

#[inline(always)]
fn behind_word<const N: usize>(document: &[u8], at: usize, text: &[u8; N]) -> Option<usize> {
    (document.get(at..)?.first_chunk() == Some(text)).then_some(at + N)
}

/// From behind the opening quote to behind the closing one. A key with an escape, which may be one
/// that reads like the tag's, is left to the precise pass.
#[inline(always)]
fn behind_string<const IS_KEY: bool>(document: &[u8], mut at: usize) -> Option<usize> {
    loop {
        while let Some(word) = eight(document, at) {
            let special = special(word);
            if special != 0 {
                at += (special.trailing_zeros() / u8::BITS) as usize;
                break;
            }
            at += size_of::<u64>();
        }
        match peek(document, at) {
            b'"' => return Some(at + 1),
            b'\\' if IS_KEY => return None,
            b'\\' => at = behind_escape(document, at + 1)?,
            0..b' ' => return None,
            _ => at += 1,
        }
    }
}

fn behind_escape(document: &[u8], at: usize) -> Option<usize> {
    match peek(document, at) {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
        b'u' => match (unit(document, at)?, at + UNIT_BYTES) {
            (0xd800..0xdc00, second) => {
                let has_second = peek(document, second) == b'\\'
                    && matches!(unit(document, second + 1)?, 0xdc00..0xe000);
                has_second.then_some(second + 1 + UNIT_BYTES)
            }
            (0xdc00..0xe000, _) => None,
            (_, behind) => Some(behind),
        },
        _ => None,
    }
}

/// The UTF-16 unit of `uXXXX`.
fn unit(document: &[u8], at: usize) -> Option<u32> {
    let (letter, digits) = document.get(at..at + UNIT_BYTES)?.split_first()?;
    if *letter != b'u' {
        return None;
    }
    let digit = |unit: u32, digit: &u8| Some((unit << 4) | char::from(*digit).to_digit(16)?);
    digits.iter().try_fold(0, digit)
}

/// Numbers so long that they may not fit are left to the precise pass.
#[inline(always)]
fn behind_number(document: &[u8], byte: u8, at: usize) -> Option<usize> {
    let begins = at + usize::from(byte == b'-');
    let mut at = behind_digits(document, begins)?;
    let whole = at - begins;
    if whole > 1 && peek(document, begins) == b'0' {
        return None;
    }
    let mut byte = peek(document, at);
    if byte != b'.' && byte | LOWER != b'e' {
        return (whole <= INTEGER_DIGITS_MAX).then_some(at);
    }
    if byte == b'.' {
        at = behind_digits(document, at + 1)?;
        byte = peek(document, at);
    }
    if byte | LOWER == b'e' {
        let sign = usize::from(matches!(peek(document, at + 1), b'+' | b'-'));
        let begins = at + 1 + sign;
        at = behind_digits(document, begins)?;
        if at - begins > EXPONENT_DIGITS_MAX {
            return None;
        }
    }
    (whole <= FLOAT_DIGITS_MAX).then_some(at)
}

/// There is at least one.
#[inline(always)]
fn behind_digits(document: &[u8], begins: usize) -> Option<usize> {
    let mut at = begins;
    while peek(document, at).is_ascii_digit() {
        at += 1;
    }
    (at > begins).then_some(at)
}

/// The first byte that is no white space, and its place.
#[inline(always)]
fn behind_space(document: &[u8], mut at: usize) -> (u8, usize) {
    loop {
        let byte = peek(document, at);
        // One comparison tells most of them.
        if byte > b' ' || !byte.is_ascii_whitespace() || byte == FORM_FEED {
            return (byte, at);
        }
        at += 1;
    }
}

/// Behind the end stands a NUL, which may stand nowhere in a document.
#[inline(always)]
fn peek(document: &[u8], at: usize) -> u8 {
    document.get(at).copied().unwrap_or(0)
}

/// The next eight bytes, the first one lowest.
#[inline(always)]
fn eight(document: &[u8], at: usize) -> Option<u64> {
    document.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// The high bit of each byte that ends the plain run of a string: a quote, a backslash, a control
/// character. The lowest one is exact; above it others may be set wrongly.
#[inline(always)]
const fn special(word: u64) -> u64 {
    let quotes = word ^ (EACH * b'"' as u64);
    let backslashes = word ^ (EACH * b'\\' as u64);
    let found = (quotes.wrapping_sub(EACH) & !quotes)
        | (backslashes.wrapping_sub(EACH) & !backslashes)
        | (word.wrapping_sub(EACH * b' ' as u64) & !word);
    found & (EACH << 7)
}

const EACH: u64 = u64::from_le_bytes([1; 8]);
/// White space to others, and not in JSON.
const FORM_FEED: u8 = 0x0c;
/// `uXXXX`.
const UNIT_BYTES: usize = 5;
/// The bit that makes a letter a small one.
const LOWER: u8 = 0x20;
/// How the key of a tag ends.
const TAG_KEY_END: &[u8] = b"$spb\"";
/// Every integer of so many digits fits 64 bits.
const INTEGER_DIGITS_MAX: usize = 18;
/// With so many digits before the point and in the exponent a double is finite.
const FLOAT_DIGITS_MAX: usize = 200;
const EXPONENT_DIGITS_MAX: usize = 2;
// One bit for each container.
const _: () = assert!(JSON_DEPTH_MAX <= u64::BITS as usize);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::json::check_precisely;
    use super::*;

    /// Whether it is accepted; where it is, the precise pass has to agree.
    fn is_accepted(document: &[u8]) -> bool {
        let Some(members) = accept(document) else { return false };
        let precise = check_precisely(document, 0);
        let text = String::from_utf8_lossy(document);
        let seen = precise.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(!seen.non_finite, "{text}");
        if let Some(names) = members.names(document) {
            let tree: serde_json::Value = serde_json::from_slice(document).unwrap();
            let mut given: Vec<_> = names.collect();
            given.sort_unstable();
            given.dedup();
            let mut known: Vec<_> = tree.as_object().unwrap().keys().collect();
            known.sort_unstable();
            assert_eq!(given, known, "{text}");
        }
        true
    }

    #[test]
    fn what_people_write_is_accepted() {
        for document in [
            "null",
            " [1, -2.5e3, true, \"\\ud83d\\ude00\\n\", {\"\": [ ]} , {}] ",
            "123456789012345678",
            "{ \"a\" : { \"b\" : [ [ ] , false ] , \"c\\\\\" : \"\" } }",
            "{\"a\":\"héllo, wörld, it is a long text\",\"$$spb\":0,\"spb\":-0.0e-9}",
            "[-0,0.5,1E5,2e+07]",
        ] {
            let has_escaped_key = document.contains("\\\\\" :");
            assert_eq!(is_accepted(document.as_bytes()), !has_escaped_key, "{document}");
        }
    }

    #[test]
    fn what_may_be_wrong_is_left_to_the_precise_pass() {
        for document in [
            "",
            " ",
            "[",
            "]",
            "[1",
            "[1,]",
            "[,1]",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "[1}",
            "{\"a\":1]",
            "1 2",
            "[] []",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "tru",
            "nul",
            "NaN",
            "-Infinity",
            "1e999",
            "1e308",
            "12345678901234567890",
            "\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\ud800\\n\"",
            "\"\\udc00\"",
            "\"\\u12g4\"",
            "\"\n\"",
            "\"\\\"",
            "\u{feff}1",
            "{\"$spb\":1}",
            "{\"\\u0024spb\":1}",
            "[1\u{0}]",
            "[1,\u{c}2]",
            "\"a\u{1f}bcdefghi\"",
        ] {
            assert_eq!(accept(document.as_bytes()).map(drop), None, "{document}");
        }
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(is_accepted(nested(JSON_DEPTH_MAX).as_bytes()));
        assert!(!is_accepted(nested(JSON_DEPTH_MAX + 1).as_bytes()));
        let digits = "1".repeat(FLOAT_DIGITS_MAX + 1);
        assert!(is_accepted(format!("{}.5e99", &digits[1..]).as_bytes()));
        assert!(!is_accepted(format!("{digits}.5").as_bytes()));
    }

    #[test]
    fn of_few_members_the_names_are_known() {
        let names = |document: &str| {
            let members = accept(document.as_bytes()).unwrap();
            members.names(document.as_bytes()).map(|names| names.map(str::to_owned).collect())
        };
        let of = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(names("{}"), of(&[]));
        assert_eq!(names(" { \"a\": {\"b\": 1}, \"ü\" : 2 }"), of(&["a", "ü"]));
        assert_eq!(
            names("{\"a\":1,\"a\":2,\"\":3,\"d\":4,\"e\":5}"),
            of(&["a", "a", "", "d", "e"])
        );
        assert_eq!(names("{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6}"), None::<Vec<String>>);
        assert_eq!(names("[{\"a\":1}]"), None);
        assert_eq!(names("1"), None);
    }

    proptest! {
        /// Short texts of the bytes that matter.
        #[test]
        fn it_never_accepts_what_the_precise_pass_refuses(
            picks in proptest::collection::vec(0..PIECES.len(), 0..14)
        ) {
            let document: String = picks.iter().map(|pick| PIECES[*pick]).collect();
            is_accepted(document.as_bytes());
        }

        /// A right document with one byte changed.
        #[test]
        fn one_wrong_byte_is_never_accepted(at in 0..RIGHT.len(), byte in 0_u8..0x80) {
            let mut document = RIGHT.as_bytes().to_vec();
            document[at] = byte;
            is_accepted(&document);
            prop_assert!(is_accepted(RIGHT.as_bytes()));
        }
    }

    const PIECES: [&str; 30] = [
        "{", "}", "[", "]", ",", ":", "\"", "\"a\":", "\"key\":", "\"", "\\", "\\u", "d83d",
        "de00", "\\n", " ", "\n", "\t", "0", "1", "-", ".", "e", "E", "+", "true", "null", "false",
        "$spb", "abcdefgh",
    ];
    const RIGHT: &str = "{\"value\":[{\"id\":12,\"name\":\"a\\u00e9 \\ud83d\\ude00\",\
        \"score\":-1.25e-7,\"ok\":true,\"none\":null},[[],{}, false ]],\
        \"text\":\"abcdefghijklmnopqrstuvwxyz\"}";
}
