//! The file with what is remembered of it: one transaction at a time, and what it did to memory is
//! undone with it. Which verbs there are is known to `verbs` and `session_verbs`.

use std::collections::HashMap;
use std::sync::Arc;

use quick_cache::unsync::Cache;
use rusqlite::Connection;
use rustc_hash::FxHashMap;
use tokio::time::Instant;

use crate::core::Value;
use crate::core::limits::{NAMES_COMPARED_MAX, SQLITE_RULES_MAX};
use crate::state::backend::StoreLimits;
use crate::state::change::{Change, ChangeKind};
use crate::state::fault;
use crate::state::key::SessionKey;
use crate::state::record::{HeldLock, Record};
use crate::state::variable::Definition;

use super::committed::Place;
use super::file;
use super::rolls::{self, Figures};
use super::rows::{self, Spot, Stored};
use super::trouble::Outcome;

/// The file's connection and the sessions that this host uses.
pub(super) struct Ledger {
    pub file: Connection,
    pub limits: StoreLimits,
    pub opened_at: Instant,
    /// What is to be told once the transaction is in the file.
    pub effects: Vec<Effect>,
    sessions: FxHashMap<u64, Session>,
    /// Sessions as they were before this transaction; None for those that were not in `sessions`.
    before: FxHashMap<u64, Option<Session>>,
    /// With their compiled rules; locks are with the session.
    records: Cache<Place, Record<Stored>>,
    is_written: bool,
}

/// A session that this host has opened, joined or asked for.
#[derive(Clone, Default)]
pub(super) struct Session {
    pub figures: Figures,
    /// Gone with the host, which had their owners.
    pub locks: HashMap<Arc<str>, HeldLock>,
    /// Whether the figures in the file are others.
    is_changed: bool,
}

/// What others learn of a command, in the order in which it happened.
pub(super) enum Effect {
    Opened(u64),
    Ended(u64),
    /// A variable as it is now.
    Kept(u64, Record),
    /// A variable that is to be read from the file when it is next wanted.
    Dropped(u64, Arc<str>),
    Told(u64, Change),
}

impl Ledger {
    pub fn new(file: Connection, limits: StoreLimits) -> Self {
        Ledger {
            file,
            limits,
            opened_at: Instant::now(),
            effects: Vec::new(),
            sessions: FxHashMap::default(),
            before: FxHashMap::default(),
            records: Cache::new(SQLITE_RULES_MAX),
            is_written: false,
        }
    }

    pub fn begin(&mut self) -> rusqlite::Result<()> {
        self.file.prepare_cached("BEGIN")?.execute([]).map(drop)
    }

    /// Whether something would be lost if the transaction was.
    pub fn is_written(&self) -> bool {
        self.is_written
    }

    /// Said before the first statement that writes.
    pub fn will_write(&mut self) {
        self.is_written = true;
    }

    /// What has been done so far, nothing of it in the file, stays done.
    pub fn accept(&mut self) {
        self.before.clear();
    }

    /// Puts the transaction into the file. When it fails, `roll_back` comes next.
    pub fn commit(&mut self) -> rusqlite::Result<()> {
        for incarnation in self.before.keys() {
            let Some(session) = self.sessions.get_mut(incarnation) else { continue };
            if std::mem::take(&mut session.is_changed) {
                rolls::set_figures(&self.file, *incarnation, &session.figures)?;
            }
        }
        self.file.prepare_cached("COMMIT")?.execute([])?;
        self.before.clear();
        self.is_written = false;
        Ok(())
    }

    /// Commits what changes nothing; whether that went through.
    pub fn touch(&self) -> bool {
        file::touch(&self.file).is_ok()
    }

    /// As if the transaction had not been. SQLite may have rolled it back already; a failure to do
    /// so here shows when the next one begins.
    pub fn roll_back(&mut self) {
        if !self.file.is_autocommit() {
            self.file.execute_batch("ROLLBACK").unwrap_or_default();
        }
        for (incarnation, session) in self.before.drain() {
            match session {
                Some(session) => self.sessions.insert(incarnation, session),
                None => self.sessions.remove(&incarnation),
            };
        }
        self.records.clear();
        self.effects.clear();
        self.is_written = false;
    }
}

/// Sessions.
impl Ledger {
    pub fn is_used(&self, incarnation: u64) -> bool {
        self.sessions.contains_key(&incarnation)
    }

