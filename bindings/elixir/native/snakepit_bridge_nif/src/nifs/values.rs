//! Values made of terms and documents, and back.

use rustler::types::binary::NewBinary;
use rustler::{Binary, Encoder, Env, ResourceArc, Term};

use crate::codec::{Limit, ValueResource, answer, atoms, decode, encode, failed};
use crate::ffi::Value;
use crate::options::consume;

#[rustler::nif]
fn value_encode<'a>(env: Env<'a>, term: Term<'a>) -> Term<'a> {
    encoded(env, term, Limit::Small)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn value_encode_large<'a>(env: Env<'a>, term: Term<'a>) -> Term<'a> {
    encoded(env, term, Limit::None)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn value_decode(env: Env, value: ResourceArc<ValueResource>) -> Term {
    answer(env, decode(env, &value))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn value_from_json<'a>(env: Env<'a>, json: Binary<'a>) -> Term<'a> {
    let value = Value::from_json(json.as_slice());
    answer(env, value.map(|value| ResourceArc::new(ValueResource(value))))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn value_to_json(env: Env, value: ResourceArc<ValueResource>) -> Term {
    let json: Term = NewBinary::from_slice(env, value.0.json()).into();
    (atoms::ok(), json).encode(env)
}

fn encoded<'a>(env: Env<'a>, term: Term<'a>, limit: Limit) -> Term<'a> {
    match encode(term, limit) {
        Ok(Some((value, work))) => {
            if limit == Limit::Small {
                consume(env, work / WORK_OF_ONE_PERCENT);
            }
            (atoms::ok(), ResourceArc::new(ValueResource(value))).encode(env)
        }
        Ok(None) => atoms::large().to_term(env),
        Err(failure) => failed(env, &failure),
    }
}

/// Nodes that take about ten microseconds.
const WORK_OF_ONE_PERCENT: usize = 200;
