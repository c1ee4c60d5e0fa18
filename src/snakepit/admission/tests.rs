//! Admission: who is served, in which order, and that no place is ever lost or given twice.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn admission(running_max: usize, held_max: usize, queue_max: usize) -> Admission<WorkerId, u32> {
    Admission::new(Limits { running_max, held_max, queue_max })
}

/// Of no group in particular.
const ANY: Claim = Claim { group: Group { owner: 0, part: 0 }, again: false };

fn of(owner: u64) -> Claim {
    Claim { group: Group { owner, part: 0 }, again: false }
}

fn worker(slot: u32) -> WorkerId {
    WorkerId { slot, generation: 1 }
}

fn free(pool: &mut Admission<WorkerId, u32>) -> Option<WorkerId> {
    pool.take_free(None).unwrap()
}

#[test]
fn the_least_loaded_is_taken_and_equals_take_turns() {
    let mut pool = admission(2, 8, 8);
    for slot in 0..3 {
        pool.publish(worker(slot), worker(slot), Instant::now());
    }
    let order: Vec<u32> = (0..6).map(|_| free(&mut pool).unwrap().slot).collect();
    assert_eq!(order, [0, 1, 2, 0, 1, 2]);
    assert_eq!(free(&mut pool), None);
    assert_eq!(pool.release(worker(1), false, Instant::now()), None);
    assert_eq!(free(&mut pool), Some(worker(1)));
}

#[test]
fn the_queue_is_served_in_order_and_nobody_overtakes_it() {
    let mut pool = admission(1, 8, 2);
    let first = pool.enqueue(10, None, ANY, Instant::now()).unwrap();
    pool.enqueue(11, None, ANY, Instant::now()).unwrap();
    assert_eq!(
        pool.enqueue(12, None, ANY, Instant::now()),
        Err(NoPlace::Full),
        "the queue is full"
    );
    assert_eq!(pool.serve_next(), None, "there is no worker");
    pool.publish(worker(0), worker(0), Instant::now());
    assert_eq!(free(&mut pool), None, "others wait");
    assert_eq!(pool.leave(first), Some(10));
    assert_eq!(pool.leave(first), None);
    assert_eq!(pool.serve_next(), Some((11, worker(0))));
    pool.enqueue(13, None, ANY, Instant::now()).unwrap();
    assert_eq!(pool.serve_next(), None, "the worker is busy");
    assert_eq!(pool.dismiss_all(), [13]);
}

#[test]
fn a_lent_place_is_given_to_another_up_to_the_number_that_may_be_held() {
    let mut pool = admission(1, 3, 8);
    pool.publish(worker(0), worker(0), Instant::now());
    assert!(free(&mut pool).is_some());
    for _ in 0..2 {
        assert_eq!(free(&mut pool), None);
        pool.lend(worker(0));
        assert!(free(&mut pool).is_some());
    }
    pool.lend(worker(0));
    assert_eq!(free(&mut pool), None, "three are held");
    assert_eq!(pool.load(worker(0)), (0, 3));
    pool.reclaim(worker(0));
    pool.reclaim(worker(0));
    assert_eq!(pool.load(worker(0)), (2, 3), "reclaiming never waits");
    pool.release(worker(0), false, Instant::now());
    pool.release(worker(0), false, Instant::now());
    pool.release(worker(0), true, Instant::now());
    assert_eq!(pool.load(worker(0)), (0, 0));
    assert!(free(&mut pool).is_some());
}

#[test]
fn a_withdrawn_worker_gets_nothing_and_its_last_lease_is_noticed() {
    let mut pool = admission(4, 8, 8);
    pool.publish(worker(0), worker(0), Instant::now());
    free(&mut pool).unwrap();
    free(&mut pool).unwrap();
    pool.withdraw(worker(0));
    assert_eq!((free(&mut pool), pool.open_seats()), (None, 0));
    assert_eq!(pool.release(worker(0), false, Instant::now()), None);
    assert!(!pool.is_idle(worker(0)));
    assert_eq!(pool.release(worker(0), false, Instant::now()), Some(worker(0)));
    assert!(pool.is_idle(worker(0)));
}

