//! What waits for one watcher, as a pure state machine: changes go in as they happen, events come
//! out in the order of revisions, and what does not fit is counted, never silently lost.
//!
//! It knows no lock, no thread and no store. Every step says how many events wait more than before,
//! so that whoever drives it can wake the watcher exactly as often as there is something to take.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ahash::RandomState;

use crate::state::change::{Change, ChangeKind};
use crate::state::variable::Variable;

use super::event::{Missed, WatchEnd, WatchEvent};

/// The events of one watcher.
#[derive(Debug)]
pub struct WatchQueue {
    coalesce: bool,
    places_max: usize,
    phase: Phase,
    /// In the order in which they are told.
    waiting: BTreeMap<Place, WatchEvent>,
    /// Where the newest of a name waits, for those that coalesce.
    newest: HashMap<(Arc<str>, Matter), Place, RandomState>,
    /// The place of the last `Missed`.
    missed_at: Option<Place>,
    /// The newest revision that came in.
    revision: u64,
    end: Option<WatchEnd>,
}

/// First by revision; what has none of its own comes behind the one before it.
type Place = (u64, u64);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// Changes are kept, and nothing is told before what there was at the beginning is known.
    Filling,
    Open,
    /// What waits can still be taken, and the end behind it.
    Ending,
    Ended,
}

/// A value and a lock are two matters: news of one do not replace news of the other.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Matter {
    Value,
    Lock,
}

impl WatchQueue {
    /// `filling`: `fill` will say what there was at the beginning.
    pub fn new(coalesce: bool, places_max: usize, filling: bool) -> Self {
        WatchQueue {
            coalesce,
            places_max: places_max.max(1),
            phase: if filling { Phase::Filling } else { Phase::Open },
            waiting: BTreeMap::new(),
            newest: HashMap::default(),
            missed_at: None,
            revision: 0,
            end: None,
        }
    }

    /// A change; one that is not newer than the last is dropped. Gives how many more events can be
    /// taken.
    pub fn push(&mut self, change: &Change) -> usize {
        if !self.is_listening() || change.revision <= self.revision {
            return 0;
        }
        self.revision = change.revision;
        let before = self.ready();
        if !self.replaces_older(change) && self.waiting.len() >= self.places_max {
            self.miss(1, change.revision);
        } else {
            self.waiting.insert((change.revision, 0), WatchEvent::Change(change.clone()));
        }
        self.ready() - before
    }

    /// Changes may have been lost, nobody knows which.
    pub fn gap(&mut self) -> usize {
        if !self.is_listening() {
            return 0;
        }
        let before = self.ready();
        self.miss(0, self.revision);
        self.ready() - before
    }

    /// What there was when the watch began, ordered by name. Changes that came in meanwhile and are
    /// in it already are dropped.
    pub fn fill(&mut self, variables: Vec<Variable>) -> usize {
        if self.phase != Phase::Filling {
            return 0;
        }
        self.phase = Phase::Open;
        let known: HashMap<&str, (u64, u64), RandomState> = variables
            .iter()
            .map(|held| (held.name().as_ref(), (held.definition.id, held.version)))
            .collect();
        self.waiting.retain(|_, event| match event {
            WatchEvent::Change(change) => {
                known.get(change.name.as_ref()).is_none_or(|known| is_after(change, *known))
            }
            _ => true,
        });
        self.newest.retain(|_, place| self.waiting.contains_key(place));
        for (index, variable) in (0..).zip(variables) {
            let (place, name) = ((0, index), variable.name().clone());
            let matter = (name, Matter::Value);
            if self.coalesce {
                // A newer change of it waits already, and stands for both.
                if self.newest.contains_key(&matter) {
                    continue;
                }
                self.newest.insert(matter, place);
            }
            self.waiting.insert(place, WatchEvent::Initial(variable));
        }
        self.ready()
    }

