//! What a variable may be called, and which names a wildcard pattern means.

use crate::core::limits::VARIABLE_NAME_BYTES_MAX;
use crate::core::{Error, Result};

/// Accepts a variable's name: a letter or `_`, then letters, digits, `_`, `.` and `-`; at most 128
/// bytes, ASCII only.
pub fn check(name: &str) -> Result<()> {
    let mut bytes = name.bytes();
    let is_good = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(is_name_byte)
        && name.len() <= VARIABLE_NAME_BYTES_MAX;
    if is_good { Ok(()) } else { Err(bad_name(name)) }
}

/// A pattern for names: `*` stands for any characters, `?` for one. Empty matches every name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamePattern(String);

impl NamePattern {
    /// Refuses what could match no name, brackets for instance.
    pub fn new(text: &str) -> Result<Self> {
        let is_good = text.bytes().all(|byte| is_name_byte(byte) || matches!(byte, b'*' | b'?'));
        if is_good && text.len() <= VARIABLE_NAME_BYTES_MAX {
            return Ok(NamePattern(text.to_owned()));
        }
        let shown = shortened(text);
        let message = format!(
            "pattern {shown:?} is not made of letters, digits, `_`, `.`, `-`, `*` and `?`, at most \
             {VARIABLE_NAME_BYTES_MAX} of them"
        );
        Err(Error::invalid(message).with("field", "pattern").with("given", shown))
    }

    /// As it was written, for stores that match by themselves.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn matches(&self, name: &str) -> bool {
        self.0.is_empty() || glob(self.0.as_bytes(), name.as_bytes())
    }
}

/// On a mismatch only the last `*` takes one more byte: earlier ones need no second try.
fn glob(mut pattern: &[u8], mut name: &[u8]) -> bool {
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern, name) {
            ([b'*', after @ ..], _) => {
                retry = Some((after, name));
                pattern = after;
            }
            ([first, after @ ..], [byte, rest @ ..]) if *first == b'?' || first == byte => {
                (pattern, name) = (after, rest);
            }
            ([], []) => return true,
            _ => {
                let Some((after, [_, rest @ ..])) = retry else { return false };
                retry = Some((after, rest));
                (pattern, name) = (after, rest);
            }
        }
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

fn bad_name(name: &str) -> Error {
    let shown = shortened(name);
    let message = format!(
        "variable name {shown:?} is not a letter or `_` followed by letters, digits, `_`, `.` and \
         `-`, at most {VARIABLE_NAME_BYTES_MAX} in all"
    );
    Error::invalid(message).with("field", "name").with("given", shown)
}

/// At most as much of a text as a good one could have.
fn shortened(text: &str) -> String {
    text.chars().take(VARIABLE_NAME_BYTES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_the_rule() {
        for name in ["a", "_", "A9", "a.b-c_d", &"x".repeat(128)] {
            check(name).unwrap();
        }
        for name in ["", "9a", ".a", "-a", "a b", "a*", "é", "a\0", &"x".repeat(129)] {
            assert!(check(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn wildcards_match_whole_names() {
        let matches = |pattern: &str, name: &str| NamePattern::new(pattern).unwrap().matches(name);
        for (pattern, name) in [
            ("", "anything"),
            ("*", "anything"),
            ("a", "a"),
            ("a*", "a"),
            ("a*c", "abcbc"),
            ("*b*d", "abcbd"),
            ("?.x", "a.x"),
            ("a**b", "ab"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("a", "ab"), ("a?", "a"), ("a*c", "abcb"), ("?", "ab"), ("b*", "ab"), ("A", "a")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        for pattern in ["[ab]*", "a b", "a{1}", &"*".repeat(129)] {
            assert!(NamePattern::new(pattern).is_err(), "{pattern}");
        }
    }
}
