//! Values on their way to a process: decoded where that is quick, otherwise handed over as they
//! are, for `value_decode` on a dirty scheduler. Must not know who sends them.

use rustler::{Encoder, Env, Resource, ResourceArc, Term};

use crate::ffi::{Outcome, Value};

use super::atoms;
use super::decode::{decode, decode_bare};

/// A value as Elixir holds it.
pub struct ValueResource(pub Value);

#[rustler::resource_impl]
impl Resource for ValueResource {}

impl ValueResource {
    /// The bytes of an attachment; none of one that is not there.
    pub fn data(&self, index: usize) -> &[u8] {
        self.0.attachment(index).map_or(&[], |seen| seen.data)
    }
}

/// `{:term, term}`, or `{:large, value}` for a document of more than `bytes_max`.
pub fn payload<'a>(env: Env<'a>, value: Value, bytes_max: usize) -> Outcome<Term<'a>> {
    let is_small = value.json().len() <= bytes_max;
    if is_small && !value.has_attachments() {
        // No resource for what is not kept: its end would be work for a scheduler.
        return Ok((atoms::term(), decode_bare(env, &value)?).encode(env));
    }
    let value = ResourceArc::new(ValueResource(value));
    if is_small {
        return Ok((atoms::term(), decode(env, &value)?).encode(env));
    }
    Ok((atoms::large(), value).encode(env))
}

/// The same for an event that may carry none, which is nil.
pub fn optional_payload<'a>(
    env: Env<'a>,
    value: Option<Value>,
    bytes_max: usize,
) -> Outcome<Term<'a>> {
    match value {
        Some(value) => payload(env, value, bytes_max),
        None => Ok((atoms::term(), atoms::nil()).encode(env)),
    }
}

/// What a normal scheduler, and the dispatcher, have time to decode.
pub const SMALL_BYTES_MAX: usize = 32 * 1024;
