//! Reading variables: one script each, and rules compiled once for each id.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::core::{Result, Value};
use crate::state::backend::{Measure, Reply};
use crate::state::key::SessionKey;
use crate::state::name::NamePattern;
use crate::state::variable::{Definition, Past, SavedVariable, Variable};

use super::answer::{Answer, Head};
use super::frame;
use super::refusal::{Asked, accepted};
use super::store::{Store, arg_of_limit};

/// A variable as Redis has it, with its value where it was wanted.
pub struct Fetched {
    pub definition: Arc<Definition>,
    pub version: u64,
    pub value: Option<Value>,
    head: Head,
    now_ms: u64,
}

/// How variables are fetched.
#[derive(Clone, Copy)]
pub struct Want {
    pub values: bool,
    /// A name that is not there is an error.
    pub all: bool,
}

pub async fn get(store: &Store, session: &SessionKey, name: &str) -> Result<Reply> {
    let want = Want { values: true, all: true };
    let fetched = fetch(store, session, &[name], want, store.until()).await?;
    let variables = fetched.into_iter().flatten().filter_map(Fetched::variable);
    let Some(variable) = variables.last() else {
        return Err(super::failure::not_understood("get"));
    };
    store.cache.see(session.incarnation, &variable);
    Ok(Reply::Variable(variable))
}

pub async fn get_many(store: &Store, session: &SessionKey, names: &[String]) -> Result<Reply> {
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let want = Want { values: true, all: false };
    let fetched = fetch(store, session, &asked, want, store.until()).await?;
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for (name, fetched) in names.iter().zip(fetched) {
        match fetched.and_then(Fetched::variable) {
            Some(variable) => found.push(variable),
            None => missing.push(name.clone()),
        }
    }
    found.iter().for_each(|variable| store.cache.see(session.incarnation, variable));
    Ok(Reply::Found { found, missing })
}

/// Those there are, at one moment, in the order of the names.
pub async fn fetch(
    store: &Store,
    session: &SessionKey,
    names: &[&str],
    want: Want,
    until: Instant,
) -> Result<Vec<Option<Fetched>>> {
    let flag = |is_set: bool| Bytes::from_static(if is_set { b"1" } else { b"0" });
    let mut own = vec![flag(want.values), flag(want.all), arg_of_limit(names.len())];
    let mut known = Vec::with_capacity(names.len());
    for name in names {
        let seen = store.cache.seen(session.incarnation, name).map(|seen| seen.definition);
        own.push(Bytes::copy_from_slice(name.as_bytes()));
        own.push(arg_of_id(seen.as_deref()));
        known.push(seen);
    }
    let answer = store.ask(session, &store.scripts.get, own, until).await?;
    let asked = Asked { limits: &store.limits, names, expected: &[], wanted: 0 };
    let mut answer = accepted(answer, &asked)?;
    let now_ms = answer.number()?;
    let mut fetched = Vec::with_capacity(names.len());
    for (name, known) in names.iter().zip(known) {
        let head = answer.maybe_head()?;
        let (rule, value) = (answer.maybe()?, answer.maybe()?);
        fetched.push(match head {
            Some(head) => {
                let definition = definition(store, session, name, &head, rule, known)?;
                let (version, value) = (head.version, value.map(frame::to_value).transpose()?);
                Some(Fetched { definition, version, value, head, now_ms })
            }
            None => None,
        });
    }
    Ok(fetched)
}

pub async fn list(
    store: &Store,
    session: &SessionKey,
    pattern: &NamePattern,
    after: Option<&str>,
    limit: usize,
) -> Result<Reply> {
    let own = list_args(after.unwrap_or_default(), limit, pattern.as_str(), false);
    let mut answer = store.ask(session, &store.scripts.list, own, store.until()).await?;
    let now_ms = answer.number()?;
    let mut variables = Vec::new();
    while !answer.is_at_end() {
        let listed = Listed::read(&mut answer)?;
        answer.list()?;
        let definition = definition_of(&listed.name, &listed.head, listed.rule)?;
        let (version, value) = (listed.head.version, frame::to_value(listed.value)?);
        variables.push(Variable { definition, value, version, lock: listed.head.lock(now_ms) });
    }
    Ok(Reply::Variables(variables))
}

pub async fn measure(store: &Store, session: &SessionKey) -> Result<Reply> {
    let mut answer = store.ask(session, &store.scripts.measure, Vec::new(), store.until()).await?;
    let (variables, bytes) = (answer.number()?, answer.number()?);
    Ok(Reply::Measure(Measure { variables, bytes, revision: answer.number()? }))
}

