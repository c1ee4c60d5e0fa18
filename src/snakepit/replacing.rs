//! Replacing workers before they leave: another one is made ready in a spare slot, then the old one
//! finishes its work and goes. There is never one fewer.
//!
//! Short steps under the pool's lock. When a worker has served long enough is decided in
//! `recycling`; what a slot's task does is not known here.

use std::sync::Arc;

use tokio::time::Instant;

use super::adapter::Adapter;
use super::backoff::Backoff;
use super::chance::chance;
use super::config::PoolConfig;
use super::ids::WorkerId;
use super::lifecycle::WorkerState;
use super::recycling::Service;
use super::shared::{Order, Row, Shared, State};

/// The replacements of a pool.
pub struct Replacing {
    running: Vec<Replacement>,
    /// Asked for by the owner, in order.
    asked: Vec<(WorkerId, String)>,
    rests: Backoff,
    not_before: Option<Instant>,
    /// Why the latest newcomer failed, until one is ready.
    pub trouble: Option<String>,
}

struct Replacement {
    old: WorkerId,
    /// Where the newcomer lives.
    slot: u32,
    reason: String,
    /// The newcomer is ready, and the old one on its way out.
    ready: bool,
}

impl Replacing {
    pub fn new(config: &PoolConfig) -> Replacing {
        Replacing {
            running: Vec::new(),
            asked: Vec::new(),
            rests: Backoff::new(config.restart_backoff_min, config.restart_backoff_max),
            not_before: None,
            trouble: None,
        }
    }

    /// Newcomers that are not ready yet.
    pub fn pending(&self) -> usize {
        self.running.iter().filter(|replacement| !replacement.ready).count()
    }

    /// The pool has other plans for all of its workers.
    pub fn forget_all(&mut self) {
        self.running.clear();
        self.asked.clear();
        self.trouble = None;
    }

    fn concerns(&self, worker: WorkerId) -> bool {
        self.asked.iter().any(|(old, _)| *old == worker)
            || self.running.iter().any(|each| each.old == worker || each.slot == worker.slot)
    }
}

impl<A: Adapter> Shared<A> {
    /// Begins the replacements that are due, as many as may run at once. Returns when to look
    /// again, where that is known.
    pub fn replace_due(self: &Arc<Self>, state: &mut State<A>, now: Instant) -> Option<Instant> {
        let room = self.config.replacements_max.max(1);
        while state.replacing.running.len() < room {
            if let Some(at) = state.replacing.not_before.filter(|at| *at > now) {
                return Some(at);
            }
            let Some((old, reason)) = state.next_asked().or_else(|| self.next_due(state, now))
            else {
                return self.next_age(state, now);
            };
            let slot = state.slot_to_fill(false);
            let newcomer = u32::try_from(slot).unwrap_or(u32::MAX);
            state.replacing.running.push(Replacement { old, slot: newcomer, reason, ready: false });
            self.fill(state, slot);
        }
        None
    }

    /// The first worker that has served long enough.
    fn next_due(&self, state: &State<A>, now: Instant) -> Option<(WorkerId, String)> {
        state.replaceable().find_map(|row| {
            let work = state.admission.work(row.worker)?;
            let service = Service {
                age: now.saturating_duration_since(row.began),
                chance: row.chance,
                leases: work.given,
                resident_bytes: row.resident_bytes,
            };
            Some((row.worker, self.config.terms.are_over(service)?))
        })
    }

    /// When the next worker will be too old.
    fn next_age(&self, state: &State<A>, now: Instant) -> Option<Instant> {
        let ends = state.replaceable().filter_map(|row| {
            let age_max = self.config.terms.age_max(row.chance)?;
            row.began.checked_add(age_max)
        });
        let age = ends.min();
        let measured =
            self.config.terms.memory_soft_bytes.map(|_| now + self.config.probe_interval);
        age.into_iter().chain(measured).min()
    }
}

impl<A: Adapter> State<A> {
    /// The owner wants this worker replaced. Nothing happens if it is leaving anyway.
    pub fn ask_replacement(&mut self, worker: WorkerId, reason: &str) {
        let serves = self.admission.work(worker).is_some_and(|work| work.open);
        if serves && !self.replacing.concerns(worker) {
            self.replacing.asked.push((worker, reason.to_owned()));
        }
    }

    /// A worker is ready; if it is a newcomer, the old one is to finish and leave.
    pub fn relieve(&mut self, newcomer: WorkerId) {
        let pending = |each: &&mut Replacement| each.slot == newcomer.slot && !each.ready;
        let Some(replacement) = self.replacing.running.iter_mut().find(pending) else { return };
        replacement.ready = true;
        self.counts.recycled += 1;
        let old = replacement.old;
        if let Some(seated) = self.admission.payload(old) {
            // The first reason stays.
            let _ = seated.recycle_reason.set(replacement.reason.clone());
        }
        self.replacing.rests.reset();
        self.replacing.trouble = None;
        if let Some(entry) = self.slots.get_mut(old.slot as usize) {
            entry.unwant(Order::Drain);
        }
    }

    /// A worker is gone: the old one of a replacement, or a newcomer that did not become ready.
    pub fn close_replacement(&mut self, worker: WorkerId, now: Instant) {
        let of =
            |each: &Replacement| each.old == worker || (each.slot == worker.slot && !each.ready);
        let Some(at) = self.replacing.running.iter().position(of) else { return };
        let Replacement { old, ready, slot, .. } = self.replacing.running.swap_remove(at);
        if old == worker {
            // If the newcomer is still starting, it has the place now.
            if let (false, Some(entry)) = (ready, self.slots.get_mut(old.slot as usize)) {
                entry.unwant(Order::Keep);
            }
            return;
        }
        self.replacing.not_before = now.checked_add(self.replacing.rests.after_failure(chance()));
        if let Some(entry) = self.slots.get_mut(slot as usize) {
            self.replacing.trouble =
                entry.trouble.take().map(|trouble| format!("worker {old} is due, and {trouble}"));
            entry.unwant(Order::Drain);
        }
    }

    /// Newcomers that are not ready are not needed any more: fewer workers are wanted.
    pub fn call_replacements_off(&mut self) {
        self.replacing.asked.clear();
        let (ready, pending) =
            std::mem::take(&mut self.replacing.running).into_iter().partition(|each| each.ready);
        self.replacing.running = ready;
        for replacement in pending {
            if let Some(entry) = self.slots.get_mut(replacement.slot as usize) {
                entry.unwant(Order::Drain);
            }
        }
    }

    /// True for a worker that was given so many leases and whose turn to be replaced it could be.
    pub fn is_worn(&self, worker: WorkerId, leases_max: u64) -> bool {
        self.replacing.running.is_empty()
            && self.admission.work(worker).is_some_and(|work| work.given >= leases_max)
    }

    fn next_asked(&mut self) -> Option<(WorkerId, String)> {
        while !self.replacing.asked.is_empty() {
            let (worker, reason) = self.replacing.asked.remove(0);
            if self.admission.work(worker).is_some_and(|work| work.open) {
                return Some((worker, reason));
            }
        }
        None
    }

    /// Ready workers that are in no replacement yet.
    fn replaceable(&self) -> impl Iterator<Item = &Row> {
        let rows = self.slots.iter().filter(|slot| slot.state.is_wanted());
        let ready = rows.filter_map(|slot| slot.row.as_ref());
        ready.filter(|row| row.state == WorkerState::Ready && !self.replacing.concerns(row.worker))
    }
}
