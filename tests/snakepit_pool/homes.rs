//! Homes: calls of one key and the worker that serves them, also when that worker dies.
//!
//! Only what needs real workers; order and bounds of the line are tested with the pure admission.

use std::time::Duration;

use snakepit_bridge::snakepit::{Affinity, Claim, Home, Lease, Pool, PoolError};

use crate::Test;
use crate::fake::{Fake, Stage, free, lease, settled, soon};

pub const TESTS: &[Test] = &[
    ("homes::strict_calls_of_a_key_meet_the_same_worker", strict_calls_meet),
    ("homes::a_killed_home_is_told_of_once_and_replaced", killed_home),
    ("homes::those_who_wait_for_a_home_that_dies_hear_of_it", waiting_hear),
    ("homes::a_hint_moves_to_where_there_is_room", hint_moves),
    ("homes::a_withdrawn_home_is_left_at_once", withdrawn_home),
];

fn two_workers() -> Stage {
    Stage::plain(|config| config.workers = 2)
}

fn home(key: u64, affinity: Affinity) -> Option<Home> {
    Some(Home { key, affinity })
}

async fn strict(pool: &Pool<Fake>, key: u64) -> Result<Lease<Fake>, PoolError> {
    pool.acquire(Some(soon()), home(key, Affinity::StrictQueue), Claim::default()).await
}

fn strict_calls_meet() {
    two_workers().run(|pool, _| async move {
        pool.wait_ready(2, Some(soon())).await.unwrap();
        let first = strict(&pool, 7).await.unwrap().worker();
        let other = strict(&pool, 8).await.unwrap().worker();
        assert_ne!(first, other, "idle workers take turns");
        for _ in 0..4 {
            assert_eq!(strict(&pool, 7).await.unwrap().worker(), first);
            assert_eq!(strict(&pool, 8).await.unwrap().worker(), other);
        }
        let held = strict(&pool, 7).await.unwrap();
        let busy = pool.try_acquire(home(7, Affinity::StrictFailFast));
        let Err(PoolError::HomeBusy { worker }) = busy else { panic!("{:?}", busy.err()) };
        assert_eq!(worker, first);
        assert!(pool.try_acquire(home(7, Affinity::StrictQueue)).unwrap().is_none());
        // Who waits at a busy home blocks nobody else.
        let waiting = strict(&pool, 7);
        let others = async {
            settled(&pool, "it queues", |stats| stats.queued == 1).await;
            assert_eq!(lease(&pool).await.worker(), other);
            drop(held);
        };
        let (served, ()) = tokio::join!(waiting, others);
        assert_eq!(served.unwrap().worker(), first);
        pool.forget(7);
        assert!(strict(&pool, 7).await.is_ok());
    });
}

fn killed_home() {
    two_workers().run(|pool, _| async move {
        pool.wait_ready(2, Some(soon())).await.unwrap();
        let held = strict(&pool, 7).await.unwrap();
        let (old, exited) = (held.worker(), held.exited());
        held.link().tell("abort");
        exited.await;
        drop(held);
        pool.wait_ready(2, Some(soon())).await.unwrap();
        let told = strict(&pool, 7).await;
        let Err(PoolError::HomeGone { worker }) = told else { panic!("{:?}", told.err()) };
        assert_eq!(worker, old);
        let new = strict(&pool, 7).await.unwrap().worker();
        assert_ne!(new, old);
        assert_eq!(strict(&pool, 7).await.unwrap().worker(), new);
    });
}

fn waiting_hear() {
    two_workers().run(|pool, _| async move {
        let held = strict(&pool, 7).await.unwrap();
        let (first, second) = (strict(&pool, 7), strict(&pool, 7));
        let kill = async {
            settled(&pool, "both queue", |stats| stats.queued == 2).await;
            held.link().tell("abort");
            held.worker()
        };
        let (first, second, old) = tokio::join!(first, second, kill);
        for told in [first, second] {
            let Err(PoolError::HomeGone { worker }) = told else { panic!("{:?}", told.err()) };
            assert_eq!(worker, old);
        }
        // They have been told, so the next call starts anew.
        assert_ne!(strict(&pool, 7).await.unwrap().worker(), old);
        drop(held);
    });
}

fn hint_moves() {
    two_workers().run(|pool, _| async move {
        pool.wait_ready(2, Some(soon())).await.unwrap();
        let hint = || pool.try_acquire(home(7, Affinity::Hint)).unwrap().unwrap();
        let first = hint();
        let old = first.worker();
        let second = hint();
        assert_ne!(second.worker(), old, "it does not wait");
        let new = second.worker();
        drop((first, second));
        assert_eq!(hint().worker(), new, "that is its home now");
        assert_eq!(hint().worker(), new);
    });
}

fn withdrawn_home() {
    let stage = Stage::plain(|config| {
        config.workers = 2;
        config.calls_per_worker = 2;
        config.kill_grace = Duration::from_secs(20);
    });
    stage.run(|pool, _| async move {
        pool.wait_ready(2, Some(soon())).await.unwrap();
        let (one, two) = (strict(&pool, 7).await.unwrap(), strict(&pool, 7).await.unwrap());
        let waiting = strict(&pool, 7);
        let withdraw = async {
            settled(&pool, "it queues", |stats| stats.queued == 1).await;
            pool.recycle(one.worker(), "a call is stuck");
        };
        let (told, ()) = tokio::join!(waiting, withdraw);
        assert!(matches!(told, Err(PoolError::HomeGone { .. })));
        assert!(free(&pool).is_some_and(|other| other.worker() != one.worker()));
        drop((one, two));
    });
}
