//! Writing values. Rules are held here, before the script runs, which checks that the variable is
//! still the one that the rule belongs to; if not, it says what is there, and all is done again.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

use crate::core::limits::REDIS_CONTENTION_MAX;
use crate::core::{Error, Result, Status, Value};
use crate::state::backend::{Access, Reply, Write};
use crate::state::key::SessionKey;
use crate::state::update::Update;
use crate::state::variable::{Definition, Variable};

use super::answer::Answer;
use super::frame;
use super::link::Rests;
use super::reads::{Fetched, Want, fetch, versions};
use super::refusal::{Asked, accepted};
use super::store::{Store, arg_of_limit};

pub async fn set(
    store: &Store,
    session: &SessionKey,
    write: Write,
    owner: Option<&str>,
) -> Result<Reply> {
    let mut variables = write_all(store, session, vec![write], owner, store.until()).await?;
    match variables.pop() {
        Some(variable) => Ok(Reply::Variable(variable)),
        None => Err(super::failure::not_understood("set")),
    }
}

pub async fn set_many(
    store: &Store,
    session: &SessionKey,
    writes: Vec<Write>,
    owner: Option<&str>,
) -> Result<Reply> {
    let variables = write_all(store, session, writes, owner, store.until()).await?;
    Ok(Reply::Variables(variables))
}

pub async fn rollback(
    store: &Store,
    session: &SessionKey,
    name: &str,
    version: u64,
    access: Access<'_>,
) -> Result<Reply> {
    let until = store.until();
    let mut tries = Tries::new(name, until);
    loop {
        let (definition, past) = versions(store, session, name, Some(version), until).await?;
        let Some(past) = past.into_iter().next() else {
            return Err(super::failure::not_understood("history"));
        };
        let expected = access.expected_version;
        let write = Planned { definition, value: past.value, expected, base: None };
        match send(store, session, &[write], access.owner, false, until).await? {
            Sent::Written(mut variables) if !variables.is_empty() => {
                return Ok(Reply::Variable(variables.remove(0)));
            }
            Sent::Written(_) => return Err(super::failure::not_understood("set")),
            Sent::Changed(_) => tries.again().await?,
        }
    }
}

/// Reckoned here, from the value that was seen last, and written only over exactly that one.
pub async fn update(
    store: &Store,
    session: &SessionKey,
    name: &str,
    update: &Update,
    access: Access<'_>,
) -> Result<Reply> {
    let until = store.until();
    let mut tries = Tries::new(name, until);
    let mut seen = last_seen(store, session, name);
    let mut is_fresh = false;
    loop {
        let (definition, version, value) = match seen.take() {
            Some(seen) => seen,
            None => {
                is_fresh = true;
                now_seen(store, session, name, until).await?
            }
        };
        let value = match update.apply(name, &definition.rule, &value) {
            Ok(value) => value,
            Err(error) if is_fresh => return Err(error),
            Err(_) => continue,
        };
        let expected = access.expected_version;
        let write = Planned { definition, value, expected, base: Some(version) };
        match send(store, session, &[write], access.owner, false, until).await? {
            Sent::Written(mut variables) if !variables.is_empty() => {
                return Ok(Reply::Variable(variables.remove(0)));
            }
            Sent::Written(_) => return Err(super::failure::not_understood("set")),
            Sent::Changed(fetched) => {
                (seen, is_fresh) = (with_value(fetched), true);
                tries.again().await?;
            }
        }
    }
}

/// Holds every value against its rule, then writes all or none. The first faulty write decides,
/// whether its fault is found here or by the script.
async fn write_all(
    store: &Store,
    session: &SessionKey,
    writes: Vec<Write>,
    owner: Option<&str>,
    until: Instant,
) -> Result<Vec<Variable>> {
    let names: Vec<String> = writes.iter().map(|write| write.name.clone()).collect();
    let mut tries = Tries::new(names.first().map_or("", String::as_str), until);
    let mut known = known_definitions(store, session, &names);
    let mut is_fresh = false;
    loop {
        if !is_fresh && known.iter().any(Option::is_none) {
            (known, is_fresh) = (fetched_definitions(store, session, &names, until).await?, true);
        }
        let (planned, fault) = plan(&writes, &known);
        if fault.is_some() && !is_fresh {
            known.fill(None);
            continue;
        }
        let sent = match (&fault, planned.as_slice()) {
            (Some(_), []) => Sent::Written(Vec::new()),
            (fault, planned) => {
                send(store, session, planned, owner, fault.is_some(), until).await?
            }
        };
        match (sent, fault) {
            (Sent::Written(variables), None) => return Ok(variables),
            (Sent::Written(_), Some(Fault::Refused(error))) => return Err(error),
            (Sent::Written(_), Some(Fault::Missing(name))) => {
                // It says which names there are, or the variable is there by now.
                let want = Want { values: false, all: true };
                fetch(store, session, &[name.as_str()], want, until).await?;
            }
            (Sent::Changed(_), _) => {}
        }
        (known, is_fresh) = (known_definitions(store, session, &names), false);
        tries.again().await?;
    }
}

/// A value that keeps the rule of a variable.
struct Planned {
    definition: Arc<Definition>,
    value: Value,
    expected: Option<u64>,
    /// The version that it was reckoned from.
    base: Option<u64>,
}

/// Why a write cannot be planned.
enum Fault {
    Refused(Error),
    Missing(String),
}

/// What the script said.
enum Sent {
    Written(Vec<Variable>),
    /// One of the variables is another one by now, or has another version than the base.
    Changed(Fetched),
}

