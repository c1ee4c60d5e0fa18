//! The number of workers and their turnover: growth under load, shrinking when idle, workers that
//! are replaced without anyone noticing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use snakepit_bridge::snakepit::{Adapter, Claim, Lease, PoolError, PoolState, WorkerId};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::Test;
use crate::fake::{Fake, Stage, free, lease, settled, soon};

pub const TESTS: &[Test] = &[
    ("scaling::a_pool_grows_while_callers_wait_and_shrinks_when_idle", grows_and_shrinks),
    ("scaling::a_call_that_cannot_be_served_in_time_is_refused_at_once", cannot_meet),
    ("scaling::workers_are_replaced_under_load_without_a_failed_call", replaced_under_load),
    ("scaling::an_old_worker_is_replaced", replaced_by_age),
    ("scaling::a_newcomer_that_fails_leaves_the_old_one_serving", failing_newcomer),
    ("scaling::an_old_worker_that_dies_meanwhile_leaves_its_place_to_the_newcomer", old_one_dies),
    ("scaling::a_smaller_pool_calls_its_replacements_off", replacement_called_off),
];

fn grows_and_shrinks() {
    Stage::plain(|config| config.workers_max = 3).run(|pool, fake| async move {
        pool.wait_ready(1, Some(soon())).await.unwrap();
        assert_eq!(pool.stats().wanted, 1);
        let (one, two, three) = tokio::join!(lease(&pool), lease(&pool), lease(&pool));
        let stats = pool.stats();
        assert_eq!((stats.wanted, stats.running), (3, 3), "one lease for each worker");
        assert_eq!(pool.state(), PoolState::Healthy);
        // As many as may be: who comes now waits.
        let late = pool
            .acquire(Some(Instant::now() + Duration::from_millis(200)), None, Claim::default())
            .await;
        assert!(matches!(late, Err(PoolError::DeadlinePassed { .. })));
        assert_eq!(pool.stats().wanted, 3);
        drop((one, two, three));
        settled(&pool, "it shrinks", |stats| stats.wanted == 1 && stats.workers.len() == 1).await;
        for (worker, exit) in fake.gone.lock().iter() {
            assert!(exit.to_string().ends_with("(it is no longer wanted)"), "{worker}: {exit}");
        }
        pool.resize(2, 2);
        pool.wait_ready(2, Some(soon())).await.unwrap();
    });
}

fn cannot_meet() {
    Stage::plain(|config| config.queue_max = 16).run(|pool, _| async move {
        for _ in 0..24 {
            let working = lease(&pool).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
            drop(working);
        }
        let held = lease(&pool).await;
        let waiters: Vec<_> = (0..9)
            .map(|_| {
                let pool = pool.clone();
                Handle::current().spawn(async move { drop(lease(&pool).await) })
            })
            .collect();
        settled(&pool, "nine queue", |stats| stats.queued == 9).await;
        let told = pool
            .acquire(Some(Instant::now() + Duration::from_millis(40)), None, Claim::default())
            .await;
        let Err(PoolError::CannotMeet { expected, remaining }) = told else {
            panic!("{:?}", told.err())
        };
        assert!(expected >= Duration::from_millis(90) && remaining < expected, "{expected:?}");
        drop(held);
        for waiter in waiters {
            waiter.await.unwrap();
        }
    });
}

/// Works until told to stop: every call has to be answered by its worker.
async fn work(lease: Lease<Fake>, fake: &Fake) {
    fake.probe(lease.link()).await.unwrap();
}

