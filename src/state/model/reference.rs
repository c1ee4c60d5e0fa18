//! The reference: sessions of variables in plain maps, every verb as its promise says it.

use std::collections::BTreeMap;

use crate::core::Status;
use crate::state::backend::Measure;
use crate::state::change::ChangeKind;

use super::LIMITS;
use super::datum::{Datum, Kind};
use super::outcome::{Outcome, Row, ToldRow};
use super::step::{Clock, SESSIONS, Step, Verb, name_of, owner_of};

/// All sessions of one sequence.
pub struct Model {
    clock: Clock,
    /// In quarters of a lock's time.
    now: u64,
    rooms: [Option<Room>; SESSIONS],
    /// Whether a session of this name has ended.
    was_open: [bool; SESSIONS],
}

/// One session.
#[derive(Clone, Debug, Default)]
pub struct Room {
    variables: BTreeMap<String, Held>,
    pub told: Vec<ToldRow>,
    revision: u64,
}

#[derive(Clone, Debug)]
struct Held {
    id: u64,
    kind: Kind,
    value: Datum,
    version: u64,
    past: Vec<(u64, Datum)>,
    /// Owner, and when it ends.
    lock: Option<(u8, u64)>,
}

type Refusal = Result<Outcome, Status>;

impl Model {
    pub fn new(clock: Clock) -> Self {
        Model { clock, now: 0, rooms: Default::default(), was_open: [false; SESSIONS] }
    }

    /// What is told of the session that is open under this number.
    pub fn room(&self, session: usize) -> Option<&Room> {
        self.rooms.get(session)?.as_ref()
    }

    /// Whether an earlier session of this number has ended.
    pub fn was_open(&self, session: usize) -> bool {
        self.was_open.get(session).copied().unwrap_or_default()
    }

    /// What the step must come to.
    pub fn run(&mut self, step: &Step) -> Outcome {
        let (now, clock) = (self.now, self.clock);
        let outcome = match &step.verb {
            Verb::Wait { quarters } => {
                self.now += quarters;
                Ok(Outcome::Done)
            }
            Verb::Sessions { limit } => Ok(self.sessions(*limit)),
            Verb::Open | Verb::Join | Verb::Close => self.session(step),
            Verb::Copy { to } => self.copy(step, *to),
            verb => match self.meant(step) {
                Some(room) => room.run(verb, now, clock),
                None => Err(Status::Closed),
            },
        };
        outcome.unwrap_or_else(Outcome::Refused)
    }

    /// The session that the step is about, if it is open.
    fn meant(&mut self, step: &Step) -> Option<&mut Room> {
        if step.is_stale && self.was_open(step.session) {
            return None;
        }
        self.rooms.get_mut(step.session)?.as_mut()
    }

    fn session(&mut self, step: &Step) -> Refusal {
        let is_stale = step.is_stale && self.was_open(step.session);
        let Some(place) = self.rooms.get_mut(step.session) else { return Ok(Outcome::Done) };
        match (&step.verb, &place) {
            (Verb::Open, Some(_)) => Err(Status::AlreadyExists),
            (Verb::Open, None) => {
                *place = Some(Room::default());
                Ok(Outcome::Opened)
            }
            (Verb::Join, Some(_)) => Ok(Outcome::Opened),
            (Verb::Join, None) => Err(Status::NotFound),
            _ if is_stale => Ok(Outcome::Done),
            _ => {
                if place.take().is_some() {
                    self.was_open.iter_mut().skip(step.session).take(1).for_each(|was| *was = true);
                }
                Ok(Outcome::Done)
            }
        }
    }

    fn sessions(&self, limit: usize) -> Outcome {
        let open = self.rooms.iter().enumerate().filter(|(_, room)| room.is_some());
        Outcome::Sessions(open.map(|(number, _)| number.to_string()).take(limit).collect())
    }

    fn copy(&mut self, step: &Step, to: usize) -> Refusal {
        let saved = self.meant(step).ok_or(Status::Closed)?.variables.clone();
        let to = Step { session: to, is_stale: false, verb: Verb::Snapshot };
        self.meant(&to).ok_or(Status::Closed)?.load(saved)
    }
}

/// Verbs that read.
impl Room {
    fn run(&mut self, verb: &Verb, now: u64, clock: Clock) -> Refusal {
        match verb {
            Verb::Get { name } => {
                let (name, held) = self.held(*name)?;
                Ok(Outcome::Variable(held.row(name, now)))
            }
            Verb::GetMany { names } => Ok(self.get_many(names, now)),
            Verb::List { pattern, after, limit } => {
                Ok(self.list(pattern, after.map(name_of).as_deref(), *limit, now))
            }
            Verb::History { name } => {
                let (_, held) = self.held(*name)?;
                let present = (held.version, held.value.clone());
                Ok(Outcome::History(rows(held.past.iter().chain([&present]))))
            }
            Verb::Snapshot => Ok(self.snapshot()),
            Verb::Measure => {
                let (variables, revision) = (self.variables.len(), self.revision);
                Ok(Outcome::Measure(Measure { variables, bytes: self.bytes(), revision }))
            }
            verb => self.change(verb, now, clock),
        }
    }