#[test]
fn stuck_leases_do_not_count_as_work() {
    let mut pool = admission(4, 8, 8);
    pool.publish(worker(0), worker(0), Instant::now());
    free(&mut pool).unwrap();
    free(&mut pool).unwrap();
    assert_eq!(pool.give_up_one(worker(0)), Some(worker(0)));
    assert!(!pool.is_idle(worker(0)));
    assert_eq!(pool.release(worker(0), false, Instant::now()), Some(worker(0)));
}

#[test]
fn a_lease_of_an_earlier_life_returns_nothing_to_the_next() {
    let mut pool = admission(1, 8, 8);
    let reborn = WorkerId { slot: 0, generation: 2 };
    pool.publish(worker(0), worker(0), Instant::now());
    free(&mut pool).unwrap();
    pool.remove(worker(0));
    pool.publish(reborn, reborn, Instant::now());
    free(&mut pool).unwrap();
    assert_eq!(pool.release(worker(0), false, Instant::now()), None);
    assert_eq!(pool.load(reborn), (1, 1));
    pool.remove(worker(0));
    assert_eq!(pool.load(reborn), (1, 1), "the old one's end does not touch it");
}

fn home(key: u64, affinity: Affinity) -> Option<Home> {
    Some(Home { key, affinity })
}

#[test]
fn strict_callers_wait_at_home_without_blocking_others() {
    let mut pool = admission(1, 8, 8);
    let strict = home(7, Affinity::StrictQueue);
    pool.publish(worker(0), worker(0), Instant::now());
    pool.publish(worker(1), worker(1), Instant::now());
    assert_eq!(pool.take_free(strict), Ok(Some(worker(0))));
    assert_eq!(pool.take_free(strict), Ok(None));
    let busy = pool.take_free(home(7, Affinity::StrictFailFast));
    assert_eq!(busy, Err(NoHome::Busy(worker(0))));
    pool.enqueue(1, strict, ANY, Instant::now()).unwrap();
    assert_eq!(free(&mut pool), Some(worker(1)), "room elsewhere is for others");
    pool.enqueue(2, None, ANY, Instant::now()).unwrap();
    pool.enqueue(3, strict, ANY, Instant::now()).unwrap();
    assert_eq!(pool.serve_next(), None);
    pool.release(worker(1), false, Instant::now());
    assert_eq!(pool.serve_next(), Some((2, worker(1))));
    pool.enqueue(4, None, ANY, Instant::now()).unwrap();
    for expected in [1, 3, 4] {
        pool.release(worker(0), false, Instant::now());
        assert_eq!(pool.serve_next(), Some((expected, worker(0))), "in order of arrival");
    }
}

#[test]
fn strict_callers_of_a_homeless_key_share_the_first_ones_home() {
    let mut pool = admission(1, 8, 8);
    pool.enqueue(1, home(7, Affinity::StrictQueue), ANY, Instant::now()).unwrap();
    pool.enqueue(2, home(7, Affinity::StrictQueue), ANY, Instant::now()).unwrap();
    pool.enqueue(3, home(7, Affinity::StrictFailFast), ANY, Instant::now()).unwrap();
    let gives_up = pool.enqueue(4, home(8, Affinity::StrictQueue), ANY, Instant::now()).unwrap();
    assert_eq!(pool.leave(gives_up), Some(4));
    pool.publish(worker(0), worker(0), Instant::now());
    pool.publish(worker(1), worker(1), Instant::now());
    assert_eq!(pool.serve_next(), Some((1, worker(0))));
    assert_eq!(pool.serve_next(), None, "worker 1 is not their home");
    assert_eq!(pool.take_refused(), [(3, NoHome::Busy(worker(0)))]);
    pool.release(worker(0), false, Instant::now());
    assert_eq!(pool.serve_next(), Some((2, worker(0))));
}

