//! Values made of terms and documents, and back.

use rustler::types::binary::NewBinary;
use rustler::{Binary, Encoder, Env, ResourceArc, Term};

use crate::codec::{Limit, ValueResource, answer, atoms, decode, encode, failed, made_here};
use crate::ffi::{Outcome, Value};

#[rustler::nif]
fn value_encode<'a>(env: Env<'a>, term: Term<'a>) -> Term<'a> {
    encoded(env, made_here(env, term))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn value_encode_large<'a>(env: Env<'a>, term: Term<'a>) -> Term<'a> {
    let made = encode(term, Limit::None);
    encoded(env, made.map(|made| made.map(|(value, _work)| value)))
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

fn encoded(env: Env, value: Outcome<Option<Value>>) -> Term {
    match value {
        Ok(Some(value)) => (atoms::ok(), ResourceArc::new(ValueResource(value))).encode(env),
        Ok(None) => atoms::large().to_term(env),
        Err(failure) => failed(env, &failure),
    }
}