    fn held(&mut self, name: u8) -> Result<(String, &mut Held), Status> {
        let name = name_of(name);
        let held = self.variables.get_mut(&name).ok_or(Status::NotFound)?;
        Ok((name, held))
    }

    fn get_many(&self, names: &[u8], now: u64) -> Outcome {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for name in names.iter().copied().map(name_of) {
            match self.variables.get(&name) {
                Some(held) => found.push(held.row(name, now)),
                None => missing.push(name),
            }
        }
        Outcome::Found { found, missing }
    }

    fn list(&self, pattern: &str, after: Option<&str>, limit: usize, now: u64) -> Outcome {
        // Of all patterns only a leading text with one `*` behind it.
        let start = pattern.trim_end_matches('*');
        let found = self.variables.iter().filter(|(name, _)| {
            name.starts_with(start) && after.is_none_or(|after| name.as_str() > after)
        });
        Outcome::Variables(
            found.map(|(name, held)| held.row(name.clone(), now)).take(limit).collect(),
        )
    }

    fn snapshot(&self) -> Outcome {
        let row = |(name, held): (&String, &Held)| {
            (name.clone(), held.value.json(), held.version, rows(held.past.iter()))
        };
        Outcome::Snapshot(self.variables.iter().map(row).collect())
    }

    fn bytes(&self) -> usize {
        self.variables.iter().map(|(name, held)| held.bytes(name)).sum()
    }
}

/// Verbs that change something.
impl Room {
    fn change(&mut self, verb: &Verb, now: u64, clock: Clock) -> Refusal {
        match verb {
            Verb::Register { name, kind } => self.register(*name, *kind, now),
            Verb::Set { name, value, version, owner } => {
                self.held(*name)?.1.check(value, *version, *owner, now)?;
                self.write_all(&[(*name, value.clone())], now).map(one)
            }
            Verb::SetMany { writes, owner } => {
                for (name, value, version) in writes {
                    self.held(*name)?.1.check(value, *version, *owner, now)?;
                }
                let writes: Vec<_> =
                    writes.iter().map(|(name, value, _)| (*name, value.clone())).collect();
                self.write_all(&writes, now).map(Outcome::Variables)
            }
            Verb::Update { name, patch, version, owner } => {
                let (_, held) = self.held(*name)?;
                let value = held.value.patched(patch)?;
                held.check(&value, *version, *owner, now)?;
                self.write_all(&[(*name, value)], now).map(one)
            }
            Verb::Rollback { name, to, version, owner } => {
                let (_, held) = self.held(*name)?;
                let value = held.at(*to).ok_or(Status::NotFound)?;
                held.check(&value, *version, *owner, now)?;
                self.write_all(&[(*name, value)], now).map(one)
            }
            Verb::Delete { name, version, owner } => {
                let (name, held) = self.held(*name)?;
                held.check_access(*version, *owner, now)?;
                let row = held.row(name.clone(), now);
                self.variables.remove(&name);
                self.tell(ChangeKind::Deleted, &row, false);
                Ok(Outcome::Done)
            }
            Verb::Lock { name, owner } => self.lock(*name, *owner, now, clock),
            Verb::Unlock { name, owner } => self.unlock(*name, *owner, now),
            _ => Ok(Outcome::Done),
        }
    }

    fn register(&mut self, name: u8, kind: Kind, now: u64) -> Refusal {
        let (name, id) = (name_of(name), self.revision + 1);
        let held =
            Held { id, kind, value: kind.initial(), version: 1, past: Vec::new(), lock: None };
        if self.variables.contains_key(&name) {
            return Err(Status::AlreadyExists);
        }
        let bytes = self.bytes() + held.bytes(&name);
        if self.variables.len() >= LIMITS.variables_max || bytes > LIMITS.bytes_max {
            return Err(Status::ResourceExhausted);
        }
        Ok(Outcome::Variable(self.add(name, held, now)))
    }

    fn add(&mut self, name: String, held: Held, now: u64) -> Row {
        let row = held.row(name.clone(), now);
        self.variables.insert(name, held);
        self.tell(ChangeKind::Registered, &row, true);
        row
    }

    /// Writes that have been checked, but for the quota.
    fn write_all(&mut self, writes: &[(u8, Datum)], now: u64) -> Result<Vec<Row>, Status> {
        let (mut bytes, before) = (self.bytes(), self.bytes());
        for (name, value) in writes {
            bytes = bytes + value.bytes() - self.held(*name)?.1.value.bytes();
        }
        if bytes > LIMITS.bytes_max && bytes > before {
            return Err(Status::ResourceExhausted);
        }
        let mut rows = Vec::new();
        for (name, value) in writes {
            let (name, held) = self.held(*name)?;
            held.write(value.clone());
            let row = held.row(name, now);
            self.tell(ChangeKind::Written, &row, true);
            rows.push(row);
        }
        Ok(rows)
    }

