//! `is_settled`: whether an encoded document is sure to say what the value said, from its bytes.
//!
//! The JSON encoder refuses by itself what has no form, but for three things: NaN and the
//! infinities become null, deep nesting is let through, and a key that reads like the tag is not
//! escaped. Each of them leaves a trace in the text; where there is none, the value itself need not
//! be walked. Knows nothing of Python's objects.

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::{Finder, find};

use crate::limits::JSON_DEPTH_MAX;

/// True: nothing that `scan` looks for can be in the value. False: `scan` has to say.
pub fn is_settled(document: &[u8]) -> bool {
    let has_tag_like = memchr(b'$', document).is_some() && find(document, b"$spb").is_some();
    !has_tag_like && NULL.find(document).is_none() && is_shallow(document)
}

/// Whether no more than the allowed containers are open anywhere. Brackets in texts count as well:
/// opening ones at worst make it false; only a document that is too deep, and has closing ones in
/// its texts to make up for it, passes, and the host refuses that.
fn is_shallow(document: &[u8]) -> bool {
    let mut depth = 0;
    let (blocks, rest) = document.as_chunks::<BLOCK_BYTES>();
    for block in blocks.iter().map(<[u8; BLOCK_BYTES]>::as_slice).chain([rest]) {
        let opened = depth + count(block, b'{');
        if opened > JSON_DEPTH_MAX {
            return false;
        }
        depth = opened.saturating_sub(count(block, b'}'));
    }
    true
}

/// How many bytes are this brace or the bracket beside it, which differs from it in one bit.
fn count(block: &[u8], brace: u8) -> usize {
    let is_one = |byte: &u8| u8::from(byte | BRACKET_OR_BRACE == brace);
    usize::from(block.iter().map(is_one).sum::<u8>())
}

/// Made once, because most documents are short.
static NULL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"null"));

/// What is counted in one of them fits a byte, so that the counting is done many bytes at a time.
const BLOCK_BYTES: usize = 64;
const BRACKET_OR_BRACE: u8 = b'[' ^ b'{';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_deep_nesting_is_deep() {
        let nested = |depth: usize| "[{\"a\":".repeat(depth / 2) + &"}]".repeat(depth / 2);
        assert!(is_shallow(nested(JSON_DEPTH_MAX).as_bytes()));
        assert!(!is_shallow(nested(JSON_DEPTH_MAX + 2).as_bytes()));
        let long = format!("[{}0]", "{\"key\":[1,[]],\"other\":{}},".repeat(500));
        assert!(is_shallow(long.as_bytes()));
        let behind = format!("[{},{}]", long, nested(JSON_DEPTH_MAX));
        assert!(!is_shallow(behind.as_bytes()));
        assert!(is_shallow(b""));
    }
}
