//! Pools that empty: drained and brought back, stopped within their bound whatever happens to a
//! worker, to the pool's own tasks or to their runtime.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use snakepit_bridge::snakepit::{Claim, PoolError, PoolState};
use tokio::time::Instant;

use crate::Test;
use crate::fake::{Stage, free, lease, settled, soon};
use crate::world;

pub const TESTS: &[Test] = &[
    ("ending::a_drained_pool_is_empty_until_it_gets_a_size", drained_and_back),
    ("ending::a_drain_does_not_wait_longer_than_its_grace", drain_grace),
    ("ending::a_new_size_calls_a_drain_off", drain_called_off),
    ("ending::stopping_takes_at_most_two_seconds_beyond_the_grace", stop_is_bounded),
    ("ending::a_panic_in_the_adapter_costs_one_start", adapter_panics),
    ("ending::a_pool_whose_runtime_is_gone_can_be_stopped", runtime_gone),
];

fn drained_and_back() {
    Stage::plain(|config| config.workers = 2).run(|pool, fake| async move {
        pool.wait_ready(2, Some(soon())).await.unwrap();
        let (held, other) = (lease(&pool).await, lease(&pool).await);
        let waiting = pool.acquire(None, None, Claim::default());
        let drain = pool.drain(Duration::from_secs(20));
        let act = async {
            settled(&pool, "both drain", |stats| stats.draining == 2).await;
            assert_eq!(pool.state(), PoolState::Draining);
            assert!(matches!(pool.try_acquire(None), Err(PoolError::Drained)));
            drop((held, other));
        };
        let queued = async {
            settled(&pool, "one queues", |stats| stats.queued == 1).await;
            tokio::join!(drain, act).0
        };
        let (refused, drained) = tokio::join!(waiting, queued);
        assert!(matches!(refused, Err(PoolError::Drained)));
        drained.unwrap();
        assert_eq!(pool.state(), PoolState::Drained);
        assert!(world::marked(&fake.mark).is_empty());
        assert!(fake.gone.lock().iter().all(|(_, exit)| exit.is_expected()));
        pool.drain(Duration::ZERO).await.unwrap();
        assert!(matches!(pool.wait_ready(1, None).await, Err(PoolError::Drained)));
        pool.resize(1, 0);
        drop(lease(&pool).await);
        assert_eq!(pool.state(), PoolState::Healthy);
    });
}

fn drain_grace() {
    Stage::plain(|_| {}).run(|pool, _| async move {
        let held = lease(&pool).await;
        let exited = held.exited();
        held.link().tell("hang");
        pool.drain(Duration::from_millis(50)).await.unwrap();
        assert_eq!(exited.await.kind.to_string(), "killed by signal 15 (SIGTERM)");
        drop(held);
    });
}

fn drain_called_off() {
    Stage::plain(|_| {}).run(|pool, _| async move {
        let held = lease(&pool).await;
        let drain = pool.drain(Duration::from_secs(20));
        let resize = async {
            settled(&pool, "it drains", |stats| stats.draining == 1).await;
            pool.resize(1, 0);
        };
        let (drained, ()) = tokio::join!(drain, resize);
        assert!(matches!(drained, Err(PoolError::CalledOff)), "{drained:?}");
        drop(held);
        drop(lease(&pool).await);
    });
}

fn stop_is_bounded() {
    // More time for one step than a stop has for all.
    Stage::plain(|config| config.kill_grace = Duration::from_secs(30)).run(|pool, _| async move {
        let held = lease(&pool).await;
        let pid = pool.stats().workers[0].pid.unwrap();
        // A stopped process does not take TERM.
        kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), Signal::STOP).unwrap();
        let (began, grace) = (Instant::now(), Duration::from_millis(100));
        pool.stop(grace).await;
        assert!(began.elapsed() <= grace + Duration::from_secs(2), "{:?}", began.elapsed());
        assert_eq!(held.exited().await.kind.to_string(), "killed by signal 9 (SIGKILL)");
    });
}

fn adapter_panics() {
    let stage = Stage::scripted(
        |worker| match (worker.slot, worker.generation) {
            (1, 1) => panic!("this panic is part of a test"),
            _ => vec![],
        },
        |config| config.workers = 2,
    );
    stage.run(|pool, _| async move {
        settled(&pool, "it is counted", |stats| stats.start_failures == 1).await;
        pool.wait_ready(2, Some(soon())).await.unwrap();
        let generations: Vec<u64> = pool.stats().workers.iter().map(|row| row.generation).collect();
        assert_eq!(generations, [1, 2]);
    });
}

fn runtime_gone() {
    let Stage { runtime, pool, fake, .. } = Stage::plain(|config| config.workers = 2);
    runtime.block_on(async { pool.wait_ready(2, Some(soon())).await.unwrap() });
    let held = runtime.block_on(lease(&pool));
    runtime.shutdown_timeout(Duration::from_secs(10));
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    other.block_on(async {
        assert!(free(&pool).is_none(), "no worker is left");
        let limit = Duration::from_secs(10);
        let exit = tokio::time::timeout(limit, held.exited()).await.unwrap();
        assert!(!exit.is_expected());
        tokio::time::timeout(limit, pool.stop(Duration::from_secs(1))).await.unwrap();
        assert_eq!(pool.state(), PoolState::Stopped);
    });
    world::wait_clean(&fake.mark, Duration::from_secs(10));
}
