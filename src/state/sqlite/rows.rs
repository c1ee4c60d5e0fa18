//! Variables and their values as rows of the file, and back. Each function is a statement or two;
//! what may be written is decided above.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::core::{Attachment, DType, Tensor, Value};
use crate::state::record::{Kept, Record};
use crate::state::rule::Rule;
use crate::state::variable::{Definition, Past};

use super::trouble::{Outcome, unreadable};

/// What is known of a value in the file without reading it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub bytes: usize,
    pub attachments: usize,
}

impl Kept for Stored {
    fn bytes_len(&self) -> usize {
        self.bytes
    }
}

impl Stored {
    pub fn of(value: &Value) -> Self {
        Stored { bytes: value.bytes_len(), attachments: value.attachments().len() }
    }
}

/// Where a value stands.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub incarnation: u64,
    pub id: u64,
    pub version: u64,
}

/// A variable with what is known of its values.
pub(super) fn record(
    file: &Connection,
    incarnation: u64,
    name: &str,
) -> Outcome<Option<Record<Stored>>> {
    let mut statement = file.prepare_cached(
        "SELECT name, id, version, type, constraints, metadata FROM variables
         WHERE incarnation=?1 AND name=?2",
    )?;
    let head = statement.query_row(params![signed(incarnation), name], Head::of).optional()?;
    head.map(|head| whole(file, incarnation, head)).transpose()
}

/// The variables behind `after` in the order of their names, handed to `take` until it has enough.
pub(super) fn each(
    file: &Connection,
    incarnation: u64,
    after: &str,
    mut take: impl FnMut(Head) -> Outcome<Wanted>,
) -> Outcome<()> {
    let mut statement = file.prepare_cached(
        "SELECT name, id, version, type, constraints, metadata FROM variables
         WHERE incarnation=?1 AND name>?2 ORDER BY name",
    )?;
    let mut rows = statement.query(params![signed(incarnation), after])?;
    while let Some(row) = rows.next()? {
        if let Wanted::NoMore = take(Head::of(row)?)? {
            break;
        }
    }
    Ok(())
}

/// Whether a listing goes on.
pub(super) enum Wanted {
    More,
    NoMore,
}

/// A variable's own row.
pub(super) struct Head {
    pub name: Arc<str>,
    id: u64,
    version: u64,
    type_name: String,
    constraints: Bytes,
    metadata: Bytes,
}

impl Head {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Head {
            name: row.get_ref(0)?.as_str()?.into(),
            id: unsigned(row.get(1)?),
            version: unsigned(row.get(2)?),
            type_name: row.get(3)?,
            constraints: row.get::<_, Vec<u8>>(4)?.into(),
            metadata: row.get::<_, Vec<u8>>(5)?.into(),
        })
    }
}

/// With what is known of the values.
pub(super) fn whole(file: &Connection, incarnation: u64, head: Head) -> Outcome<Record<Stored>> {
    let Head { name, id, version, type_name, constraints, metadata } = head;
    let rule =
        Rule::new(&type_name, &constraints).map_err(|_| unreadable("constraints of a variable"))?;
    let mut statement = file.prepare_cached(
        "SELECT version, bytes, attachments FROM contents
         WHERE incarnation=?1 AND id=?2 ORDER BY version",
    )?;
    let rows = statement.query_map(params![signed(incarnation), signed(id)], |row| {
        let stored = Stored { bytes: size(row.get(1)?), attachments: size(row.get(2)?) };
        Ok(Past { version: unsigned(row.get(0)?), value: stored })
    })?;
    let mut values = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let current = values.pop().filter(|last| last.version == version);
    let current = current.ok_or_else(|| unreadable("a variable without its value"))?;
    let definition = Arc::new(Definition { name, id, rule, metadata });
    Ok(Record::kept(definition, current.value, version, values))
}

/// Reads a value, whose size is known to be right.
pub(super) fn value(file: &Connection, spot: Spot, stored: Stored) -> Outcome<Value> {
    let mut statement = file.prepare_cached(
        "SELECT document FROM contents WHERE incarnation=?1 AND id=?2 AND version=?3",
    )?;
    let document: Vec<u8> = statement.query_row(spot.params(), |row| row.get(0))?;
    let attachments = if stored.attachments == 0 { Vec::new() } else { attachments(file, spot)? };
    Ok(Value::new(document, attachments).map_err(|_| unreadable("a value"))?)
}

