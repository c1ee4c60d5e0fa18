//! One line of those who wait: groups take turns, and within a group the order is that of arrival.
//!
//! The group that has stood at the front of its own the longest is next, so nobody who comes later
//! overtakes the first of a group, and one alone finds plain order of arrival. A group is
//! remembered while anyone of it waits. Pure; it must not know what a group stands for, nor what
//! is waited for.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

/// Who shares turns: all with the same numbers.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Group {
    pub owner: u64,
    /// Parts of one owner's work take turns as if they were owners.
    pub part: u64,
}

/// By what right one waits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Claim {
    pub group: Group,
    /// It has had a place and lost it: it goes before the others of its group.
    pub again: bool,
}

/// The one who is next in a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct First {
    pub turn: u64,
    pub ticket: u64,
    pub claim: Claim,
}

/// Tickets, by whose turn it is. Tickets and turns are numbers of one sequence, so that lines can
/// be compared.
#[derive(Default)]
pub struct Line {
    /// The group whose turn is the smallest is next.
    turns: BTreeMap<u64, Group>,
    groups: FxHashMap<Group, Members>,
    /// In order of arrival.
    tickets: BTreeSet<u64>,
}

/// Those of one group.
struct Members {
    turn: u64,
    in_order: BTreeSet<Rank>,
}

/// The order in a group: those who are here again first.
type Rank = (bool, u64);

impl Line {
    /// A newcomer; also one from another line, who is as old as its ticket.
    pub fn enter(&mut self, claim: Claim, ticket: u64) {
        self.tickets.insert(ticket);
        let members = self.groups.entry(claim.group).or_insert_with(|| {
            self.turns.insert(ticket, claim.group);
            Members { turn: ticket, in_order: BTreeSet::new() }
        });
        members.in_order.insert(rank(claim, ticket));
    }

    /// Out of the line. With `next_turn` it has had its group's turn, and that is the group's next.
    pub fn leave(&mut self, claim: Claim, ticket: u64, next_turn: Option<u64>) {
        self.tickets.remove(&ticket);
        let Some(members) = self.groups.get_mut(&claim.group) else { return };
        members.in_order.remove(&rank(claim, ticket));
        if members.in_order.is_empty() {
            self.turns.remove(&members.turn);
            self.groups.remove(&claim.group);
        } else if let Some(next_turn) = next_turn {
            self.turns.remove(&members.turn);
            self.turns.insert(next_turn, claim.group);
            members.turn = next_turn;
        }
    }

    pub fn first(&self) -> Option<First> {
        let (&turn, &group) = self.turns.first_key_value()?;
        let &(is_new, ticket) = self.groups.get(&group)?.in_order.first()?;
        Some(First { turn, ticket, claim: Claim { group, again: !is_new } })
    }

    pub fn oldest(&self) -> Option<u64> {
        self.tickets.first().copied()
    }

    pub fn has(&self, group: Group) -> bool {
        self.groups.contains_key(&group)
    }

    pub fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    /// How many are served before a newcomer with that claim, at least: of other groups as many as
    /// of its own, as far as they have them for certain.
    pub fn ahead(&self, claim: Claim) -> usize {
        let own = self.groups.get(&claim.group).map_or(0, |members| members.in_order.len());
        let other_groups = self.groups.len() - usize::from(own > 0);
        let others = self.tickets.len() - own;
        let own_before = if claim.again { 0 } else { own };
        own_before + other_groups + (others - other_groups).min(own_before)
    }

    /// Everyone, in order of arrival.
    pub fn into_tickets(self) -> BTreeSet<u64> {
        self.tickets
    }
}

impl First {
    /// Whether a place that both could have is this one's: by the groups' turns, and within a group
    /// that stands in two lines by arrival.
    pub fn precedes(self, other: First) -> bool {
        if self.claim.group == other.claim.group {
            return rank(self.claim, self.ticket) < rank(other.claim, other.ticket);
        }
        self.turn < other.turn
    }
}

fn rank(claim: Claim, ticket: u64) -> Rank {
    (!claim.again, ticket)
}

#[cfg(test)]
mod tests;