#[test]
fn a_home_that_is_gone_is_told_of_once_to_each_and_to_those_who_wait_at_once() {
    let mut pool = admission(1, 8, 8);
    let strict = home(7, Affinity::StrictQueue);
    let reborn = WorkerId { slot: 0, generation: 2 };
    pool.publish(worker(0), worker(0), Instant::now());
    pool.take_free(strict).unwrap();
    pool.take_free(home(9, Affinity::StrictQueue)).unwrap();
    pool.enqueue(1, strict, ANY, Instant::now()).unwrap();
    pool.enqueue(2, strict, ANY, Instant::now()).unwrap();
    pool.withdraw(worker(0));
    let gone = NoHome::Gone(worker(0));
    assert_eq!(pool.take_refused(), [(1, gone), (2, gone)]);
    pool.remove(worker(0));
    pool.publish(reborn, reborn, Instant::now());
    // They were told, so the successor is a new home.
    assert_eq!(pool.take_free(strict), Ok(Some(reborn)));
    pool.remove(reborn);
    assert_eq!(pool.take_free(strict), Err(NoHome::Gone(reborn)), "nobody was told before");
    assert_eq!(pool.enqueue(3, strict, ANY, Instant::now()).map(|_| ()), Ok(()));
}

#[test]
fn a_hint_follows_room_but_does_not_move_a_strict_home() {
    let mut pool = admission(1, 8, 8);
    let hint = home(7, Affinity::Hint);
    pool.publish(worker(0), worker(0), Instant::now());
    pool.publish(worker(1), worker(1), Instant::now());
    assert_eq!(pool.take_free(hint), Ok(Some(worker(0))));
    assert_eq!(pool.take_free(hint), Ok(Some(worker(1))));
    pool.release(worker(0), false, Instant::now());
    pool.release(worker(1), false, Instant::now());
    assert_eq!(pool.take_free(hint), Ok(Some(worker(1))));
    pool.release(worker(1), false, Instant::now());
    assert_eq!(pool.take_free(home(7, Affinity::StrictQueue)), Ok(Some(worker(1))));
    assert_eq!(pool.take_free(hint), Ok(Some(worker(0))), "its strict home is busy");
    pool.release(worker(1), false, Instant::now());
    assert_eq!(pool.take_free(home(7, Affinity::StrictFailFast)), Ok(Some(worker(1))));
    pool.forget(7);
    pool.release(worker(0), false, Instant::now());
    assert_eq!(pool.take_free(home(7, Affinity::StrictFailFast)), Ok(Some(worker(0))));
}

#[test]
fn groups_take_turns_at_a_free_place_and_one_that_waits_more_gets_no_more() {
    let mut pool = admission(1, 8, 1000);
    pool.publish(worker(0), worker(0), Instant::now());
    free(&mut pool).unwrap();
    for name in 0..200 {
        pool.enqueue(name, None, of(1), Instant::now()).unwrap();
    }
    for (name, owner) in [(200, 2), (300, 3), (301, 3), (302, 3)] {
        pool.enqueue(name, None, of(owner), Instant::now()).unwrap();
    }
    let served = std::iter::from_fn(|| {
        pool.release(worker(0), false, Instant::now());
        pool.serve_next().map(|(name, _)| name)
    });
    let served: Vec<u32> = served.collect();
    assert_eq!(served[..8], [0, 200, 300, 1, 301, 2, 302, 3]);
    assert!(served[8..].is_sorted() && served.len() == 204);
}

#[test]
fn those_who_may_go_anywhere_and_those_of_a_home_take_turns_at_it() {
    let mut pool = admission(1, 8, 100);
    pool.publish(worker(0), worker(0), Instant::now());
    pool.take_free(home(7, Affinity::StrictQueue)).unwrap();
    for name in 0..10 {
        pool.enqueue(name, home(7, Affinity::StrictQueue), of(7), Instant::now()).unwrap();
    }
    for name in 10..20 {
        pool.enqueue(name, None, of(9), Instant::now()).unwrap();
    }
    pool.enqueue(20, home(7, Affinity::StrictQueue), of(8), Instant::now()).unwrap();
    let mut next = || {
        pool.release(worker(0), false, Instant::now());
        pool.serve_next().map(|(name, _)| name)
    };
    let served: Vec<u32> = std::iter::from_fn(&mut next).take(7).collect();
    assert_eq!(served, [0, 10, 20, 1, 11, 2, 12]);
}

