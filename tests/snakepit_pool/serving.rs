//! Leases: capacity, order, refusals, lending, resizing, stopping.

use std::sync::Arc;
use std::time::Duration;

use snakepit_bridge::snakepit::{Claim, PoolError, PoolState, WorkerId};
use tokio::time::Instant;

use crate::Test;
use crate::fake::{Stage, free, lease, settled, soon};

pub const TESTS: &[Test] = &[
    ("serving::a_worker_starts_serves_and_leaves", starts_serves_and_leaves),
    ("serving::capacity_is_shared_out_evenly", capacity_is_shared_out_evenly),
    ("serving::waiters_are_served_in_order", waiters_are_served_in_order),
    ("serving::a_full_queue_refuses_at_once", full_queue_refuses),
    ("serving::a_deadline_ends_the_waiting", deadline_ends_the_waiting),
    ("serving::a_waiter_that_gives_up_costs_nobody_a_place", giving_up_costs_nothing),
    ("serving::a_lent_unit_serves_nested_work", lent_unit_serves_nested_work),
    ("serving::resizing_grows_and_shrinks_without_breaking_work", resizing),
    ("serving::stopping_is_shared_and_refuses_newcomers", stopping),
    ("serving::work_in_hand_is_finished_before_the_grace_is_over", stopping_lets_work_finish),
    ("serving::dropping_the_pool_ends_its_workers", dropping),
    ("serving::what_workers_print_arrives_in_lines", output),
];

fn starts_serves_and_leaves() {
    Stage::plain(|_| {}).run(|pool, fake| async move {
        pool.wait_ready(1, Some(soon())).await.unwrap();
        assert_eq!(pool.state(), PoolState::Healthy);
        let held = free(&pool).unwrap();
        assert_eq!(held.worker(), WorkerId { slot: 0, generation: 1 });
        assert!(free(&pool).is_none());
        let stats = pool.stats();
        assert_eq!((stats.ready, stats.running, stats.held), (1, 1, 1));
        assert!(stats.workers[0].pid.is_some());
        let exited = held.exited();
        drop(held);
        drop(free(&pool).unwrap());
        pool.stop(Duration::from_secs(5)).await;
        let exit = exited.await;
        assert!(exit.is_expected(), "{exit}");
        assert_eq!(exit.kind.to_string(), "exited with code 0");
        assert_eq!(fake.gone_ids(), [WorkerId { slot: 0, generation: 1 }]);
        assert_eq!(pool.state(), PoolState::Stopped);
    });
}

fn capacity_is_shared_out_evenly() {
    let stage = Stage::plain(|config| {
        config.workers = 3;
        config.calls_per_worker = 2;
    });
    stage.run(|pool, _| async move {
        pool.wait_ready(3, Some(soon())).await.unwrap();
        let leases: Vec<_> = std::iter::from_fn(|| free(&pool)).collect();
        assert_eq!(leases.len(), 6);
        for row in pool.stats().workers {
            assert_eq!(row.running, 2, "{row:?}");
        }
    });
}

fn waiters_are_served_in_order() {
    Stage::plain(|_| {}).run(|pool, _| async move {
        let first = lease(&pool).await;
        let served = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let mut waiters = Vec::new();
        for number in 0..5 {
            let (pool, served) = (pool.clone(), served.clone());
            let queued = pool.stats().queued;
            let waiter = {
                let pool = pool.clone();
                async move {
                    let lease = lease(&pool).await;
                    served.lock().push(number);
                    drop(lease);
                }
            };
            waiters.push(tokio::runtime::Handle::current().spawn(waiter));
            settled(&pool, "it queues", |stats| stats.queued == queued + 1).await;
        }
        assert!(free(&pool).is_none());
        drop(first);
        for waiter in waiters {
            waiter.await.unwrap();
        }
        assert_eq!(*served.lock(), [0, 1, 2, 3, 4]);
    });
}

fn full_queue_refuses() {
    Stage::plain(|config| config.queue_max = 1).run(|pool, _| async move {
        let _held = lease(&pool).await;
        let waiting = pool.acquire(Some(soon()), None, Claim::default());
        let refused = async {
            settled(&pool, "one queues", |stats| stats.queued == 1).await;
            match pool.acquire(None, None, Claim::default()).await {
                Err(PoolError::Full { queue_max: 1 }) => {}
                other => panic!("{:?}", other.err()),
            }
        };
        tokio::select! {
            _ = waiting => panic!("there was no place for it"),
            () = refused => {}
        }
        assert_eq!(pool.stats().queued, 0, "dropping the future leaves the queue");
    });
}

fn deadline_ends_the_waiting() {
    Stage::plain(|_| {}).run(|pool, _| async move {
        let held = lease(&pool).await;
        let late = pool
            .acquire(Some(Instant::now() + Duration::from_millis(30)), None, Claim::default())
            .await;
        assert!(matches!(late, Err(PoolError::DeadlinePassed { .. })));
        let past = pool.acquire(Some(Instant::now()), None, Claim::default()).await;
        assert!(matches!(past, Err(PoolError::DeadlinePassed { .. })));
        assert_eq!(pool.stats().queued, 0);
        drop(held);
        drop(lease(&pool).await);
    });
}

fn giving_up_costs_nothing() {
    Stage::plain(|config| config.queue_max = 64).run(|pool, _| async move {
        let runtime = tokio::runtime::Handle::current();
        let held = lease(&pool).await;
        let waiters: Vec<_> = (0..50)
            .map(|_| {
                let pool = pool.clone();
                runtime.spawn(async move { drop(lease(&pool).await) })
            })
            .collect();
        settled(&pool, "all queue", |stats| stats.queued == 50).await;
        // Places are handed out while their takers are being cancelled.
        drop(held);
        for waiter in &waiters {
            waiter.abort();
        }
        for waiter in waiters {
            let _ = waiter.await;
        }
        drop(lease(&pool).await);
        let stats = pool.stats();
        assert_eq!((stats.queued, stats.running), (0, 0));
    });
}