fn replaced_under_load() {
    let stage = Stage::plain(|config| {
        config.workers = 3;
        config.calls_per_worker = 2;
        config.queue_max = 64;
        config.terms.leases_max = Some(40);
    });
    stage.run(|pool, fake| async move {
        pool.wait_ready(3, Some(soon())).await.unwrap();
        let fewest = Arc::new(AtomicUsize::new(3));
        let callers = (0..10).map(|_| {
            let (pool, fake, fewest) = (pool.clone(), fake.clone(), fewest.clone());
            Handle::current().spawn(async move {
                while pool.stats().recycled < 9 {
                    work(lease(&pool).await, &fake).await;
                    fewest.fetch_min(pool.stats().ready, Ordering::Relaxed);
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
        assert_eq!(fewest.load(Ordering::Relaxed), 3, "there was a moment with fewer workers");
        let stats = pool.stats();
        assert_eq!((stats.losses, stats.start_failures, stats.refused), (0, 0, 0));
        for (worker, exit) in fake.gone.lock().iter() {
            assert!(exit.to_string().contains("(it has served "), "{worker}: {exit}");
        }
    });
}

fn replaced_by_age() {
    let stage = Stage::plain(|config| config.terms.age_max = Some(Duration::from_millis(300)));
    stage.run(|pool, fake| async move {
        let old = lease(&pool).await.worker();
        settled(&pool, "it is replaced", |stats| stats.recycled > 0).await;
        settled(&pool, "the old one leaves", |_| fake.exit_of(old).is_some()).await;
        let exit = fake.exit_of(old).unwrap().to_string();
        assert_eq!(exit, "exited with code 0 (it is 0 s old)");
    });
}

fn failing_newcomer() {
    Stage::plain(|config| config.workers = 2).run(|pool, fake| async move {
        pool.wait_ready(2, Some(soon())).await.unwrap();
        let old = WorkerId { slot: 0, generation: 1 };
        fake.set_script(|_| vec!["exit 4".to_owned()]);
        pool.replace(old, "it is time");
        pool.replace(old, "it is time again");
        settled(&pool, "the newcomer fails", |stats| stats.start_failures == 1).await;
        settled(&pool, "and is gone", |stats| stats.workers.len() == 2).await;
        assert_eq!((pool.stats().ready, pool.stats().recycled), (2, 0));
        let PoolState::Degraded { reasons } = pool.state() else { panic!("{:?}", pool.state()) };
        assert!(reasons[0].starts_with("worker 0.1 is due, and worker 2.1 did not"), "{reasons:?}");
        fake.set_script(|_| vec![]);
        pool.replace(old, "it is time");
        settled(&pool, "it is replaced", |stats| stats.recycled == 1).await;
        settled(&pool, "the old one leaves", |_| fake.exit_of(old).is_some()).await;
        assert_eq!(fake.exit_of(old).unwrap().to_string(), "exited with code 0 (it is time)");
        assert_eq!(pool.state(), PoolState::Healthy);
        let slots: Vec<u32> = pool.stats().workers.iter().map(|row| row.slot).collect();
        assert_eq!(slots, [1, 2], "it has the spare place");
    });
}

fn old_one_dies() {
    Stage::plain(|_| {}).run(|pool, fake| async move {
        let held = lease(&pool).await;
        // The newcomer starts and does not become ready for now.
        fake.set_script(|worker| match worker.slot {
            0 => vec![],
            _ => vec!["hang".to_owned()],
        });
        pool.replace(held.worker(), "it is time");
        settled(&pool, "another one starts", |stats| stats.starting == 1).await;
        held.link().tell("abort");
        held.exited().await;
        drop(held);
        settled(&pool, "only the newcomer is left", |stats| stats.workers.len() == 1).await;
        let newcomer = pool.stats().workers[0].slot;
        assert_eq!((newcomer, pool.stats().wanted), (1, 1));
    });
}

fn replacement_called_off() {
    Stage::plain(|config| config.workers = 2).run(|pool, fake| async move {
        pool.wait_ready(2, Some(soon())).await.unwrap();
        fake.set_script(|_| vec!["hang".to_owned()]);
        let busy = lease(&pool).await;
        pool.replace(busy.worker(), "it is time");
        settled(&pool, "another one starts", |stats| stats.starting == 1).await;
        pool.resize(1, 0);
        settled(&pool, "one stays", |stats| stats.workers.len() == 1 && stats.ready == 1).await;
        assert_eq!(pool.stats().workers[0].slot, busy.worker().slot, "the idle one has gone");
        drop(busy);
        assert!(free(&pool).is_some());
        assert_eq!(pool.state(), PoolState::Healthy);
    });
}