#[test]
fn a_full_queue_has_one_place_more_for_each_group_that_has_none_up_to_as_many_again() {
    let mut pool = admission(1, 8, 3);
    let now = Instant::now();
    let enqueue =
        |pool: &mut Admission<_, _>, owner, home| pool.enqueue(0, home, of(owner), now).map(|_| ());
    (0..3).for_each(|_| enqueue(&mut pool, 1, None).unwrap());
    assert_eq!(enqueue(&mut pool, 1, None), Err(NoPlace::Full));
    for owner in [2, 3] {
        assert_eq!(enqueue(&mut pool, owner, None), Ok(()));
        assert_eq!(enqueue(&mut pool, owner, None), Err(NoPlace::Full));
    }
    pool.publish(worker(0), worker(0), now);
    pool.serve_next().unwrap();
    pool.release(worker(0), false, now);
    assert_eq!(pool.take_free(home(7, Affinity::StrictQueue)), Ok(None), "others wait");
    assert_eq!(enqueue(&mut pool, 4, home(7, Affinity::StrictQueue)), Ok(()));
    assert_eq!(enqueue(&mut pool, 5, None), Ok(()));
    assert_eq!(enqueue(&mut pool, 6, None), Err(NoPlace::Full), "twice the limit");
    while pool.serve_next().is_some() {
        pool.release(worker(0), false, now);
    }
    // One who waits at home counts as waiting, too.
    pool.take_free(home(7, Affinity::StrictQueue)).unwrap().unwrap();
    (0..3).for_each(|_| enqueue(&mut pool, 4, home(7, Affinity::StrictQueue)).unwrap());
    assert_eq!(enqueue(&mut pool, 4, home(7, Affinity::StrictQueue)), Err(NoPlace::Full));
    let mut pool = admission(1, 8, 0);
    assert_eq!(enqueue(&mut pool, 1, None), Err(NoPlace::Full), "nobody is to wait here");
}

#[test]
fn the_wait_is_told_by_turns_and_growth_by_who_has_waited_longest() {
    let mut pool = admission(1, 8, 100);
    let start = Instant::now();
    assert_eq!(pool.waiting_since(), None);
    for second in 0..10 {
        pool.enqueue(1, None, of(1), start + Duration::from_secs(second)).unwrap();
    }
    pool.publish(worker(0), worker(0), start);
    assert_eq!(pool.ahead(None, of(1)), (10, 1));
    assert_eq!(pool.ahead(None, of(2)), (1, 1));
    assert_eq!(pool.waiting_since(), Some(start));
    assert!(pool.serve_next().is_some());
    pool.enqueue(2, None, of(2), start + Duration::from_secs(60)).unwrap();
    assert_eq!(pool.waiting_since(), Some(start + Duration::from_secs(1)));
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
            pool.publish(worker(slot), worker(slot), Instant::now());
        }
        let mut out: Vec<(WorkerId, bool)> = Vec::new();
        for (step, pick) in steps {
            let chosen = if out.is_empty() { None } else { Some(pick % out.len()) };
            match (step, chosen) {
                (0, _) => out.extend(free(&mut pool).map(|taken| (taken, false))),
                (1, _) => { let _ = pool.enqueue(0, None, ANY, Instant::now()); }
                (2, _) => out.extend(pool.serve_next().map(|(_, taken)| (taken, false))),
                (3, Some(at)) => {
                    let (w, lent) = out.swap_remove(at);
                    pool.release(w, lent, Instant::now());
                }
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
            pool.release(w, lent, Instant::now());
        }
        let all: Vec<_> = std::iter::from_fn(|| free(&mut pool)).collect();
        prop_assert_eq!(all.len(), 4);
    }
}

/// What became of those who queued.
#[derive(Default)]
struct Ledger {
    waiting: Vec<(u32, Option<Home>, Claim)>,
    tickets: Vec<(u32, u64)>,
    out: Vec<WorkerId>,
}

