//! One step: a number, taken apart into a verb and what it is about. Numbers near each other are
//! steps alike, so that a failing sequence shrinks by itself.

use std::collections::BTreeMap;

use super::datum::{Datum, Kind, Patch};

/// One command, with small numbers for sessions, names and owners.
#[derive(Clone, Debug)]
pub struct Step {
    pub session: usize,
    /// The session of before of the same name is meant, if there was one.
    pub is_stale: bool,
    pub verb: Verb,
}

/// What is asked. `version` is an expected one, `owner` the one who writes.
#[derive(Clone, Debug)]
pub enum Verb {
    Open,
    Join,
    Close,
    Sessions {
        limit: usize,
    },
    Register {
        name: u8,
        kind: Kind,
    },
    Get {
        name: u8,
    },
    GetMany {
        names: Vec<u8>,
    },
    Set {
        name: u8,
        value: Datum,
        version: Option<u64>,
        owner: Option<u8>,
    },
    SetMany {
        writes: Vec<(u8, Datum, Option<u64>)>,
        owner: Option<u8>,
    },
    Update {
        name: u8,
        patch: Patch,
        version: Option<u64>,
        owner: Option<u8>,
    },
    Rollback {
        name: u8,
        to: u64,
        version: Option<u64>,
        owner: Option<u8>,
    },
    Delete {
        name: u8,
        version: Option<u64>,
        owner: Option<u8>,
    },
    List {
        pattern: &'static str,
        after: Option<u8>,
        limit: usize,
    },
    History {
        name: u8,
    },
    Lock {
        name: u8,
        owner: u8,
    },
    Unlock {
        name: u8,
        owner: u8,
    },
    Snapshot,
    Measure,
    /// What is in the session goes into another one.
    Copy {
        to: usize,
    },
    /// Time passes.
    Wait {
        quarters: u64,
    },
}

/// Whether the test drives the time that the store goes by. Where it does not, locks do not end by
/// themselves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Clock {
    Driven,
    Real,
}

impl Step {
    /// Every number is a step.
    pub fn of(number: u64, clock: Clock) -> Step {
        let mut dice = Dice(number);
        let verb = dice.verb(clock);
        Step { verb, session: dice.below(SESSIONS as u64) as usize, is_stale: dice.below(32) == 31 }
    }
}

/// Takes a number apart.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        let given = self.0 % limit;
        self.0 /= limit;
        given
    }

    fn verb(&mut self, clock: Clock) -> Verb {
        match self.below(64) {
            0..=9 => {
                let (name, value) = (self.name(), self.value());
                Verb::Set { name, value, version: self.version(), owner: self.owner() }
            }
            10..=19 => Verb::Register { name: self.name(), kind: self.kind() },
            20..=26 => Verb::SetMany { writes: self.writes(), owner: self.owner() },
            27..=32 => {
                let (name, patch) = (self.name(), self.patch());
                Verb::Update { name, patch, version: self.version(), owner: self.owner() }
            }
            33..=37 => {
                let (name, to) = (self.name(), self.below(8));
                Verb::Rollback { name, to, version: self.version(), owner: self.owner() }
            }
            38..=41 => {
                Verb::Delete { name: self.name(), version: self.version(), owner: self.owner() }
            }
            42..=44 => Verb::Lock { name: self.name(), owner: self.below(OWNERS) as u8 },
            45..=46 => Verb::Unlock { name: self.name(), owner: self.below(OWNERS) as u8 },
            47..=48 if clock == Clock::Driven => Verb::Wait { quarters: 1 + self.below(3) },
            other => self.reading(other),
        }
    }

    /// Verbs that read, and those of sessions.
    fn reading(&mut self, number: u64) -> Verb {
        match number {
            50..=51 => Verb::History { name: self.name() },
            52..=53 => Verb::GetMany { names: (0..4).map(|_| self.name()).collect() },
            54..=55 => {
                let index = self.below(PATTERNS.len() as u64) as usize;
                let pattern = PATTERNS.get(index).copied().unwrap_or_default();
                let after = (self.below(2) == 1).then(|| self.name());
                Verb::List { pattern, after, limit: 1 + self.below(5) as usize }
            }
            56 => Verb::Snapshot,
            57 => Verb::Copy { to: self.below(SESSIONS as u64) as usize },
            58..=59 => Verb::Open,
            60 => Verb::Close,
            61 => Verb::Join,
            62 => Verb::Sessions { limit: 1 + self.below(4) as usize },
            49 => Verb::Measure,
            _ => Verb::Get { name: self.name() },
        }
    }

    fn name(&mut self) -> u8 {
        self.below(NAMES) as u8
    }

    fn kind(&mut self) -> Kind {
        let index = self.below(Kind::ALL.len() as u64) as usize;
        Kind::ALL.get(index).copied().unwrap_or(Kind::Any)
    }

    fn value(&mut self) -> Datum {
        match self.below(8) {
            0..=3 => Datum::Int(self.below(20) as i64 - 4),
            4 => Datum::Text(self.below(12) as usize),
            5 => Datum::Bool(self.below(2) == 1),
            // Long enough to fill a session.
            6 => Datum::Text(40 + self.below(64) as usize),
            _ => {
                let keys = (0..self.below(4)).map(|key| (key_of(key), self.below(100) as i64));
                Datum::Doc(keys.collect())
            }
        }
    }

    fn patch(&mut self) -> Patch {
        if self.below(3) == 0 {
            return Patch::Add(self.below(20) as i64 - 4);
        }
        let mut keys = BTreeMap::new();
        for _ in 0..=self.below(2) {
            let key = key_of(self.below(4));
            let change = (self.below(3) > 0).then(|| self.below(100) as i64);
            keys.insert(key, change);
        }
        Patch::Keys(keys)
    }

    /// Each name once.
    fn writes(&mut self) -> Vec<(u8, Datum, Option<u64>)> {
        let first = self.name();
        let count = self.below(4) as u8;
        let names = (0..count).map(|index| (first + index) % NAMES as u8);
        names.map(|name| (name, Datum::Int(self.below(14) as i64), self.version())).collect()
    }

    fn version(&mut self) -> Option<u64> {
        (self.below(4) == 3).then(|| 1 + self.below(5))
    }

    fn owner(&mut self) -> Option<u8> {
        (self.below(2) == 1).then(|| self.below(OWNERS) as u8)
    }
}

/// Two groups of names, so that patterns tell some from others.
pub fn name_of(number: u8) -> String {
    let group = if number.is_multiple_of(2) { "even" } else { "odd" };
    format!("{group}.{number}")
}

pub fn owner_of(number: u8) -> String {
    format!("owner {number}")
}

fn key_of(number: u64) -> String {
    format!("k{number}")
}

/// Names of sessions that steps use.
pub const SESSIONS: usize = 3;
const NAMES: u64 = 6;
const OWNERS: u64 = 2;
const PATTERNS: [&str; 4] = ["", "*", "odd*", "even.*"];
