//! Lines: whose turn it is, and that a group is remembered no longer than someone of it waits.

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
