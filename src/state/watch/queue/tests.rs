//! The queue of one watcher: cases by hand, then any interleaving of changes and takings.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::core::Value;
use crate::state::{Definition, Rule};

fn change(name: &str, id: u64, version: u64, revision: u64, kind: ChangeKind) -> Change {
    Change { kind, name: name.into(), id, version, revision, value: None }
}

fn written(name: &str, version: u64, revision: u64) -> Change {
    change(name, 1, version, revision, ChangeKind::Written)
}

fn variable(name: &str, id: u64, version: u64) -> Variable {
    let rule = Rule::new("integer", &Bytes::new()).unwrap();
    let definition = Definition { name: name.into(), id, rule, metadata: Bytes::new() };
    let value = Value::from_json("1").unwrap();
    Variable { definition: Arc::new(definition), value, version, lock: None }
}

fn told(queue: &mut WatchQueue) -> Vec<String> {
    std::iter::from_fn(|| queue.pop())
        .map(|event| match event {
            WatchEvent::Initial(held) => format!("initial {}@{}", held.name(), held.version),
            WatchEvent::Change(change) => format!("{}@{}", change.name, change.revision),
            WatchEvent::Missed(missed) => {
                let Missed { count, from_revision, to_revision } = missed;
                format!("missed {count} {from_revision}-{to_revision}")
            }
            WatchEvent::End(end) => format!("{end:?}"),
        })
        .collect()
}

#[test]
fn changes_come_in_order_and_old_ones_are_dropped() {
    let mut queue = WatchQueue::new(false, 8, false);
    assert_eq!(queue.push(&written("a", 1, 5)), 1);
    assert_eq!(queue.push(&written("a", 1, 5)), 0, "told twice");
    assert_eq!(queue.push(&written("b", 1, 4)), 0, "older than one that was told");
    assert_eq!(queue.push(&written("a", 2, 6)), 1);
    assert_eq!(queue.end(WatchEnd::Stopped), 1);
    assert_eq!(queue.end(WatchEnd::SessionClosed), 0, "the first reason counts");
    assert_eq!(queue.push(&written("a", 3, 7)), 0, "after the end");
    assert_eq!(told(&mut queue), ["a@5", "a@6", "Stopped"]);
    assert_eq!((queue.ready(), queue.gap()), (0, 0));
}

#[test]
fn a_full_queue_counts_what_it_does_not_keep() {
    let mut queue = WatchQueue::new(false, 2, false);
    for revision in 1..=5 {
        queue.push(&written("a", revision, revision));
    }
    assert_eq!(queue.ready(), 3);
    assert!(matches!(queue.pop(), Some(WatchEvent::Change(_))));
    queue.push(&written("a", 6, 6));
    assert!(matches!(queue.pop(), Some(WatchEvent::Change(_))));
    queue.push(&written("a", 7, 7));
    assert_eq!(told(&mut queue), ["missed 4 3-6", "a@7"]);
}

#[test]
fn with_coalescing_only_the_newest_of_each_matter_waits() {
    let mut queue = WatchQueue::new(true, 3, false);
    for revision in 1..=9 {
        queue.push(&written(if revision % 2 == 0 { "a" } else { "b" }, revision, revision));
    }
    let locked = ChangeKind::Locked { owner: "me".into() };
    queue.push(&change("a", 1, 8, 10, locked));
    assert_eq!(queue.push(&change("a", 1, 8, 11, ChangeKind::Unlocked)), 0);
    assert_eq!(queue.push(&written("c", 1, 12)), 1);
    assert_eq!(queue.push(&written("d", 1, 13)), 0);
    assert_eq!(queue.push(&written("b", 10, 14)), 0);
    assert_eq!(told(&mut queue), ["a@8", "a@11", "missed 2 12-13", "b@14"]);
}

