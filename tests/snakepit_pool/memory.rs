//! Workers that take memory: what they and their descendants take is measured, and too much of it
//! ends them.

use std::time::Duration;

use snakepit_bridge::snakepit::{Cause, Claim, Exit, Pool, PoolConfig, PoolError, PoolStats};

use crate::Test;
use crate::fake::{Fake, Stage, lease, settled, soon};

pub const TESTS: &[Test] = &[
    ("memory::a_worker_above_its_hard_limit_is_killed_at_once", hard_limit),
    ("memory::a_worker_that_takes_too_much_does_not_start", hard_limit_at_start),
    ("memory::what_a_worker_has_started_counts_too", whole_tree),
];

const MIB: u64 = 1024 * 1024;

fn watched(config: &mut PoolConfig) {
    config.probe_interval = Duration::from_millis(20);
    config.memory_hard_bytes = Some(200 * MIB);
}

fn assert_too_heavy(exit: &Exit) {
    assert_eq!(exit.cause, Cause::Memory);
    let text = exit.to_string();
    assert!(text.starts_with("killed by signal 9 (SIGKILL) (it takes "), "{text}");
    assert!(text.ends_with(" bytes of memory, hard limit 209715200)"), "{text}");
}

fn hard_limit() {
    Stage::plain(watched).run(|pool, _| async move {
        let held = lease(&pool).await;
        let (failing, exited) = (held.failing(), held.exited());
        held.link().tell("eat 100");
        settled(&pool, "it has grown", |stats| resident(stats) > 100 * MIB).await;
        held.link().tell("eat 150");
        assert_eq!(failing.await.cause, Cause::Memory);
        let exit = exited.await;
        assert_too_heavy(&exit);
        assert!(!exit.is_expected());
        let next = lease(&pool).await;
        assert_eq!(next.worker().generation, held.worker().generation + 1);
    });
}

fn hard_limit_at_start() {
    let script = |_| vec!["eat 250".to_owned(), "hang".to_owned()];
    let stage = Stage::scripted(script, |config| {
        watched(config);
        config.restart_failures_max = 1;
    });
    stage.run(|pool, fake| async move {
        let refused = acquire(&pool).await;
        let PoolError::Failed(failure) = refused else { panic!("{refused:?}") };
        assert!(failure.reason.contains("hard limit 209715200"), "{}", failure.reason);
        let exit = fake.exit_of(failure.worker).unwrap();
        assert_too_heavy(&exit);
    });
}

fn whole_tree() {
    let stage = Stage::plain(|config| {
        watched(config);
        config.memory_hard_bytes = None;
    });
    stage.run(|pool, _| async move {
        let held = lease(&pool).await;
        settled(&pool, "it was weighed", |stats| resident(stats) > 0).await;
        assert!(resident(&pool.stats()) < 60 * MIB, "{:?}", pool.stats());
        // In another session, with another parent.
        held.link().tell("hoarder");
        settled(&pool, "its child has grown", |stats| resident(stats) > 60 * MIB).await;
    });
}

async fn acquire(pool: &Pool<Fake>) -> PoolError {
    pool.acquire(Some(soon()), None, Claim::default()).await.map(drop).unwrap_err()
}

fn resident(stats: &PoolStats) -> u64 {
    stats.workers.first().and_then(|row| row.resident_bytes).unwrap_or(0)
}
