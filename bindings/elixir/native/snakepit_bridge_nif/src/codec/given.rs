//! Values that a process gives: made before, or of a term that is quick enough to walk here.
//!
//! Must not know what they are given for.

use rustler::{Env, ResourceArc, Term};

use crate::ffi::{Outcome, Value};
use crate::options::consume;

use super::atoms;
use super::encode::{Limit, encode};
use super::failure::failed;
use super::payload::ValueResource;

/// The answer to the value that a term is or stands for; `:large` when the term takes longer than a
/// normal scheduler has time for.
pub fn with_value<'a>(
    env: Env<'a>,
    term: Term<'a>,
    answer: impl FnOnce(&Value) -> Term<'a>,
) -> Term<'a> {
    if let Ok(made) = term.decode::<ResourceArc<ValueResource>>() {
        return answer(&made.0);
    }
    match made_here(env, term) {
        Ok(Some(value)) => answer(&value),
        Ok(None) => atoms::large().to_term(env),
        Err(failure) => failed(env, &failure),
    }
}

/// The same, where nil is no value.
pub fn with_optional_value<'a>(
    env: Env<'a>,
    term: Term<'a>,
    answer: impl FnOnce(Option<&Value>) -> Term<'a>,
) -> Term<'a> {
    if term == atoms::nil().to_term(env) {
        return answer(None);
    }
    with_value(env, term, |value| answer(Some(value)))
}

/// The value of a term, if that is quick.
pub fn made_here<'a>(env: Env<'a>, term: Term<'a>) -> Outcome<Option<Value>> {
    Ok(encode(term, Limit::Small)?.map(|(value, work)| {
        consume(env, work / WORK_OF_ONE_PERCENT);
        value
    }))
}

/// Nodes that take about ten microseconds.
const WORK_OF_ONE_PERCENT: usize = 200;