fn lent_unit_serves_nested_work() {
    Stage::plain(|config| config.held_max = 2).run(|pool, _| async move {
        let outer = lease(&pool).await;
        let nested = {
            let pool = pool.clone();
            tokio::runtime::Handle::current().spawn(async move { lease(&pool).await })
        };
        settled(&pool, "it queues", |stats| stats.queued == 1).await;
        outer.lend();
        outer.lend();
        let inner = nested.await.unwrap();
        assert_eq!(inner.worker(), outer.worker());
        inner.lend();
        assert!(free(&pool).is_none(), "two are held");
        inner.reclaim();
        outer.reclaim();
        outer.reclaim();
        let stats = pool.stats();
        assert_eq!((stats.running, stats.held), (2, 2), "reclaiming does not wait");
        drop(inner);
        assert!(free(&pool).is_none());
        outer.lend();
        drop(outer);
        drop(free(&pool).unwrap());
        assert_eq!(pool.stats().held, 0);
    });
}

fn resizing() {
    Stage::plain(|_| {}).run(|pool, fake| async move {
        pool.resize(3, 0);
        pool.wait_ready(3, Some(soon())).await.unwrap();
        let leases: Vec<_> = std::iter::from_fn(|| free(&pool)).collect();
        assert_eq!(leases.len(), 3);
        pool.resize(1, 0);
        settled(&pool, "two drain", |stats| stats.draining == 2 || stats.workers.len() < 3).await;
        drop(leases);
        settled(&pool, "two leave", |stats| stats.workers.len() == 1).await;
        for (worker, exit) in fake.gone.lock().iter() {
            assert!(exit.is_expected() && worker.slot > 0, "{worker}: {exit}");
        }
        // A slot that was given up starts a new life.
        pool.resize(2, 0);
        pool.wait_ready(2, Some(soon())).await.unwrap();
        let generations: Vec<u64> = pool.stats().workers.iter().map(|row| row.generation).collect();
        assert_eq!(generations, [1, 2]);
        assert_eq!(pool.state(), PoolState::Healthy);
        pool.resize(0, 0);
        settled(&pool, "all leave", |stats| stats.workers.is_empty()).await;
    });
}

fn stopping() {
    Stage::plain(|config| config.workers = 2).run(|pool, fake| async move {
        pool.wait_ready(2, Some(soon())).await.unwrap();
        let _busy: Vec<_> = std::iter::from_fn(|| free(&pool)).collect();
        let waiting = pool.acquire(None, None, Claim::default());
        let stop_all = async {
            settled(&pool, "one queues", |stats| stats.queued == 1).await;
            let stops = (0..4).map(|_| {
                let (pool, fake) = (pool.clone(), fake.clone());
                tokio::runtime::Handle::current().spawn(async move {
                    pool.stop(Duration::from_millis(50)).await;
                    assert_eq!(fake.gone.lock().len(), 2);
                    assert_eq!(pool.state(), PoolState::Stopped);
                })
            });
            for stop in stops.collect::<Vec<_>>() {
                stop.await.unwrap();
            }
        };
        let (refused, ()) = tokio::join!(waiting, stop_all);
        assert!(matches!(refused, Err(PoolError::Closed)));
        assert!(matches!(pool.acquire(None, None, Claim::default()).await, Err(PoolError::Closed)));
        assert!(matches!(pool.wait_ready(1, None).await, Err(PoolError::Closed)));
        pool.resize(2, 0);
        assert!(free(&pool).is_none() && pool.stats().workers.is_empty());
        pool.stop(Duration::ZERO).await;
    });
}

fn stopping_lets_work_finish() {
    // A worker that does not leave when asked, only on TERM, and only after its lease is back.
    Stage::plain(|config| config.kill_grace = Duration::from_secs(10)).run(|pool, _| async move {
        let held = lease(&pool).await;
        let exited = held.exited();
        held.link().tell("hang");
        let stop = pool.stop(Duration::from_millis(50));
        let ((), exit) = tokio::join!(stop, exited);
        assert_eq!(exit.kind.to_string(), "killed by signal 15 (SIGTERM)");
        assert!(exit.is_expected());
        drop(held);
    });
}

fn dropping() {
    let stage = Stage::plain(|config| config.workers = 2);
    let Stage { runtime, pool, fake, .. } = stage;
    runtime.block_on(async {
        pool.wait_ready(2, Some(soon())).await.unwrap();
        drop(pool);
        crate::world::eventually("both leave", || fake.gone.lock().len() == 2).await;
    });
    assert!(crate::world::marked(&fake.mark).is_empty());
}

fn output() {
    let long = "x".repeat(300);
    let first = vec!["out one".to_owned(), format!("err {long}")];
    let stage = Stage::scripted(move |_| first.clone(), |_| {});
    stage.run(|pool, fake| async move {
        use snakepit_bridge::snakepit::OutputStream::{Stderr, Stdout};
        let held = lease(&pool).await;
        held.link().tell("out two");
        let cut = format!("{} [44 more bytes]", "x".repeat(256));
        let expected = [(Stdout, "one".to_owned()), (Stderr, cut), (Stdout, "two".to_owned())];
        crate::world::eventually("all lines arrive", || {
            let lines = fake.lines.lock();
            expected.iter().all(|line| lines.contains(line)) && lines.len() == 3
        })
        .await;
    });
}
