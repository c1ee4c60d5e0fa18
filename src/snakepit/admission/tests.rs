//! Admission: who is served, in which order, and that no place is ever lost or given twice.

use proptest::prelude::*;

use super::*;

fn admission(running_max: usize, held_max: usize, queue_max: usize) -> Admission<WorkerId, u32> {
    Admission::new(Limits { running_max, held_max, queue_max })
}

fn worker(slot: u32) -> WorkerId {
    WorkerId { slot, generation: 1 }
}

#[test]
fn the_least_loaded_is_taken_and_equals_take_turns() {
    let mut pool = admission(2, 8, 8);
    for slot in 0..3 {
        pool.publish(worker(slot), worker(slot));
    }
    let order: Vec<u32> = (0..6).map(|_| pool.take_free().unwrap().slot).collect();
    assert_eq!(order, [0, 1, 2, 0, 1, 2]);
    assert_eq!(pool.take_free(), None);
    assert_eq!(pool.release(worker(1), false), None);
    assert_eq!(pool.take_free(), Some(worker(1)));
}

#[test]
fn the_queue_is_served_in_order_and_nobody_overtakes_it() {
    let mut pool = admission(1, 8, 2);
    let first = pool.enqueue(10).unwrap();
    pool.enqueue(11).unwrap();
    assert_eq!(pool.enqueue(12), Err(12), "the queue is full");
    assert_eq!(pool.serve_next(), None, "there is no worker");
    pool.publish(worker(0), worker(0));
    assert_eq!(pool.take_free(), None, "others wait");
    assert_eq!(pool.leave(first), Some(10));
    assert_eq!(pool.leave(first), None);
    assert_eq!(pool.serve_next(), Some((11, worker(0))));
    pool.enqueue(13).unwrap();
    assert_eq!(pool.serve_next(), None, "the worker is busy");
    assert_eq!(pool.dismiss_all(), [13]);
}

#[test]
fn a_lent_place_is_given_to_another_up_to_the_number_that_may_be_held() {
    let mut pool = admission(1, 3, 8);
    pool.publish(worker(0), worker(0));
    assert!(pool.take_free().is_some());
    for _ in 0..2 {
        assert_eq!(pool.take_free(), None);
        pool.lend(worker(0));
        assert!(pool.take_free().is_some());
    }
    pool.lend(worker(0));
    assert_eq!(pool.take_free(), None, "three are held");
    assert_eq!(pool.load(worker(0)), (0, 3));
    pool.reclaim(worker(0));
    pool.reclaim(worker(0));
    assert_eq!(pool.load(worker(0)), (2, 3), "reclaiming never waits");
    pool.release(worker(0), false);
    pool.release(worker(0), false);
    pool.release(worker(0), true);
    assert_eq!(pool.load(worker(0)), (0, 0));
    assert!(pool.take_free().is_some());
}

#[test]
fn a_withdrawn_worker_gets_nothing_and_its_last_lease_is_noticed() {
    let mut pool = admission(4, 8, 8);
    pool.publish(worker(0), worker(0));
    pool.take_free().unwrap();
    pool.take_free().unwrap();
    pool.withdraw(worker(0));
    assert_eq!((pool.take_free(), pool.open_seats()), (None, 0));
    assert_eq!(pool.release(worker(0), false), None);
    assert!(!pool.is_idle(worker(0)));
    assert_eq!(pool.release(worker(0), false), Some(worker(0)));
    assert!(pool.is_idle(worker(0)));
}

#[test]
fn stuck_leases_do_not_count_as_work() {
    let mut pool = admission(4, 8, 8);
    pool.publish(worker(0), worker(0));
    pool.take_free().unwrap();
    pool.take_free().unwrap();
    assert_eq!(pool.give_up_one(worker(0)), Some(worker(0)));
    assert!(!pool.is_idle(worker(0)));
    assert_eq!(pool.release(worker(0), false), Some(worker(0)));
}

#[test]
fn a_lease_of_an_earlier_life_returns_nothing_to_the_next() {
    let mut pool = admission(1, 8, 8);
    let reborn = WorkerId { slot: 0, generation: 2 };
    pool.publish(worker(0), worker(0));
    pool.take_free().unwrap();
    pool.remove(worker(0));
    pool.publish(reborn, reborn);
    pool.take_free().unwrap();
    assert_eq!(pool.release(worker(0), false), None);
    assert_eq!(pool.load(reborn), (1, 1));
    pool.remove(worker(0));
    assert_eq!(pool.load(reborn), (1, 1), "the old one's end does not touch it");
}

proptest! {
    /// Any sequence of steps keeps every worker within its limits, and in the end everything is
    /// back.
    #[test]
    fn no_place_is_lost_or_given_twice(
        steps in prop::collection::vec((0_u8..6, 0_usize..8), 0..200),
    ) {
        let mut pool = admission(2, 4, 8);
        for slot in 0..2 {
            pool.publish(worker(slot), worker(slot));
        }
        let mut out: Vec<(WorkerId, bool)> = Vec::new();
        for (step, pick) in steps {
            let chosen = if out.is_empty() { None } else { Some(pick % out.len()) };
            match (step, chosen) {
                (0, _) => out.extend(pool.take_free().map(|taken| (taken, false))),
                (1, _) => { let _ = pool.enqueue(0); }
                (2, _) => out.extend(pool.serve_next().map(|(_, taken)| (taken, false))),
                (3, Some(at)) => { let (w, lent) = out.swap_remove(at); pool.release(w, lent); }
                (4, Some(at)) if !out[at].1 => { pool.lend(out[at].0); out[at].1 = true; }
                (5, Some(at)) if out[at].1 => { pool.reclaim(out[at].0); out[at].1 = false; }
                _ => {}
            }
            for slot in 0..2 {
                let of = |lent: bool| out.iter().filter(|o| **o == (worker(slot), lent)).count();
                prop_assert_eq!(pool.load(worker(slot)), (of(false), of(false) + of(true)));
                prop_assert!(of(false) + of(true) <= 4);
            }
        }
        pool.dismiss_all();
        for (w, lent) in out {
            pool.release(w, lent);
        }
        let all: Vec<_> = std::iter::from_fn(|| pool.take_free()).collect();
        prop_assert_eq!(all.len(), 4);
    }
}