/// The writes up to the first faulty one.
fn plan(writes: &[Write], known: &[Option<Arc<Definition>>]) -> (Vec<Planned>, Option<Fault>) {
    let mut planned = Vec::with_capacity(writes.len());
    for (write, known) in writes.iter().zip(known) {
        let Write { name, value, expected_version: expected } = write;
        let Some(definition) = known.clone() else {
            return (planned, Some(Fault::Missing(name.clone())));
        };
        if let Err(error) = definition.rule.check(name, value) {
            return (planned, Some(Fault::Refused(error)));
        }
        planned.push(Planned { definition, value: value.clone(), expected: *expected, base: None });
    }
    (planned, None)
}

async fn send(
    store: &Store,
    session: &SessionKey,
    writes: &[Planned],
    owner: Option<&str>,
    only_checks: bool,
    until: Instant,
) -> Result<Sent> {
    let own = send_args(store, writes, owner, only_checks);
    let answer = store.ask(session, &store.scripts.set, own, until).await?;
    let names: Vec<&str> = writes.iter().map(|write| &*write.definition.name).collect();
    let expected: Vec<_> = writes.iter().map(|write| write.expected).collect();
    let asked = Asked { limits: &store.limits, names: &names, expected: &expected, wanted: 0 };
    let mut answer = accepted(answer, &asked)?;
    if answer.word() == "CHANGED" {
        let index = answer.number::<usize>()?.saturating_sub(1);
        let Some(write) = writes.get(index) else { return answer.not_understood() };
        let known = write.definition.clone();
        let name = known.name.clone();
        let fetched = Fetched::read(store, session, &mut answer, &name, Some(known))?;
        return Ok(Sent::Changed(fetched));
    }
    if only_checks {
        return Ok(Sent::Written(Vec::new()));
    }
    Ok(Sent::Written(written(store, session, &mut answer, writes)?))
}

fn send_args(
    store: &Store,
    writes: &[Planned],
    owner: Option<&str>,
    only_checks: bool,
) -> Vec<Bytes> {
    let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let number = |number: u64| Bytes::from(number.to_string());
    let mut own = vec![
        text(owner.unwrap_or_default()),
        text(if only_checks { "1" } else { "0" }),
        arg_of_limit(store.limits.bytes_max),
        arg_of_limit(store.limits.history_max),
        arg_of_limit(store.limits.history_bytes_max),
        arg_of_limit(writes.len()),
    ];
    for Planned { definition, value, expected, base } in writes {
        own.push(text(&definition.name));
        own.push(number(definition.id));
        own.push(base.map(number).unwrap_or_default());
        own.push(expected.map(number).unwrap_or_default());
        own.push(arg_of_limit(value.bytes_len()));
        own.push(if only_checks { Bytes::new() } else { frame::of_value(value) });
    }
    own
}

fn written(
    store: &Store,
    session: &SessionKey,
    answer: &mut Answer,
    writes: &[Planned],
) -> Result<Vec<Variable>> {
    let now_ms = answer.number()?;
    let mut variables = Vec::with_capacity(writes.len());
    for Planned { definition, value, .. } in writes {
        let head = answer.head()?;
        let (definition, value) = (definition.clone(), value.clone());
        let lock = head.lock(now_ms);
        let variable = Variable { definition, value, version: head.version, lock };
        store.cache.see(session.incarnation, &variable);
        variables.push(variable);
    }
    Ok(variables)
}

fn known_definitions(
    store: &Store,
    session: &SessionKey,
    names: &[String],
) -> Vec<Option<Arc<Definition>>> {
    let seen = |name: &String| store.cache.seen(session.incarnation, name);
    names.iter().map(|name| seen(name).map(|seen| seen.definition)).collect()
}

async fn fetched_definitions(
    store: &Store,
    session: &SessionKey,
    names: &[String],
    until: Instant,
) -> Result<Vec<Option<Arc<Definition>>>> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let want = Want { values: false, all: false };
    let fetched = fetch(store, session, &names, want, until).await?;
    Ok(fetched.into_iter().map(|fetched| fetched.map(|fetched| fetched.definition)).collect())
}

/// A value that an update can be reckoned from.
type Base = (Arc<Definition>, u64, Value);

fn last_seen(store: &Store, session: &SessionKey, name: &str) -> Option<Base> {
    let seen = store.cache.seen(session.incarnation, name)?;
    let (version, value) = seen.value?;
    Some((seen.definition, version, value))
}

async fn now_seen(store: &Store, session: &SessionKey, name: &str, until: Instant) -> Result<Base> {
    let want = Want { values: true, all: true };
    let fetched = fetch(store, session, &[name], want, until).await?;
    let found = fetched.into_iter().flatten().filter_map(with_value).last();
    found.ok_or_else(|| super::failure::not_understood("get"))
}

fn with_value(fetched: Fetched) -> Option<Base> {
    let Fetched { definition, version, value, .. } = fetched;
    Some((definition, version, value?))
}

/// How often a command begins again because others were quicker.
struct Tries<'a> {
    name: &'a str,
    until: Instant,
    count: usize,
    rests: Rests,
}

impl<'a> Tries<'a> {
    fn new(name: &'a str, until: Instant) -> Self {
        Tries { name, until, count: 0, rests: Rests::default() }
    }

    /// Rests for a moment. `Busy` when there were too many tries, or no time is left.
    async fn again(&mut self) -> Result<()> {
        self.count += 1;
        let end = self.rests.next_end();
        if self.count > REDIS_CONTENTION_MAX || end >= self.until {
            let message = format!("variable {:?} is changed by others all the time", self.name);
            return Err(Error::new(Status::Busy, message).with("variable", self.name));
        }
        // The first tries are free: usually one is enough.
        if self.count > TRIES_WITHOUT_REST {
            sleep_until(end).await;
        }
        Ok(())
    }
}

const TRIES_WITHOUT_REST: usize = 2;