impl Ledger {
    /// Serves everyone who can be served, and checks that nobody of the same group who could have
    /// had the place was before it.
    fn settle(&mut self, pool: &mut Admission<WorkerId, u32>) {
        while let Some((name, served_by)) = pool.serve_next() {
            let at = self.waiting.iter().position(|(waiting, ..)| *waiting == name).unwrap();
            let (_, home, claim) = self.waiting.remove(at);
            // Strict callers of one key are a class; all who may go anywhere are one.
            let class = |home: Option<Home>| home.filter(|h| h.is_strict()).map(|h| h.key);
            let is_before = |(other, at_home, by): &(u32, Option<Home>, Claim)| {
                let order = |claim: Claim, name: u32| (!claim.again, name);
                let same = class(*at_home) == class(home) && by.group == claim.group;
                same && order(*by, *other) < order(claim, name)
            };
            assert!(!self.waiting.iter().any(is_before), "{name} overtook");
            self.out.push(served_by);
        }
        for (name, _) in pool.take_refused() {
            let at = self.waiting.iter().position(|(waiting, ..)| *waiting == name).unwrap();
            self.waiting.remove(at);
        }
    }
}

proptest! {
    /// With homes, deaths and people who give up: each who queued is served, refused, or still in
    /// the line; a key's callers are served in order; no worker is over its limits; and nobody who
    /// can be served anywhere waits beside a free place.
    #[test]
    fn nobody_is_lost_with_homes(
        steps in prop::collection::vec((0_u8..8, 0_usize..8, 0_u8..4, 0_u64..6), 0..200),
    ) {
        let mut pool = admission(2, 4, 9);
        let mut ledger = Ledger::default();
        let mut generations = [0_u64; 3];
        for (name, (step, pick, kind, who)) in (0_u32..).zip(steps) {
            let slot = pick % 3;
            let id = WorkerId { slot: u32::try_from(slot).unwrap(), generation: generations[slot] };
            let wish = match kind {
                0 => None,
                1 => home(pick as u64 % 3, Affinity::Hint),
                2 => home(pick as u64 % 3, Affinity::StrictQueue),
                _ => home(pick as u64 % 3, Affinity::StrictFailFast),
            };
            match step {
                0 => ledger.out.extend(pool.take_free(wish).ok().flatten()),
                1 | 2 => {
                    let claim = Claim { again: who == 5, ..of(who % 3) };
                    if let Ok(ticket) = pool.enqueue(name, wish, claim, Instant::now()) {
                        ledger.waiting.push((name, wish, claim));
                        ledger.tickets.push((name, ticket));
                    }
                }
                3 if !ledger.out.is_empty() => {
                    let lease = ledger.out.swap_remove(pick % ledger.out.len());
                    pool.release(lease, false, Instant::now());
                }
                4 => {
                    pool.remove(id);
                    ledger.out.retain(|lease| *lease != id);
                    generations[slot] += 1;
                    let next = WorkerId { generation: generations[slot], ..id };
                    pool.publish(next, next, Instant::now());
                }
                5 => pool.withdraw(id),
                6 if !ledger.tickets.is_empty() => {
                    let (name, ticket) = ledger.tickets.swap_remove(pick % ledger.tickets.len());
                    if pool.leave(ticket).is_some() {
                        ledger.waiting.retain(|(waiting, ..)| *waiting != name);
                    }
                }
                // As promised to its owner: only when none of its calls is left.
                7 if ledger.waiting.is_empty() => pool.forget(pick as u64 % 3),
                _ => {}
            }
            ledger.settle(&mut pool);
            prop_assert_eq!(pool.queued(), ledger.waiting.len());
            for (slot, generation) in generations.iter().enumerate() {
                let id = WorkerId { slot: u32::try_from(slot).unwrap(), generation: *generation };
                let out = ledger.out.iter().filter(|lease| **lease == id).count();
                prop_assert_eq!(pool.load(id), (out, out));
                prop_assert!(out <= 2);
            }
            let unbound = ledger.waiting.iter().any(|(_, home, _)| home.is_none());
            prop_assert!(!unbound || pool.take_free(None) == Ok(None));
        }
        prop_assert_eq!(pool.dismiss_all().len(), ledger.waiting.len());
        prop_assert!(pool.anyone.is_empty() && pool.called.is_empty());
    }
}
