//! Workers in control groups of their own. Where this user may not make any, the tests that need
//! one say so and prove nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use snakepit_bridge::snakepit::{Cause, CgroupLimits, PoolConfig};
use tokio::time::Instant;

use crate::Test;
use crate::fake::{Stage, lease, soon};
use crate::world;

pub const TESTS: &[Test] = &[
    ("cgroups::the_kernels_kill_for_want_of_memory_is_told_as_one", oom_kill),
    ("cgroups::a_fork_bomb_is_held_by_its_group", fork_bomb),
    ("cgroups::without_a_group_a_worker_starts_and_says_so", fallback),
    ("cgroups::a_required_group_that_cannot_be_had_fails_the_start", required),
];

const MIB: u64 = 1024 * 1024;

/// The group of this process for `controller`, if we can make groups below it.
fn parent(controller: &str) -> Option<PathBuf> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let found = groups.lines().find_map(|line| {
        let (_, line) = line.split_once(':')?;
        let (names, path) = line.split_once(':')?;
        names.split(',').any(|name| name == controller).then(|| path.to_owned())
    });
    let path = format!("/sys/fs/cgroup/{controller}{}", found.unwrap_or_default());
    let probe = Path::new(&path).join(format!("snakepit-test-{}", std::process::id()));
    if std::fs::create_dir(&probe).is_err() {
        println!("skipped: no {controller} group of version 1 can be made below {path}");
        return None;
    }
    std::fs::remove_dir(probe).unwrap();
    Some(path.into())
}

fn groups_below(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).unwrap().flatten().map(|entry| entry.path());
    entries.filter(|path| path.display().to_string().contains("/snakepit-")).collect()
}

/// A pool whose first worker starts with these limits.
fn limited(limits: CgroupLimits, change: impl FnOnce(&mut PoolConfig)) -> Stage {
    let stage = Stage::plain(|config| {
        config.workers = 0;
        change(config);
    });
    stage.fake.limits.lock().cgroup = Some(limits);
    stage.fake.limits.lock().oom_score_adj = Some(500);
    stage
}

fn oom_kill() {
    let Some(parent) = parent("memory") else { return };
    let before = groups_below(&parent);
    let limits =
        CgroupLimits { memory_bytes: Some(64 * MIB), required: true, ..Default::default() };
    limited(limits, |_| {}).run(|pool, _| async move {
        pool.resize(1, 1);
        let held = lease(&pool).await;
        let pid = pool.stats().workers[0].pid.unwrap();
        let score = std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
        assert!(score.trim().parse::<i32>().unwrap() >= 500, "{score}");
        let exited = held.exited();
        held.link().tell("eat 256");
        let exit = exited.await;
        let expected = "killed by signal 9 (SIGKILL) (the kernel's out-of-memory killer ended it)";
        assert_eq!((exit.to_string().as_str(), exit.cause), (expected, Cause::Memory));
        // A stranger's kill in the next one is not taken for the kernel's.
        let next = lease(&pool).await;
        let exited = next.exited();
        next.link().tell("signal 9");
        assert_eq!(exited.await.cause, Cause::Unasked);
    });
    let left: Vec<_> =
        groups_below(&parent).into_iter().filter(|path| !before.contains(path)).collect();
    assert!(left.iter().all(|path| !path.exists()), "left behind: {left:?}");
}

fn fork_bomb() {
    let Some(_) = parent("pids") else { return };
    let limits = CgroupLimits { processes: Some(64), required: true, ..Default::default() };
    limited(limits, |config| config.kill_grace = Duration::from_secs(20)).run(
        |pool, fake| async move {
            pool.resize(1, 1);
            let held = lease(&pool).await;
            held.link().tell("explode");
            let mark = fake.mark.clone();
            world::eventually("it has gone off", || world::marked(&mark).len() > 50).await;
            // Worker and children alike; the guard is outside.
            assert!(world::marked(&fake.mark).len() <= 65);
            let exited = held.exited();
            pool.recycle(held.worker(), "it explodes");
            let exit = exited.await;
            assert_eq!(exit.cause, Cause::Forced);
            assert_eq!(lease(&pool).await.worker().generation, 2);
        },
    );
}

/// A controller that there is not: no kernel has a group with room for it.
fn impossible(required: bool) -> CgroupLimits {
    CgroupLimits {
        memory_bytes: Some(u64::MAX),
        processes: Some(u64::MAX),
        required,
        ..Default::default()
    }
}

fn fallback() {
    limited(impossible(false), |_| {}).run(|pool, fake| async move {
        pool.resize(1, 1);
        drop(lease(&pool).await);
        world::eventually("it is noted", || {
            fake.lines.lock().iter().any(|(_, line)| line.contains("without a control group"))
        })
        .await;
    });
}

fn required() {
    let stage = limited(impossible(true), |config| config.restart_failures_max = 1);
    stage.run(|pool, _| async move {
        pool.resize(1, 1);
        let began = Instant::now();
        let error = pool.wait_ready(1, Some(soon())).await.unwrap_err();
        assert!(error.to_string().contains("control group: "), "{error}");
        assert!(began.elapsed() < Duration::from_secs(20));
    });
}
