//! Failures as terms: `{:error, %SnakepitBridge.Error{}}`. Must not know what failed.

use rustler::{Atom, Encoder, Env, Term};

use crate::ffi::{self, Failure, Outcome};

use super::atoms;
use super::decode::{decode_plain, structure};

/// `{:ok, term}` or `{:error, error}`.
pub fn answer<'a, T: Encoder>(env: Env<'a>, outcome: Outcome<T>) -> Term<'a> {
    match outcome {
        Ok(term) => (atoms::ok(), term).encode(env),
        Err(failure) => failed(env, &failure),
    }
}

/// `:ok` or `{:error, error}`.
pub fn done(env: Env, outcome: Outcome<()>) -> Term {
    match outcome {
        Ok(()) => atoms::ok().to_term(env),
        Err(failure) => failed(env, &failure),
    }
}

/// `{:error, error}`.
pub fn failed<'a>(env: Env<'a>, failure: &Failure) -> Term<'a> {
    (atoms::error(), failure.encode(env)).encode(env)
}

impl Encoder for Failure {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        let text = |text: &str| text.encode(env);
        let nil = || atoms::nil().to_term(env);
        let optional = |given: &str| if given.is_empty() { nil() } else { text(given) };
        let status = status_atom(env, self.status());
        let (message, details, kind, traceback, is_retryable) = match self {
            Failure::Library(error) => (
                text(error.message()),
                details_of(env, error.details_json()),
                optional(error.python_type()),
                optional(error.python_traceback()),
                error.is_retryable(),
            ),
            Failure::Own { message, path, .. } => {
                (text(message), own_details(env, path.as_deref()), nil(), nil(), false)
            }
        };
        let fields = [
            (atoms::__exception__(), true.encode(env)),
            (atoms::status(), status),
            (atoms::message(), message),
            (atoms::details(), details),
            (atoms::python_type(), kind),
            (atoms::python_traceback(), traceback),
            (atoms::retryable(), is_retryable.encode(env)),
        ];
        structure(env, atoms::error_struct(), &fields)
    }
}

/// `:not_found` for SPB_E_NOT_FOUND.
fn status_atom(env: Env, status: ffi::spb_status) -> Term {
    let name = ffi::status_name(status).to_ascii_lowercase();
    Atom::from_bytes(env, name.as_bytes()).unwrap_or_else(|_| atoms::error()).to_term(env)
}

fn details_of<'a>(env: Env<'a>, json: &str) -> Term<'a> {
    decode_plain(env, json.as_bytes()).unwrap_or_else(|_| Term::map_new(env))
}

fn own_details<'a>(env: Env<'a>, path: Option<&str>) -> Term<'a> {
    let map = Term::map_new(env);
    path.and_then(|path| map.map_put("path", path).ok()).unwrap_or(map)
}
