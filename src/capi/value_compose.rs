//! A value put together of a document and the attachments of other values, which are shared.
//!
//! It joins what `dlpack`, `arrow` and `tensor` make one at a time, and knows none of them.

use std::mem::MaybeUninit;

use crate::core::{Result, Value, copied};

use super::error::spb_error;
use super::guard::guard_out;
use super::status::spb_status;
use super::text_view::{slice, spb_str};
use super::value::{required, spb_value};

/// Makes a value of a JSON document and the attachments of `count` values, one after the other:
/// without a copy of them, and without the documents that the values have.
///
/// Ownership: copies `json`; the values stay the caller's; the caller owns `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: INVALID_ARGUMENT, UTF8, RESOURCE_EXHAUSTED, NULL_ARGUMENT, also for a NULL value.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_value_compose(
    json: spb_str,
    values: *const Option<&spb_value>,
    count: usize,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        // SAFETY: the caller vouches for `count` pointers, each NULL or to a value.
        let values = unsafe { slice(values, count, "values") }?;
        let values = values.iter().map(|value| required(*value, "values[]"));
        let values = values.collect::<Result<Vec<_>>>()?;
        let attachments = values.into_iter().flat_map(|value| value.into_parts().1).collect();
        let json = copied(json.bytes("json")?);
        Ok(spb_value::into_raw(Value::new(json, attachments)?))
    })
}
