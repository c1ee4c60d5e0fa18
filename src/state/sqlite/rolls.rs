//! Sessions as rows of the file, and back. Which are open on this host is not known here.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::core::{Affinity, SessionId};
use crate::state::key::{SessionAbout, SessionKey, SessionRow};
use crate::state::quota::Usage;

use super::rows::{signed, size, unsigned};
use super::trouble::{Outcome, unreadable};

/// What is counted of a session.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    pub revision: u64,
    pub usage: Usage,
}

/// Adds an empty session; gives its incarnation, which no other session of the file ever has.
pub(super) fn add(file: &Connection, id: &SessionId, about: &SessionAbout) -> Outcome<u64> {
    // Rounded up: a time of less than a millisecond is not none.
    let ttl_ms = about.ttl.as_nanos().div_ceil(NANOS_PER_MS);
    let ttl_ms = i64::try_from(ttl_ms).unwrap_or(i64::MAX);
    let mut statement = file.prepare_cached(
        "INSERT INTO sessions (id, ttl_ms, revision, variables, bytes, affinity, metadata)
         VALUES (?1, ?2, 0, 0, 0, ?3, ?4)",
    )?;
    let metadata: &[u8] = &about.metadata;
    statement.execute(params![id.as_str(), ttl_ms, about.affinity.name(), metadata])?;
    Ok(unsigned(file.last_insert_rowid()))
}

pub(super) fn find(file: &Connection, id: &SessionId) -> Outcome<Option<SessionRow>> {
    let mut statement = file.prepare_cached(
        "SELECT incarnation, id, ttl_ms, affinity, metadata FROM sessions WHERE id=?1",
    )?;
    let mut rows = statement.query([id.as_str()])?;
    rows.next()?.map(row).transpose()
}

/// In the order of ids, from the one behind `after`.
pub(super) fn list(file: &Connection, after: &str, limit: usize) -> Outcome<Vec<SessionRow>> {
    let mut statement = file.prepare_cached(
        "SELECT incarnation, id, ttl_ms, affinity, metadata FROM sessions
         WHERE id>?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after, signed(limit as u64)])?;
    let mut found = Vec::new();
    while let Some(next) = rows.next()? {
        found.push(row(next)?);
    }
    Ok(found)
}

/// Incarnations of the sessions whose time is at most `passed`.
pub(super) fn out_of_time(file: &Connection, passed: Duration) -> Outcome<Vec<u64>> {
    let mut statement = file.prepare_cached("SELECT incarnation FROM sessions WHERE ttl_ms<=?1")?;
    let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX - 1);
    let found = statement.query_map([passed_ms], |row| Ok(unsigned(row.get(0)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn figures(file: &Connection, incarnation: u64) -> Outcome<Option<Figures>> {
    let mut statement = file
        .prepare_cached("SELECT revision, variables, bytes FROM sessions WHERE incarnation=?1")?;
    let found = statement.query_row([signed(incarnation)], |row| {
        let usage = Usage { variables: size(row.get(1)?), bytes: size(row.get(2)?) };
        Ok(Figures { revision: unsigned(row.get(0)?), usage })
    });
    Ok(found.optional()?)
}

pub(super) fn set_figures(
    file: &Connection,
    incarnation: u64,
    figures: &Figures,
) -> rusqlite::Result<()> {
    let Figures { revision, usage } = figures;
    let mut statement = file.prepare_cached(
        "UPDATE sessions SET revision=?2, variables=?3, bytes=?4 WHERE incarnation=?1",
    )?;
    let (variables, bytes) = (signed(usage.variables as u64), signed(usage.bytes as u64));
    statement.execute([signed(incarnation), signed(*revision), variables, bytes]).map(drop)
}

/// Takes a session away with all that it holds.
pub(super) fn remove(file: &Connection, incarnation: u64) -> Outcome<()> {
    for table in ["attachments", "contents", "variables", "sessions"] {
        let sql = format!("DELETE FROM {table} WHERE incarnation=?1");
        file.prepare_cached(&sql)?.execute([signed(incarnation)])?;
    }
    Ok(())
}

fn row(row: &Row<'_>) -> Outcome<SessionRow> {
    let id = SessionId::new(&row.get::<_, String>(1)?).map_err(|_| unreadable("a session id"))?;
    let name = row.get::<_, String>(3)?;
    let affinity = AFFINITIES.into_iter().find(|affinity| affinity.name() == name);
    let about = SessionAbout {
        metadata: row.get::<_, Vec<u8>>(4)?.into(),
        ttl: Duration::from_millis(unsigned(row.get(2)?)),
        affinity: affinity.ok_or_else(|| unreadable("an affinity"))?,
    };
    let key = SessionKey { id, incarnation: unsigned(row.get(0)?), lease: 0 };
    Ok(SessionRow { key, about })
}

const NANOS_PER_MS: u128 = 1_000_000;
const AFFINITIES: [Affinity; 4] =
    [Affinity::None, Affinity::Hint, Affinity::StrictQueue, Affinity::StrictFailFast];
