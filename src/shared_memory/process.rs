//! The host's pool, one for the whole process: a value is made before it is known which platform or
//! worker it goes to, and bytes that lie in a region go to all of them without a copy.
//!
//! Where a region cannot be had, ordinary memory does, and the content travels with its message.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use crate::core::limits::{
    SHARED_BYTES_MAX, SHARED_BYTES_MIN, SHARED_FREE_BYTES_MAX, SHARED_REGIONS_MAX,
};

use super::pool::{Pool, PoolLimits};

/// The pool of this process.
pub fn pool() -> &'static Arc<Pool> {
    &POOL
}

/// Whether content of so many bytes belongs in a region.
pub fn is_large(bytes: usize) -> bool {
    bytes >= SHARED_BYTES_MIN
}

/// A copy of `bytes`, in a region if they are many and one is to be had.
pub fn bytes_of(bytes: &[u8]) -> Bytes {
    copied(bytes).unwrap_or_else(|| Bytes::copy_from_slice(bytes))
}

/// The same bytes, in a region if they are many and one is to be had. Copies only those that lie
/// elsewhere.
pub fn placed(bytes: Bytes) -> Bytes {
    if !is_large(bytes.len()) || POOL.find(&bytes).is_some() {
        return bytes;
    }
    copied(&bytes).unwrap_or(bytes)
}

fn copied(bytes: &[u8]) -> Option<Bytes> {
    if !is_large(bytes.len()) {
        return None;
    }
    let copy = POOL.copy(bytes).inspect_err(|error| {
        tracing::debug!("no region for {} bytes, they travel in messages: {error}", bytes.len());
    });
    copy.ok()
}

static POOL: LazyLock<Arc<Pool>> = LazyLock::new(|| {
    Pool::new(PoolLimits {
        bytes_max: SHARED_BYTES_MAX,
        free_bytes_max: SHARED_FREE_BYTES_MAX,
        regions_max: SHARED_REGIONS_MAX,
    })
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_bytes_are_placed_once_and_few_stay_where_they_are() {
        let few = Bytes::from(vec![1; SHARED_BYTES_MIN - 1]);
        assert_eq!(placed(few.clone()).as_ptr(), few.as_ptr());
        let many = placed(Bytes::from(vec![7; SHARED_BYTES_MIN]));
        assert!(POOL.find(&many).is_some());
        assert_eq!(placed(many.clone()).as_ptr(), many.as_ptr());
        assert_eq!(bytes_of(&many), many);
    }
}