pub async fn snapshot(store: &Store, session: &SessionKey) -> Result<Reply> {
    let own = list_args("", usize::MAX, "", true);
    let mut answer = store.ask(session, &store.scripts.list, own, store.until()).await?;
    answer.number::<u64>()?;
    let mut saved = Vec::new();
    while !answer.is_at_end() {
        let listed = Listed::read(&mut answer)?;
        let history = past(&mut answer.list()?)?;
        let (rule, metadata) = frame::to_rule(listed.rule)?;
        let (name, version) = (listed.name.into(), listed.head.version);
        let value = frame::to_value(listed.value)?;
        saved.push(SavedVariable { name, rule, metadata, value, version, history });
    }
    Ok(Reply::Snapshot(saved))
}

pub async fn history(store: &Store, session: &SessionKey, name: &str) -> Result<Reply> {
    let (_, past) = versions(store, session, name, None, store.until()).await?;
    Ok(Reply::History(past))
}

/// All versions that are kept, or one of them.
pub async fn versions(
    store: &Store,
    session: &SessionKey,
    name: &str,
    wanted: Option<u64>,
    until: Instant,
) -> Result<(Arc<Definition>, Vec<Past>)> {
    let known = store.cache.seen(session.incarnation, name).map(|seen| seen.definition);
    let own = vec![
        Bytes::copy_from_slice(name.as_bytes()),
        arg_of_id(known.as_deref()),
        wanted.map(|version| Bytes::from(version.to_string())).unwrap_or_default(),
    ];
    let answer = store.ask(session, &store.scripts.history, own, until).await?;
    let wanted = wanted.unwrap_or_default();
    let asked = Asked { limits: &store.limits, names: &[name], expected: &[], wanted };
    let mut answer = accepted(answer, &asked)?;
    answer.number::<u64>()?;
    let (head, rule) = (answer.head()?, answer.maybe()?);
    let definition = definition(store, session, name, &head, rule, known)?;
    Ok((definition, past(&mut answer)?))
}

impl Fetched {
    /// None where the value was not wanted.
    pub fn variable(self) -> Option<Variable> {
        let Fetched { definition, version, value, head, now_ms } = self;
        Some(Variable { definition, value: value?, version, lock: head.lock(now_ms) })
    }

    /// Out of an answer that gives time, head, rule and value one behind the other.
    pub fn read(
        store: &Store,
        session: &SessionKey,
        answer: &mut Answer,
        name: &str,
        known: Option<Arc<Definition>>,
    ) -> Result<Self> {
        let now_ms = answer.number()?;
        let head = answer.head()?;
        let (rule, value) = (answer.maybe()?, answer.maybe()?);
        let definition = definition(store, session, name, &head, rule, known)?;
        let (version, value) = (head.version, value.map(frame::to_value).transpose()?);
        Ok(Fetched { definition, version, value, head, now_ms })
    }
}

/// The id of a definition that the host has, so that the script need not give it.
pub fn arg_of_id(known: Option<&Definition>) -> Bytes {
    known.map(|known| Bytes::from(known.id.to_string())).unwrap_or_default()
}

/// The known one, or the one that the script gave because it is another's.
fn definition(
    store: &Store,
    session: &SessionKey,
    name: &str,
    head: &Head,
    rule: Option<Bytes>,
    known: Option<Arc<Definition>>,
) -> Result<Arc<Definition>> {
    if let Some(known) = known.filter(|known| known.id == head.id) {
        return Ok(known);
    }
    let Some(rule) = rule else { return Err(super::failure::not_understood("rule")) };
    let definition = definition_of(name, head, rule)?;
    store.cache.see_definition(session.incarnation, &definition);
    Ok(definition)
}

fn definition_of(name: &str, head: &Head, rule: Bytes) -> Result<Arc<Definition>> {
    let (rule, metadata) = frame::to_rule(rule)?;
    Ok(Arc::new(Definition { name: name.into(), id: head.id, rule, metadata }))
}

/// One variable of a list, without what is behind it.
struct Listed {
    name: String,
    head: Head,
    rule: Bytes,
    value: Bytes,
}

impl Listed {
    fn read(answer: &mut Answer) -> Result<Self> {
        Ok(Listed {
            name: answer.text()?,
            head: answer.head()?,
            rule: answer.bytes()?,
            value: answer.bytes()?,
        })
    }
}

fn list_args(after: &str, limit: usize, pattern: &str, wants_past: bool) -> Vec<Bytes> {
    let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let flag = Bytes::from_static(if wants_past { b"1" } else { b"0" });
    vec![text(after), arg_of_limit(limit), text(pattern), flag]
}

fn past(answer: &mut Answer) -> Result<Vec<Past>> {
    let mut past = Vec::new();
    while !answer.is_at_end() {
        let version = answer.number()?;
        past.push(Past { version, value: frame::to_value(answer.bytes()?)? });
    }
    Ok(past)
}
