//! The queue's promises, one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::core::{Status, Value};

use super::*;

fn done(tag: u64) -> Entry {
    Entry { tag, item: Item::Done { operation: 1, outcome: Ok(Value::null()), chunks: 0 } }
}

fn tags(taken: Taken) -> Vec<u64> {
    let Taken::Entries(entries) = taken else { panic!("nothing was taken") };
    entries.iter().map(|entry| entry.tag).collect()
}

fn is_readable(fd: RawFd) -> bool {
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid struct of ours, and no waiting.
    unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
}

#[test]
fn entries_come_out_in_order_and_in_batches() {
    let queue = QueueCore::new(None);
    for tag in 0..5 {
        queue.reserve().unwrap().settle(done(tag));
    }
    assert_eq!(tags(queue.take(3, None)), [0, 1, 2]);
    assert_eq!(tags(queue.take(3, None)), [3, 4]);
    assert!(matches!(queue.take(3, Some(Duration::ZERO)), Taken::TimedOut));
    assert!(matches!(queue.take(3, Some(Duration::from_millis(5))), Taken::TimedOut));
}

#[test]
fn the_descriptor_is_readable_exactly_while_there_are_events() {
    let queue = QueueCore::new(None);
    queue.reserve().unwrap().settle(done(1));
    let fd = queue.fd().unwrap();
    assert_eq!(queue.fd().unwrap(), fd);
    assert!(is_readable(fd), "made late, it knows of what waits");
    queue.reserve().unwrap().settle(done(2));
    assert_eq!(tags(queue.take(1, None)), [1]);
    assert!(is_readable(fd));
    assert_eq!(tags(queue.take(1, None)), [2]);
    assert!(!is_readable(fd));
    queue.close();
    assert!(is_readable(fd));
    queue.take(1, None);
    assert!(is_readable(fd), "an ended queue stays readable");
}

#[test]
fn the_end_reaches_everybody_who_waits() {
    let queue = QueueCore::new(None);
    let owed = queue.reserve().unwrap();
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let queue = queue.clone();
            std::thread::spawn(move || while !matches!(queue.take(8, None), Taken::Ended) {})
        })
        .collect();
    queue.close();
    // Its last entry and SHUTDOWN go to one of them together.
    owed.settle(done(1));
    waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
}

#[test]
fn shutdown_is_last_and_waits_for_what_is_owed() {
    let queue = QueueCore::new(None);
    let owed = queue.reserve().unwrap();
    let dropped = queue.reserve().unwrap();
    queue.close();
    assert_eq!(queue.reserve().err().unwrap().status(), Status::Closed);
    assert!(matches!(queue.take(9, Some(Duration::ZERO)), Taken::TimedOut));
    owed.settle(done(7));
    assert_eq!(tags(queue.take(9, None)), [7]);
    assert!(matches!(queue.take(9, Some(Duration::ZERO)), Taken::TimedOut));
    drop(dropped);
    let Taken::Entries(last) = queue.take(9, None) else { panic!() };
    assert!(matches!(last.as_slice(), [Entry { item: Item::Shutdown, .. }]));
    assert!(matches!(queue.take(9, None), Taken::Ended));
}

#[test]
fn a_waiter_wakes_for_an_event_and_for_the_end() {
    let queue = QueueCore::new(None);
    let waiter = |queue: &Arc<QueueCore>| {
        let queue = queue.clone();
        std::thread::spawn(move || queue.take(1, Some(Duration::from_secs(30))))
    };
    let waiting = waiter(&queue);
    queue.reserve().unwrap().settle(done(3));
    assert_eq!(tags(waiting.join().unwrap()), [3]);
    let waiting = waiter(&queue);
    queue.end();
    assert!(matches!(waiting.join().unwrap(), Taken::Ended));
}

#[test]
fn what_a_freed_queue_is_given_is_discarded_and_not_lost() {
    let queue = QueueCore::new(None);
    let turns = Arc::new(AtomicUsize::new(0));
    let turn = || {
        let turns = turns.clone();
        Item::Turn(Box::new(move || {
            turns.fetch_add(1, Ordering::Relaxed);
        }))
    };
    queue.push(Entry { tag: 0, item: turn() });
    queue.end();
    queue.push(Entry { tag: 0, item: turn() });
    assert_eq!(turns.load(Ordering::Relaxed), 2);
}

#[test]
fn every_event_of_many_pushers_is_taken_once() {
    let queue = QueueCore::new(None);
    let pushers: Vec<_> = (0..4_u64)
        .map(|pusher| {
            let queue = queue.clone();
            std::thread::spawn(move || {
                for n in 0..1000 {
                    queue.reserve().unwrap().settle(done(pusher * 1000 + n));
                }
            })
        })
        .collect();
    let takers: Vec<_> = (0..3)
        .map(|_| {
            let queue = queue.clone();
            std::thread::spawn(move || {
                let mut seen = Vec::new();
                while let Taken::Entries(entries) = queue.take(7, Some(Duration::from_secs(30))) {
                    seen.extend(entries.iter().filter_map(|entry| match entry.item {
                        Item::Done { .. } => Some(entry.tag),
                        _ => None,
                    }));
                }
                seen
            })
        })
        .collect();
    pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
    queue.close();
    let mut all: Vec<u64> = takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect();
    all.sort_unstable();
    assert_eq!(all, (0..4000).collect::<Vec<_>>());
}

#[test]
fn one_queue_tells_another_once_for_each_time_it_is_asked() {
    let (queue, to) = (QueueCore::new(None), QueueCore::new(None));
    let told = || -> Vec<u64> {
        let Taken::Entries(entries) = to.take(8, Some(Duration::ZERO)) else { return Vec::new() };
        entries.into_iter().filter_map(Entry::hand_out).map(|out| out.event.tag).collect()
    };
    let nothing: [u64; 0] = [];
    queue.notify(&to, 1);
    queue.notify(&to, 7);
    assert_eq!(told(), nothing, "nothing is there");
    queue.reserve().unwrap().settle(done(1));
    queue.push_all([Entry { tag: 2, item: Item::Turn(Box::new(|| {})) }].into_iter());
    queue.notify(&to, 8);
    assert_eq!(told(), [7], "the last one asked for, and one at a time");
    queue.notify(&to, 9);
    assert_eq!(told(), [9], "at once");
    assert_eq!(tags(queue.take(8, None)), [1, 2]);
    queue.notify(&to, 10);
    assert_eq!(told(), nothing);
    queue.close();
    assert_eq!(told(), [10], "its end is an event, too");
}

#[test]
fn a_freed_queue_tells_nothing_and_a_chain_tells_to_its_end() {
    let queues: Vec<_> = (0..3).map(|_| QueueCore::new(None)).collect();
    queues[0].notify(&queues[1], 0);
    queues[1].notify(&queues[2], 1);
    queues[2].notify(&queues[0], 2);
    queues[0].reserve().unwrap().settle(done(5));
    assert_eq!(tags(queues[0].take(8, None)), [5, 2], "round to where it began");
    queues[0].end();
    let out = |queue: &Arc<QueueCore>| match queue.take(1, None) {
        Taken::Entries(entries) => entries.into_iter().filter_map(Entry::hand_out).count(),
        _ => panic!("nothing was taken"),
    };
    assert_eq!(out(&queues[1]), 0, "of one that was freed");
    assert_eq!(out(&queues[2]), 1);
}
