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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claim(owner: u64) -> Claim {
        Claim { group: Group { owner, part: 0 }, again: false }
    }

    /// A line, and the numbers that its owner gives.
    #[derive(Default)]
    struct Counted {
        line: Line,
        next: u64,
    }

    impl Counted {
        fn number(&mut self) -> u64 {
            self.next += 1;
            self.next
        }

        fn enter(&mut self, claim: Claim) -> u64 {
            let ticket = self.number();
            self.line.enter(claim, ticket);
            ticket
        }

        fn serve(&mut self) -> Option<First> {
            let first = self.line.first()?;
            let turn = self.number();
            self.line.leave(first.claim, first.ticket, Some(turn));
            Some(first)
        }

        fn owners(&mut self) -> Vec<u64> {
            std::iter::from_fn(|| self.serve()).map(|first| first.claim.group.owner).collect()
        }
    }

    #[test]
    fn groups_take_turns_and_a_newcomer_waits_for_one_of_each() {
        let mut line = Counted::default();
        for owner in [1, 1, 1, 1, 2, 2] {
            line.enter(claim(owner));
        }
        assert_eq!(line.serve().unwrap().claim, claim(1));
        line.enter(claim(3));
        assert_eq!(line.owners(), [2, 1, 3, 2, 1, 1]);
    }

    #[test]
    fn one_of_each_is_served_in_order_of_arrival_and_so_is_one_group_alone() {
        let mut line = Counted::default();
        for owner in [5, 3, 9, 1] {
            line.enter(claim(owner));
        }
        assert_eq!(line.owners(), [5, 3, 9, 1]);
        let tickets: Vec<u64> = (0..5).map(|_| line.enter(claim(7))).collect();
        let served: Vec<u64> = std::iter::from_fn(|| line.serve()).map(|f| f.ticket).collect();
        assert_eq!(served, tickets);
    }

    #[test]
    fn parts_of_an_owner_take_turns_like_owners() {
        let mut line = Counted::default();
        let part = Claim { group: Group { owner: 1, part: 8 }, again: false };
        for one in [claim(1), claim(1), claim(1), part, part] {
            line.enter(one);
        }
        let served = std::iter::from_fn(|| line.serve()).map(|first| first.claim.group.part);
        assert_eq!(served.collect::<Vec<_>>(), [0, 8, 0, 8, 0]);
    }

    #[test]
    fn one_who_is_here_again_goes_first_in_its_group_and_takes_no_turn_of_others() {
        let mut line = Counted::default();
        for owner in [1, 1, 2] {
            line.enter(claim(owner));
        }
        let again = line.enter(Claim { again: true, ..claim(1) });
        let served: Vec<_> = std::iter::from_fn(|| line.serve()).collect();
        assert_eq!(served[0].ticket, again);
        assert!(served[0].claim.again);
        let owners: Vec<u64> = served.iter().map(|first| first.claim.group.owner).collect();
        assert_eq!(owners, [1, 2, 1, 1]);
    }

    #[test]
    fn a_group_keeps_its_turn_when_its_first_gives_up_and_is_forgotten_with_its_last() {
        let mut line = Counted::default();
        let first = line.enter(claim(1));
        line.enter(claim(2));
        let last = line.enter(claim(1));
        line.line.leave(claim(1), first, None);
        assert_eq!(line.line.first().unwrap().ticket, last);
        line.line.leave(claim(1), last, None);
        line.line.leave(claim(1), last, None);
        assert_eq!((line.line.groups.len(), line.line.turns.len()), (1, 1));
        line.enter(claim(1));
        assert_eq!(line.owners(), [2, 1], "who left and came back is a newcomer");
        let Line { turns, groups, tickets } = line.line;
        assert!(turns.is_empty() && groups.is_empty() && tickets.is_empty());
    }

    #[test]
    fn how_many_are_ahead_counts_others_as_far_as_they_come_before() {
        let mut line = Counted::default();
        let ahead = |line: &Counted, owner| line.line.ahead(claim(owner));
        assert_eq!(ahead(&line, 1), 0);
        (0..100).for_each(|_| _ = line.enter(claim(1)));
        assert_eq!((ahead(&line, 1), ahead(&line, 2)), (100, 1));
        (0..3).for_each(|_| _ = line.enter(claim(2)));
        assert_eq!((ahead(&line, 1), ahead(&line, 2), ahead(&line, 3)), (103, 7, 2));
        assert_eq!(line.line.ahead(Claim { again: true, ..claim(1) }), 1);
    }

    proptest! {
        /// Whatever comes and goes: nobody is lost, a group's members leave in order, while one is
        /// the first of its group each other group is served at most once before it, and no later
        /// group at all.
        #[test]
        fn the_first_of_a_group_is_passed_by_each_other_group_at_most_once(
            steps in prop::collection::vec((0_u8..5, 0_u64..5), 0..300),
        ) {
            let mut line = Counted::default();
            let mut waiting: Vec<(u64, Claim)> = Vec::new();
            // Who is first of its group, and who was served since it is.
            let mut fronts: BTreeMap<u64, (u64, Vec<u64>)> = BTreeMap::new();
            for (step, pick) in steps {
                match step {
                    0 | 1 => waiting.push((line.enter(claim(pick)), claim(pick))),
                    2 if !waiting.is_empty() => {
                        let at = usize::try_from(pick).unwrap() % waiting.len();
                        let (ticket, claim) = waiting.remove(at);
                        line.line.leave(claim, ticket, None);
                    }
                    _ => if let Some(first) = line.serve() {
                        let own = waiting.iter().position(|(_, claim)| *claim == first.claim);
                        let (oldest, _) = waiting.remove(own.unwrap());
                        prop_assert_eq!(first.ticket, oldest);
                        let owner = first.claim.group.owner;
                        for (ticket, passed_by) in fronts.values_mut() {
                            if *ticket != first.ticket {
                                prop_assert!(!passed_by.contains(&owner), "{} twice", owner);
                                passed_by.push(owner);
                            }
                        }
                    },
                }
                let is_first = |ticket: u64, owner| {
                    waiting.iter().find(|(_, of)| *of == claim(owner)).map(|w| w.0) == Some(ticket)
                };
                fronts.retain(|owner, (ticket, _)| is_first(*ticket, *owner));
                for (ticket, claim) in &waiting {
                    fronts.entry(claim.group.owner).or_insert((*ticket, Vec::new()));
                }
                prop_assert_eq!(line.line.is_empty(), waiting.is_empty());
                prop_assert_eq!(line.line.oldest(), waiting.first().map(|(ticket, _)| *ticket));
                prop_assert_eq!(line.line.groups.len(), fronts.len());
                prop_assert_eq!(line.line.turns.len(), fronts.len());
            }
            let left: Vec<u64> = waiting.iter().map(|(ticket, _)| *ticket).collect();
            prop_assert_eq!(line.line.into_tickets().into_iter().collect::<Vec<_>>(), left);
        }
    }
}