    /// Nothing more comes in; the first reason counts.
    pub fn end(&mut self, end: WatchEnd) -> usize {
        if !self.is_listening() {
            return 0;
        }
        let before = self.ready();
        if self.phase == Phase::Filling {
            // The beginning that these wait for will not come.
            self.waiting.clear();
        }
        self.phase = Phase::Ending;
        self.end = Some(end);
        self.ready() - before
    }

    /// The next event, if one can be taken. `End` is the last.
    pub fn pop(&mut self) -> Option<WatchEvent> {
        if self.phase == Phase::Filling {
            return None;
        }
        if let Some((place, event)) = self.waiting.pop_first() {
            self.forget(place, &event);
            return Some(event);
        }
        let end = self.end.take()?;
        self.phase = Phase::Ended;
        Some(WatchEvent::End(end))
    }

    /// How many events can be taken.
    pub fn ready(&self) -> usize {
        match self.phase {
            Phase::Filling => 0,
            Phase::Open | Phase::Ending | Phase::Ended => {
                self.waiting.len() + usize::from(self.end.is_some())
            }
        }
    }

    /// Whether more may come in.
    pub fn is_listening(&self) -> bool {
        matches!(self.phase, Phase::Filling | Phase::Open)
    }

    /// Counts what is not kept. At most one place more than `places_max` is taken: where there is
    /// none, the last count moves behind everything and takes this in.
    fn miss(&mut self, count: u64, revision: u64) {
        let last = self.waiting.last_key_value().map(|(place, _)| *place);
        let extends = self.missed_at.is_some()
            && (self.missed_at == last || self.waiting.len() > self.places_max);
        let earlier = self.missed_at.filter(|_| extends).and_then(|at| self.waiting.remove(&at));
        let missed = match earlier {
            Some(WatchEvent::Missed(earlier)) => earlier.with(count, revision),
            _ => Missed { count, from_revision: revision, to_revision: revision },
        };
        let place = (revision, 1);
        self.missed_at = Some(place);
        self.waiting.insert(place, WatchEvent::Missed(missed));
    }

    /// Takes away what the change stands for as well, if changes coalesce; whether there was such a
    /// one.
    fn replaces_older(&mut self, change: &Change) -> bool {
        if !self.coalesce {
            return false;
        }
        let matter = (change.name.clone(), Matter::of(&change.kind));
        match self.newest.get_mut(&matter) {
            Some(place) => {
                let older = std::mem::replace(place, (change.revision, 0));
                self.waiting.remove(&older);
                true
            }
            None => {
                if self.waiting.len() < self.places_max {
                    self.newest.insert(matter, (change.revision, 0));
                }
                false
            }
        }
    }

    fn forget(&mut self, place: Place, event: &WatchEvent) {
        let matter = match event {
            WatchEvent::Initial(variable) => (variable.name().clone(), Matter::Value),
            WatchEvent::Change(change) => (change.name.clone(), Matter::of(&change.kind)),
            WatchEvent::Missed(_) | WatchEvent::End(_) => {
                self.missed_at = self.missed_at.filter(|at| *at != place);
                return;
            }
        };
        if self.newest.get(&matter) == Some(&place) {
            self.newest.remove(&matter);
        }
    }
}

impl Matter {
    fn of(kind: &ChangeKind) -> Self {
        match kind {
            ChangeKind::Registered | ChangeKind::Written | ChangeKind::Deleted => Matter::Value,
            ChangeKind::Locked { .. } | ChangeKind::Unlocked => Matter::Lock,
        }
    }
}

impl Missed {
    fn with(self, count: u64, revision: u64) -> Self {
        let is_known = self.count > 0 && count > 0;
        Missed {
            count: if is_known { self.count + count } else { 0 },
            to_revision: revision,
            ..self
        }
    }
}

/// Whether the change came after a variable was read with this id and version.
fn is_after(change: &Change, (id, version): (u64, u64)) -> bool {
    if change.id != id {
        return change.id > id;
    }
    match change.kind {
        ChangeKind::Registered => false,
        ChangeKind::Written => change.version > version,
        ChangeKind::Deleted | ChangeKind::Locked { .. } | ChangeKind::Unlocked => true,
    }
}

#[cfg(test)]
mod tests;
