//! A host without a free descriptor: what runs goes on, what cannot start says why, and all is well
//! soon after some are free.
//!
//! In a host of its own, because descriptors belong to a whole process.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use snakepit_bridge::snakepit::{Cause, Claim, Pool, PoolError};

use crate::Test;
use crate::fake::{Fake, Stage, lease, settled, soon};
use crate::world::fresh_mark;

pub const TESTS: &[Test] =
    &[("shortage::a_host_without_descriptors_recovers_when_some_are_free", recovers)];

fn recovers() {
    let mut host = crate::hosts::host("short", &fresh_mark(), &[]);
    assert!(host.wait().unwrap().success());
}

/// The host's part.
pub fn endure(mark: String) {
    let idle = Stage::marked(format!("{mark}idle."), |_| vec![], |config| config.workers = 0);
    Stage::marked(mark, |_| vec![], |_| {}).run(|pool, fake| async move {
        let held = lease(&pool).await;
        let taken = take_all_descriptors();
        // A second worker has no chance, and the first does not care.
        pool.resize(2, 2);
        settled(&pool, "it was tried again and again", |stats| stats.start_failures >= 3).await;
        held.link().tell("out still here");
        let heard = || fake.lines.lock().iter().any(|(_, line)| line == "still here");
        crate::world::eventually("the first works", heard).await;
        // A pool without any worker says at once why.
        idle.pool.resize(1, 1);
        let failure = refused(&idle.pool).await;
        assert!(failure.contains("Too many open files"), "{failure}");
        drop(taken);
        let both = async {
            pool.wait_ready(2, Some(soon())).await.unwrap();
            idle.pool.wait_ready(1, Some(soon())).await.unwrap();
        };
        tokio::time::timeout(Duration::from_secs(2), both).await.unwrap();
        drop(lease(&idle.pool).await);
        idle.pool.stop(Duration::from_secs(1)).await;
        drop(held);
        // A runtime must not be dropped within another.
        std::thread::spawn(move || drop(idle)).join().unwrap();
    });
}

async fn refused(pool: &Arc<Pool<Fake>>) -> String {
    let error = pool.acquire(Some(soon()), None, Claim::default()).await.map(drop).unwrap_err();
    let PoolError::Failed(failure) = &error else { panic!("{error:?}") };
    assert_eq!(failure.cause, Cause::Exhausted);
    failure.reason.clone()
}

/// Until the process has none left.
fn take_all_descriptors() -> Vec<File> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum }).unwrap();
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}