    fn lock(&mut self, name: u8, owner: u8, now: u64, clock: Clock) -> Refusal {
        let (name, held) = self.held(name)?;
        held.check_access(None, Some(owner), now)?;
        let until = if clock == Clock::Driven { now + LOCK_QUARTERS } else { u64::MAX };
        held.lock = Some((owner, until));
        let row = held.row(name, now);
        self.tell(ChangeKind::Locked { owner: owner_of(owner).into() }, &row, false);
        Ok(Outcome::Variable(row))
    }

    fn unlock(&mut self, name: u8, owner: u8, now: u64) -> Refusal {
        let (name, held) = self.held(name)?;
        held.check_access(None, Some(owner), now)?;
        let was_locked = held.owner(now).is_some();
        held.lock = None;
        let row = held.row(name, now);
        if was_locked {
            self.tell(ChangeKind::Unlocked, &row, false);
        }
        Ok(Outcome::Done)
    }

    fn load(&mut self, saved: BTreeMap<String, Held>) -> Refusal {
        let count = self.variables.len() + saved.len();
        let bytes = self.bytes() + saved.iter().map(|(name, held)| held.bytes(name)).sum::<usize>();
        let is_taken = saved.keys().any(|name| self.variables.contains_key(name));
        let is_full =
            !saved.is_empty() && (count > LIMITS.variables_max || bytes > LIMITS.bytes_max);
        match (is_taken, is_full) {
            (true, true) => {
                let (one, other) = (Status::AlreadyExists, Status::ResourceExhausted);
                return Ok(Outcome::RefusedEither(one, other));
            }
            (true, false) => return Err(Status::AlreadyExists),
            (false, true) => return Err(Status::ResourceExhausted),
            (false, false) => {}
        }
        for (name, held) in saved {
            let id = self.revision + 1;
            self.add(name, Held { id, lock: None, ..held }, 0);
        }
        Ok(Outcome::Done)
    }

    fn tell(&mut self, kind: ChangeKind, row: &Row, has_value: bool) {
        self.revision += 1;
        self.told.push(ToldRow {
            kind,
            name: row.name.clone(),
            id: row.id,
            version: row.version,
            revision: self.revision,
            value: has_value.then(|| row.value.clone()),
        });
    }
}

impl Held {
    /// Rule, lock, version.
    fn check(
        &self,
        value: &Datum,
        version: Option<u64>,
        owner: Option<u8>,
        now: u64,
    ) -> Result<(), Status> {
        self.kind.accepts(value)?;
        self.check_access(version, owner, now)
    }

    fn check_access(
        &self,
        version: Option<u64>,
        owner: Option<u8>,
        now: u64,
    ) -> Result<(), Status> {
        if self.owner(now).is_some_and(|has| owner != Some(has)) {
            return Err(Status::Busy);
        }
        if version.is_some_and(|version| version != self.version) {
            return Err(Status::VersionConflict);
        }
        Ok(())
    }

    fn owner(&self, now: u64) -> Option<u8> {
        self.lock.filter(|(_, until)| now < *until).map(|(owner, _)| owner)
    }

    fn at(&self, version: u64) -> Option<Datum> {
        let present = (version == self.version).then(|| self.value.clone());
        let past = self.past.iter().find(|past| past.0 == version);
        present.or_else(|| past.map(|past| past.1.clone()))
    }

    fn write(&mut self, value: Datum) {
        self.past.push((self.version, std::mem::replace(&mut self.value, value)));
        self.version += 1;
        let bytes = |past: &[(u64, Datum)]| past.iter().map(|past| past.1.bytes()).sum::<usize>();
        while self.past.len() > LIMITS.history_max || bytes(&self.past) > LIMITS.history_bytes_max {
            self.past.remove(0);
        }
    }

    fn bytes(&self, name: &str) -> usize {
        name.len() + self.kind.constraints().len() + METADATA.len() + self.value.bytes()
    }

    fn row(&self, name: String, now: u64) -> Row {
        let owner = self.owner(now).map(owner_of);
        Row { name, id: self.id, value: self.value.json(), version: self.version, owner }
    }
}

fn one(rows: Vec<Row>) -> Outcome {
    rows.into_iter().next().map_or(Outcome::Done, Outcome::Variable)
}

fn rows<'a>(past: impl Iterator<Item = &'a (u64, Datum)>) -> Vec<(u64, serde_json::Value)> {
    past.map(|(version, value)| (*version, value.json())).collect()
}

/// A lock's time, in the quarters that steps wait.
pub const LOCK_QUARTERS: u64 = 4;
/// Of every variable.
pub const METADATA: &str = "{}";
