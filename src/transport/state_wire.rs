//! State verbs, their answers and changes between the platform's types and the generated messages.

use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::host_frame::Kind;
use snakepit_bridge_proto::state_request::Verb;
use snakepit_bridge_proto::state_response::Outcome;

use crate::core::{Result, Value};

use super::link::WorkerLink;
use super::sharing;
use super::state_peer::{
    ChangeRow, StateAsk, StateReply, VariableRow, WatchAsk, WriteAsk, WriteTerms,
};
use super::wire;

/// What a worker asks.
pub fn state_ask(link: &WorkerLink, verb: Option<Verb>) -> Result<StateAsk> {
    Ok(match verb.ok_or_else(|| wire::protocol("state request without a verb"))? {
        Verb::Get(get) => StateAsk::Get { name: get.name, cache: get.cache },
        Verb::GetMany(get) => StateAsk::GetMany { names: get.names },
        Verb::Set(set) => {
            let owner = named(&set.owner);
            StateAsk::Set { write: write_ask(link, set)?, owner }
        }
        Verb::SetMany(set) => {
            StateAsk::SetMany { owner: named(&set.owner), writes: write_asks(link, set.writes)? }
        }
        Verb::Update(update) => StateAsk::Update {
            name: update.name,
            update: kept_value(link, update.update)?,
            terms: terms(update.expected_version, &update.owner),
        },
        Verb::Register(register) => StateAsk::Register {
            name: register.name,
            type_name: register.r#type,
            initial: kept_value(link, register.initial)?,
            constraints: register.constraints_json,
            metadata: register.metadata_json,
        },
        Verb::Delete(delete) => StateAsk::Delete {
            name: delete.name,
            terms: terms(delete.expected_version, &delete.owner),
        },
        Verb::List(list) => StateAsk::List {
            pattern: list.pattern,
            after: named(&list.after),
            limit: if list.limit == 0 { usize::MAX } else { size(list.limit) },
        },
        Verb::History(history) => StateAsk::History { name: history.name },
        Verb::Rollback(back) => StateAsk::Rollback {
            name: back.name,
            version: back.version,
            terms: terms(back.expected_version, &back.owner),
        },
        Verb::Lock(lock) => {
            StateAsk::Lock { name: lock.name, owner: lock.owner, ttl_ms: lock.ttl_ms }
        }
        Verb::Unlock(unlock) => StateAsk::Unlock { name: unlock.name, owner: unlock.owner },
        Verb::Watch(watch) => StateAsk::Watch(WatchAsk {
            patterns: watch.patterns,
            coalesce: watch.coalesce,
            initial: watch.initial,
            queue_max: size(watch.queue_max),
            credit: watch.credit,
        }),
    })
}

/// The frame of an answer.
pub fn response(link: &WorkerLink, request_id: u64, outcome: Result<StateReply>) -> Kind {
    let cacheable = matches!(outcome, Ok(StateReply::Cacheable(_)));
    let rows = |rows: Vec<VariableRow>| rows.into_iter().map(|row| variable(link, row)).collect();
    let outcome = Some(match outcome {
        Ok(StateReply::Variable(row) | StateReply::Cacheable(row)) => {
            Outcome::Variable(variable(link, row))
        }
        Ok(StateReply::Variables(all)) => {
            Outcome::Variables(pb::Variables { variables: rows(all) })
        }
        Ok(StateReply::Found { found, missing }) => {
            Outcome::Found(pb::VariablesFound { variables: rows(found), missing })
        }
        Ok(StateReply::History(past)) => {
            let past = past.into_iter().map(|(version, value)| pb::PastValue {
                version,
                value: Some(link.payload(value)),
            });
            Outcome::History(pb::VariablePast { values: past.collect() })
        }
        Ok(StateReply::Done) => Outcome::Deleted(pb::Deleted {}),
        Err(error) => Outcome::Error(wire::error_of(&error)),
    });
    Kind::StateResponse(pb::StateResponse { request_id, outcome, cacheable })
}

/// The frame of a change.
pub fn change(link: &WorkerLink, request_id: u64, sequence: u64, row: ChangeRow) -> Kind {
    Kind::StateChange(pb::StateChange {
        request_id,
        sequence,
        kind: row.kind.to_owned(),
        name: row.name,
        id: row.id,
        version: row.version,
        revision: row.revision,
        value: row.value.map(|value| link.payload(value)),
        owner: row.owner,
        missed_count: row.missed_count,
        missed_from: row.missed_from,
    })
}

fn variable(link: &WorkerLink, row: VariableRow) -> pb::Variable {
    let (lock_owner, lock_expires_in_ms) = row.lock.unwrap_or_default();
    pb::Variable {
        name: row.name,
        r#type: row.type_name,
        value: Some(link.payload(row.value)),
        version: row.version,
        constraints_json: row.constraints,
        metadata_json: row.metadata,
        id: row.id,
        lock_owner,
        lock_expires_in_ms,
    }
}

fn write_ask(link: &WorkerLink, set: pb::VariableSet) -> Result<WriteAsk> {
    let value = kept_value(link, set.value)?;
    Ok(WriteAsk { name: set.name, value, expected_version: set.expected_version })
}

/// All are looked at, also behind a faulty one: what is shared has to be given back.
fn write_asks(link: &WorkerLink, writes: Vec<pb::VariableSet>) -> Result<Vec<WriteAsk>> {
    let asks: Vec<_> = writes.into_iter().map(|write| write_ask(link, write)).collect();
    asks.into_iter().collect()
}

/// A value that outlives its worker: no memory of the worker's stays behind it, and it is in place
/// for whoever reads it.
fn kept_value(link: &WorkerLink, payload: Option<pb::Payload>) -> Result<Value> {
    sharing::owned(link.value(payload)?)
}

fn terms(expected_version: Option<u64>, owner: &str) -> WriteTerms {
    WriteTerms { expected_version, owner: named(owner) }
}

fn named(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
