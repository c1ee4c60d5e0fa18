//! What scripts publish about a change, read again. The form is that of `tell` in
//! `lua/prelude.lua`: kind, revision, id, version, the lengths of name and owner, and whether a
//! value follows; then name, owner and value.

use std::sync::Arc;

use bytes::Bytes;

use crate::state::change::{Change, ChangeKind};

use super::frame;

/// None for anything that no script of ours publishes.
pub fn read(mut message: Bytes) -> Option<Change> {
    let end = message.iter().position(|byte| *byte == b'\n')?;
    let start = message.split_to(end);
    message.split_to_checked(1)?;
    let mut parts = std::str::from_utf8(&start).ok()?.split(' ');
    let kind = parts.next()?;
    let revision = parts.next()?.parse().ok()?;
    let id = parts.next()?.parse().ok()?;
    let version = parts.next()?.parse().ok()?;
    let name_bytes = parts.next()?.parse().ok()?;
    let owner_bytes = parts.next()?.parse().ok()?;
    let has_value = parts.next()? == "1";
    let name = message.split_to_checked(name_bytes)?;
    let owner = message.split_to_checked(owner_bytes)?;
    let text = |bytes: &Bytes| std::str::from_utf8(bytes).ok().map(Arc::<str>::from);
    let kind = match kind {
        "registered" => ChangeKind::Registered,
        "written" => ChangeKind::Written,
        "deleted" => ChangeKind::Deleted,
        "locked" => ChangeKind::Locked { owner: text(&owner)? },
        "unlocked" => ChangeKind::Unlocked,
        _ => return None,
    };
    let value = if has_value { Some(frame::to_value(message).ok()?) } else { None };
    Some(Change { kind, name: text(&name)?, id, version, revision, value })
}

trait SplitChecked {
    /// None when there are fewer bytes.
    fn split_to_checked(&mut self, count: usize) -> Option<Bytes>;
}

impl SplitChecked for Bytes {
    fn split_to_checked(&mut self, count: usize) -> Option<Bytes> {
        (count <= self.len()).then(|| self.split_to(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Value;

    #[test]
    fn a_change_comes_through_whole_or_not_at_all() {
        let value = Value::from_json("[1]").unwrap();
        let mut message = b"written 9 2 3 1 0 1\nn".to_vec();
        message.extend(frame::of_value(&value));
        let change = read(message.clone().into()).unwrap();
        assert_eq!((change.revision, change.id, change.version), (9, 2, 3));
        assert_eq!(
            (&*change.name, change.kind, change.value),
            ("n", ChangeKind::Written, Some(value))
        );
        for length in 0..message.len() {
            assert!(read(Bytes::copy_from_slice(&message[..length])).is_none(), "{length}");
        }
        let locked = read(Bytes::from_static(b"locked 9 2 3 1 3 0\nna b")).unwrap();
        assert_eq!(locked.kind, ChangeKind::Locked { owner: "a b".into() });
        assert!(read(Bytes::from_static(b"else 9 2 3 1 0 0\nn")).is_none());
    }
}
