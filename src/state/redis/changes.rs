//! Adding, deleting, locking and unlocking variables.

use std::time::Duration;

use bytes::Bytes;

use crate::core::Result;
use crate::state::backend::{Access, NewVariable, Reply, StoreLimits};
use crate::state::key::SessionKey;
use crate::state::rule::Rule;
use crate::state::variable::{Definition, SavedVariable, Variable};

use super::answer::Answer;
use super::frame;
use super::reads::{Fetched, arg_of_id};
use super::refusal::{Asked, accepted};
use super::store::{Store, arg_of_limit, arg_of_time};

pub async fn register(store: &Store, session: &SessionKey, new: NewVariable) -> Result<Reply> {
    let NewVariable { name, rule, metadata, value } = new;
    let history = Vec::new();
    let saved = SavedVariable { name, rule, metadata, value, version: 1, history };
    let mut answer = add(store, session, std::slice::from_ref(&saved)).await?;
    let now_ms = answer.number()?;
    let head = answer.head()?;
    let SavedVariable { name, rule, metadata, value, version, .. } = saved;
    let definition = Definition { name, id: head.id, rule, metadata }.into();
    let variable = Variable { definition, value, version, lock: head.lock(now_ms) };
    store.cache.see(session.incarnation, &variable);
    Ok(Reply::Variable(variable))
}

pub async fn load(
    store: &Store,
    session: &SessionKey,
    variables: Vec<SavedVariable>,
) -> Result<Reply> {
    add(store, session, &variables).await?;
    Ok(Reply::Done)
}

pub async fn delete(
    store: &Store,
    session: &SessionKey,
    name: &str,
    access: Access<'_>,
) -> Result<Reply> {
    let expected = access.expected_version;
    let own = vec![
        text(name),
        text(access.owner.unwrap_or_default()),
        expected.map(|version| text(&version.to_string())).unwrap_or_default(),
    ];
    let answer = store.ask(session, &store.scripts.delete, own, store.until()).await?;
    accepted(answer, &asked(store, &[name], &[expected]))?;
    Ok(Reply::Done)
}

pub async fn lock(
    store: &Store,
    session: &SessionKey,
    name: &str,
    owner: &str,
    ttl: Duration,
) -> Result<Reply> {
    let known = store.cache.seen(session.incarnation, name).map(|seen| seen.definition);
    let own = vec![text(name), text(owner), arg_of_time(ttl), arg_of_id(known.as_deref())];
    let answer = store.ask(session, &store.scripts.lock, own, store.until()).await?;
    let mut answer = accepted(answer, &asked(store, &[name], &[]))?;
    let fetched = Fetched::read(store, session, &mut answer, name, known)?;
    match fetched.variable() {
        Some(variable) => Ok(Reply::Variable(variable)),
        None => answer.not_understood(),
    }
}

pub async fn unlock(store: &Store, session: &SessionKey, name: &str, owner: &str) -> Result<Reply> {
    let own = vec![text(name), text(owner), text("0"), Bytes::new()];
    let answer = store.ask(session, &store.scripts.lock, own, store.until()).await?;
    accepted(answer, &asked(store, &[name], &[]))?;
    Ok(Reply::Done)
}

async fn add(store: &Store, session: &SessionKey, variables: &[SavedVariable]) -> Result<Answer> {
    let limits = &store.limits;
    let mut own = vec![
        arg_of_limit(limits.variables_max),
        arg_of_limit(limits.bytes_max),
        arg_of_limit(variables.len()),
    ];
    variables.iter().for_each(|saved| push_saved(&mut own, saved, limits));
    let answer = store.ask(session, &store.scripts.load, own, store.until()).await?;
    let names: Vec<&str> = variables.iter().map(|saved| &*saved.name).collect();
    accepted(answer, &asked(store, &names, &[]))
}

fn push_saved(own: &mut Vec<Bytes>, saved: &SavedVariable, limits: &StoreLimits) {
    let SavedVariable { name, rule, metadata, value, version, history } = saved;
    own.push(text(name));
    own.push(frame::of_rule(rule, metadata));
    own.push(frame::of_value(value));
    own.push(text(&version.to_string()));
    own.push(arg_of_limit(value.bytes_len()));
    own.push(arg_of_limit(fixed_bytes(name, rule, metadata)));
    let mut bytes = 0;
    let is_kept = |past: &&crate::state::variable::Past| {
        bytes += past.value.bytes_len();
        bytes <= limits.history_bytes_max
    };
    let mut kept: Vec<_> =
        history.iter().rev().take(limits.history_max).take_while(is_kept).collect();
    kept.reverse();
    own.push(arg_of_limit(kept.len()));
    for past in kept {
        own.push(text(&past.version.to_string()));
        own.push(arg_of_limit(past.value.bytes_len()));
        own.push(frame::of_value(&past.value));
    }
}

/// What a variable takes of its session's bytes besides its value.
fn fixed_bytes(name: &str, rule: &Rule, metadata: &Bytes) -> usize {
    name.len() + rule.constraints().len() + metadata.len()
}

fn asked<'a>(store: &'a Store, names: &'a [&'a str], expected: &'a [Option<u64>]) -> Asked<'a> {
    Asked { limits: &store.limits, names, expected, wanted: 0 }
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