fn attachments(file: &Connection, spot: Spot) -> Outcome<Vec<Attachment>> {
    let mut statement = file.prepare_cached(
        "SELECT dtype, shape, data FROM attachments
         WHERE incarnation=?1 AND id=?2 AND version=?3 ORDER BY number",
    )?;
    let mut rows = statement.query(spot.params())?;
    let mut attachments = Vec::new();
    while let Some(row) = rows.next()? {
        let data: Vec<u8> = row.get(2)?;
        let Some(dtype) = row.get::<_, Option<String>>(0)? else {
            attachments.push(Attachment::Blob(data.into()));
            continue;
        };
        let dtype = DType::from_name(&dtype);
        let shape = serde_json::from_str::<Vec<i64>>(&row.get::<_, String>(1)?).ok();
        let tensor =
            dtype.zip(shape).and_then(|(dtype, shape)| Tensor::new(dtype, shape, data).ok());
        attachments.push(Attachment::Tensor(tensor.ok_or_else(|| unreadable("a tensor"))?));
    }
    Ok(attachments)
}

/// Adds a variable; its values are added by themselves.
pub(super) fn add(file: &Connection, incarnation: u64, record: &Record<Stored>) -> Outcome<()> {
    let Definition { name, id, rule, metadata } = &*record.definition;
    let mut statement =
        file.prepare_cached("INSERT INTO variables VALUES (?1,?2,?3,?4,?5,?6,?7)")?;
    statement.execute(params![
        signed(incarnation),
        &**name,
        signed(*id),
        signed(record.version),
        rule.variable_type().name(),
        &**rule.constraints(),
        &**metadata
    ])?;
    Ok(())
}

pub(super) fn set_version(
    file: &Connection,
    incarnation: u64,
    name: &str,
    version: u64,
) -> Outcome<()> {
    let mut statement =
        file.prepare_cached("UPDATE variables SET version=?3 WHERE incarnation=?1 AND name=?2")?;
    statement.execute(params![signed(incarnation), name, signed(version)])?;
    Ok(())
}

pub(super) fn add_value(file: &Connection, spot: Spot, value: &Value) -> Outcome<()> {
    let Stored { bytes, attachments } = Stored::of(value);
    let mut statement = file.prepare_cached("INSERT INTO contents VALUES (?1,?2,?3,?4,?5,?6)")?;
    let Spot { incarnation, id, version } = spot;
    let (incarnation, id, version) = (signed(incarnation), signed(id), signed(version));
    let counts = (signed(bytes as u64), signed(attachments as u64));
    statement.execute(params![incarnation, id, version, counts.0, counts.1, &**value.json()])?;
    for (number, attachment) in (0_i64..).zip(value.attachments()) {
        let (dtype, shape) = match attachment {
            Attachment::Blob(_) => (None, None),
            Attachment::Tensor(tensor) => {
                (Some(tensor.dtype().name()), Some(format!("{:?}", tensor.shape())))
            }
        };
        let mut statement =
            file.prepare_cached("INSERT INTO attachments VALUES (?1,?2,?3,?4,?5,?6,?7)")?;
        let data: &[u8] = attachment.bytes();
        statement.execute(params![incarnation, id, version, number, dtype, shape, data])?;
    }
    Ok(())
}

pub(super) fn remove_value(file: &Connection, spot: Spot, stored: Stored) -> Outcome<()> {
    let mut statement =
        file.prepare_cached("DELETE FROM contents WHERE incarnation=?1 AND id=?2 AND version=?3")?;
    statement.execute(spot.params())?;
    if stored.attachments > 0 {
        let mut statement = file.prepare_cached(
            "DELETE FROM attachments WHERE incarnation=?1 AND id=?2 AND version=?3",
        )?;
        statement.execute(spot.params())?;
    }
    Ok(())
}

/// Takes a variable away with all its values.
pub(super) fn remove(file: &Connection, incarnation: u64, name: &str, id: u64) -> Outcome<()> {
    let mut statement =
        file.prepare_cached("DELETE FROM variables WHERE incarnation=?1 AND name=?2")?;
    statement.execute(params![signed(incarnation), name])?;
    for table in ["contents", "attachments"] {
        let sql = format!("DELETE FROM {table} WHERE incarnation=?1 AND id=?2");
        file.prepare_cached(&sql)?.execute([signed(incarnation), signed(id)])?;
    }
    Ok(())
}

/// Names of a session, at most `limit`.
pub(super) fn names(file: &Connection, incarnation: u64, limit: usize) -> Outcome<Vec<String>> {
    let mut statement =
        file.prepare_cached("SELECT name FROM variables WHERE incarnation=?1 LIMIT ?2")?;
    let limit = signed(limit as u64);
    let names = statement.query_map([signed(incarnation), limit], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

impl Spot {
    fn params(&self) -> [i64; 3] {
        [signed(self.incarnation), signed(self.id), signed(self.version)]
    }
}

/// SQLite's integers have a sign. Ours come from counting, and those from outside are checked.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

pub(super) fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}