#[test]
fn the_beginning_comes_first_and_what_it_holds_is_not_told_again() {
    for coalesce in [false, true] {
        let mut queue = WatchQueue::new(coalesce, 8, true);
        assert_eq!(queue.push(&written("a", 2, 3)), 0, "nothing is told before the beginning");
        queue.push(&written("a", 3, 4));
        queue.push(&change("b", 2, 1, 5, ChangeKind::Deleted));
        queue.push(&change("b", 6, 1, 6, ChangeKind::Registered));
        queue.push(&change("c", 1, 1, 7, ChangeKind::Deleted));
        assert!(queue.pop().is_none());
        let as_read = vec![variable("a", 1, 2), variable("b", 6, 1)];
        let expected: &[&str] = match coalesce {
            false => &["initial a@2", "initial b@1", "a@4", "c@7"],
            true => &["initial b@1", "a@4", "c@7"],
        };
        assert_eq!(queue.fill(as_read), expected.len());
        assert_eq!(told(&mut queue), expected);
    }
}

#[test]
fn an_end_before_the_beginning_is_all_that_is_told() {
    let mut queue = WatchQueue::new(false, 8, true);
    queue.push(&written("a", 2, 3));
    assert_eq!(queue.end(WatchEnd::SessionClosed), 1);
    assert_eq!(queue.fill(vec![variable("a", 1, 2)]), 0);
    assert_eq!(told(&mut queue), ["SessionClosed"]);
}

#[test]
fn a_gap_is_told_where_it_was() {
    let mut queue = WatchQueue::new(true, 8, false);
    queue.push(&written("a", 2, 3));
    assert_eq!((queue.gap(), queue.gap()), (1, 0));
    queue.push(&written("b", 2, 9));
    assert_eq!(told(&mut queue), ["a@3", "missed 0 3-3", "b@9"]);
}

/// What happens to a watcher, and what it does.
#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    Take(usize),
    Gap,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..6_usize).prop_map(Step::Write),
        3 => (1..5_usize).prop_map(Step::Take),
        1 => Just(Step::Gap),
    ];
    proptest::collection::vec(step, 1..120)
}

/// Takes the steps and then the rest; gives what was written and what was told.
fn played(queue: &mut WatchQueue, steps: Vec<Step>) -> (Vec<(usize, u64)>, Vec<WatchEvent>) {
    let (mut sent, mut events, mut ready) = (Vec::new(), Vec::new(), 0);
    for step in steps.into_iter().chain([Step::Take(usize::MAX)]) {
        match step {
            Step::Write(name) => {
                let revision = sent.len() as u64 + 1;
                sent.push((name, revision));
                ready += queue.push(&written(&name.to_string(), revision, revision));
            }
            Step::Gap => ready += queue.gap(),
            Step::Take(count) => {
                let taken: Vec<_> = std::iter::from_fn(|| queue.pop()).take(count).collect();
                ready -= taken.len();
                events.extend(taken);
            }
        }
        assert_eq!(ready, queue.ready(), "as many as were announced");
        assert!(ready <= queue.places_max + 1, "{ready} wait");
    }
    (sent, events)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Revisions rise; each change is told, or replaced by a newer one of its name, or lies within
    /// what was missed; and what was missed is counted exactly.
    #[test]
    fn nothing_is_lost_without_a_word(
        steps in steps(), coalesce in any::<bool>(), places_max in 1..6_usize
    ) {
        let has_gaps = steps.iter().any(|step| matches!(step, Step::Gap));
        let mut queue = WatchQueue::new(coalesce, places_max, false);
        let (sent, events) = played(&mut queue, steps);
        let (mut told, mut missed) = (Vec::new(), Vec::new());
        for event in events {
            match event {
                WatchEvent::Change(change) => {
                    prop_assert!(told.last().is_none_or(|last| *last < change.revision));
                    told.push(change.revision);
                }
                WatchEvent::Missed(found) => missed.push(found),
                other => prop_assert!(false, "{:?}", other),
            }
        }
        let is_heard_of = |revision: u64| {
            told.contains(&revision) || missed.iter().any(|found| {
                (found.from_revision..=found.to_revision).contains(&revision)
            })
        };
        for (name, revision) in &sent {
            let is_replaced = coalesce && sent.iter().any(|(other, later)| {
                other == name && later > revision && is_heard_of(*later)
            });
            prop_assert!(is_heard_of(*revision) || is_replaced, "{} was lost", revision);
        }
        if !has_gaps && !coalesce {
            let counted: u64 = missed.iter().map(|found| found.count).sum();
            prop_assert_eq!(told.len() as u64 + counted, sent.len() as u64);
        }
    }
}
