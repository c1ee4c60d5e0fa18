//! What a step comes to, in words that a store's answer and the reference's can both be put in.

use serde_json::Value as Json;

use crate::core::{Error, Result, Status};
use crate::state::backend::{Measure, Reply, SessionReply};
use crate::state::change::{Change, ChangeKind};
use crate::state::variable::{Past, SavedVariable, Variable};

/// Documents are compared as trees: only an update writes one anew, in an order of its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Variable(Row),
    Variables(Vec<Row>),
    Found {
        found: Vec<Row>,
        missing: Vec<String>,
    },
    History(Vec<(u64, Json)>),
    Snapshot(Vec<SavedRow>),
    /// Names in order.
    Sessions(Vec<String>),
    Measure(Measure),
    Opened,
    Done,
    Refused(Status),
    /// Several are at fault in different ways, and none comes first.
    RefusedEither(Status, Status),
}

/// Name, value, version, past.
pub type SavedRow = (String, Json, u64, Vec<(u64, Json)>);

/// A variable as readers see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub name: String,
    pub id: u64,
    pub value: Json,
    pub version: u64,
    pub owner: Option<String>,
}

/// A change as those who watch hear of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToldRow {
    pub kind: ChangeKind,
    pub name: String,
    pub id: u64,
    pub version: u64,
    pub revision: u64,
    pub value: Option<Json>,
}

impl Outcome {
    pub fn agrees(&self, given: &Outcome) -> bool {
        match (self, given) {
            (Outcome::RefusedEither(one, other), Outcome::Refused(status)) => {
                status == one || status == other
            }
            _ => self == given,
        }
    }
}

/// A store's answer. An error is one of the test itself.
pub fn of_reply(reply: Result<Reply>) -> Result<Outcome> {
    Ok(match reply {
        Err(error) => return refused(error),
        Ok(Reply::Done) => Outcome::Done,
        Ok(Reply::Variable(variable)) => Outcome::Variable(row(&variable)?),
        Ok(Reply::Variables(found)) => Outcome::Variables(rows(&found)?),
        Ok(Reply::Found { found, missing }) => Outcome::Found { found: rows(&found)?, missing },
        Ok(Reply::History(past)) => Outcome::History(history(&past)?),
        Ok(Reply::Snapshot(saved)) => {
            Outcome::Snapshot(saved.iter().map(snapshot_row).collect::<Result<_>>()?)
        }
        Ok(Reply::Measure(measure)) => Outcome::Measure(measure),
    })
}

/// A store's answer about sessions; of a list, those whose names begin with `prefix`.
pub fn of_session_reply(reply: Result<SessionReply>, prefix: &str) -> Result<Outcome> {
    Ok(match reply {
        Err(error) => return refused(error),
        Ok(SessionReply::Opened(_)) => Outcome::Opened,
        Ok(SessionReply::Done | SessionReply::Alive(_)) => Outcome::Done,
        Ok(SessionReply::Sessions(rows)) => {
            let names = rows.iter().map(|row| row.key.id.as_str());
            Outcome::Sessions(
                names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect(),
            )
        }
    })
}

pub fn told(change: &Change) -> Result<ToldRow> {
    let value = change.value.as_ref().map(crate::core::Value::to_document).transpose()?;
    let Change { kind, name, id, version, revision, .. } = change;
    let (kind, name) = (kind.clone(), name.to_string());
    Ok(ToldRow { kind, name, id: *id, version: *version, revision: *revision, value })
}

/// Refusals are part of the promise, but for those that say that the store itself failed.
fn refused(error: Error) -> Result<Outcome> {
    match error.status() {
        Status::Store | Status::Internal | Status::Unsupported | Status::InvalidArgument => {
            Err(error)
        }
        status => Ok(Outcome::Refused(status)),
    }
}

fn rows(found: &[Variable]) -> Result<Vec<Row>> {
    found.iter().map(row).collect()
}

fn row(variable: &Variable) -> Result<Row> {
    Ok(Row {
        name: variable.name().to_string(),
        id: variable.definition.id,
        value: variable.value.to_document()?,
        version: variable.version,
        owner: variable.lock.as_ref().map(|lock| lock.owner.to_string()),
    })
}

fn history(past: &[Past]) -> Result<Vec<(u64, Json)>> {
    past.iter().map(|past| Ok((past.version, past.value.to_document()?))).collect()
}

fn snapshot_row(saved: &SavedVariable) -> Result<SavedRow> {
    let history = history(&saved.history)?;
    Ok((saved.name.to_string(), saved.value.to_document()?, saved.version, history))
}