    /// `Closed` when it has ended.
    pub fn session(&mut self, key: &SessionKey) -> Outcome<&Session> {
        let incarnation = key.incarnation;
        if !self.sessions.contains_key(&incarnation) {
            let figures = rolls::figures(&self.file, incarnation)?;
            let figures = figures.ok_or_else(|| fault::session_closed(key))?;
            self.begin_session(incarnation, figures);
        }
        let found = self.sessions.get(&incarnation);
        Ok(found.ok_or_else(|| fault::session_closed(key))?)
    }

    /// From now on this host uses it.
    pub fn begin_session(&mut self, incarnation: u64, figures: Figures) {
        self.remember(incarnation);
        let session = self.sessions.entry(incarnation).or_default();
        session.figures = figures;
    }

    pub fn end_session(&mut self, incarnation: u64) {
        self.remember(incarnation);
        self.sessions.remove(&incarnation);
    }

    /// To change it.
    pub fn session_mut(&mut self, incarnation: u64) -> &mut Session {
        self.remember(incarnation);
        self.sessions.entry(incarnation).or_default()
    }

    fn remember(&mut self, incarnation: u64) {
        let session = self.sessions.get(&incarnation);
        self.before.entry(incarnation).or_insert_with(|| session.cloned());
    }
}

/// Variables.
impl Ledger {
    /// A variable of an open session, with its lock.
    pub fn find(&mut self, incarnation: u64, name: &Arc<str>) -> Outcome<Option<Record<Stored>>> {
        let place = (incarnation, name.clone());
        let mut record = match self.records.get(&place) {
            Some(record) => record.clone(),
            None => {
                let Some(record) = rows::record(&self.file, incarnation, name)? else {
                    return Ok(None);
                };
                self.records.insert(place, record.clone());
                record
            }
        };
        let locks = self.sessions.get(&incarnation).map(|session| &session.locks);
        record.lock = locks.and_then(|locks| locks.get(name)).cloned();
        Ok(Some(record))
    }

    /// `NotFound` with the nearest name, `Closed` when the session has ended.
    pub fn record(&mut self, key: &SessionKey, name: &Arc<str>) -> Outcome<Record<Stored>> {
        self.session(key)?;
        if let Some(record) = self.find(key.incarnation, name)? {
            return Ok(record);
        }
        let names = rows::names(&self.file, key.incarnation, NAMES_COMPARED_MAX)?;
        Err(fault::not_found(name, names.iter().map(String::as_str)).into())
    }

    /// The current value, from the file.
    pub fn value(&self, incarnation: u64, record: &Record<Stored>) -> Outcome<Value> {
        let spot = Spot { incarnation, id: record.definition.id, version: record.version };
        rows::value(&self.file, spot, record.value)
    }

    /// The record as it is from now on, whose value is known.
    pub fn keep(&mut self, incarnation: u64, record: Record<Stored>, value: Value) {
        self.effects.push(Effect::Kept(incarnation, current(&record, value)));
        self.records.insert((incarnation, record.definition.name.clone()), record);
    }

    pub fn forget(&mut self, incarnation: u64, name: &Arc<str>) {
        self.records.remove(&(incarnation, name.clone()));
        self.effects.push(Effect::Dropped(incarnation, name.clone()));
    }

    /// One more change of the session.
    pub fn tell(
        &mut self,
        incarnation: u64,
        kind: ChangeKind,
        definition: &Definition,
        version: u64,
        value: Option<&Value>,
    ) {
        let session = self.session_mut(incarnation);
        session.figures.revision += 1;
        let change = Change {
            kind,
            name: definition.name.clone(),
            id: definition.id,
            version,
            revision: session.figures.revision,
            value: value.cloned(),
        };
        self.effects.push(Effect::Told(incarnation, change));
    }
}

impl Session {
    /// To change the figures that the file has, too.
    pub fn written(&mut self) -> &mut Figures {
        self.is_changed = true;
        &mut self.figures
    }
}

/// For readers: with its value and lock, without its past.
pub(super) fn current(record: &Record<Stored>, value: Value) -> Record {
    let mut kept = Record::kept(record.definition.clone(), value, record.version, Vec::new());
    kept.lock = record.lock.clone();
    kept
}
