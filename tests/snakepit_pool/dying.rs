//! Workers that die, hang or have to go: how the end is told, and that another takes the place.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use snakepit_bridge::snakepit::{Cause, Exit, Lease, Pool, WorkerId};

use crate::Test;
use crate::fake::{Fake, Stage, free, lease, settled, soon};
use crate::world;

pub const TESTS: &[Test] = &[
    ("dying::every_kind_of_end_is_told_apart", every_kind_of_end),
    ("dying::a_killed_worker_is_replaced_and_its_tree_goes_along", killed_with_its_tree),
    ("dying::a_broken_link_is_the_end_of_a_worker", broken_link),
    ("dying::a_worker_without_a_sign_of_life_is_killed", no_sign_of_life),
    ("dying::a_stopped_worker_is_found_out", stopped),
    ("dying::a_worker_that_ignores_abort_is_killed", deaf_to_abort),
    ("dying::a_crash_on_the_way_out_is_told_as_one", crash_while_leaving),
    ("dying::a_recycled_worker_waits_for_the_others_then_dies", recycled),
    ("dying::a_recycled_worker_is_killed_after_the_grace", recycled_by_force),
    ("dying::a_killed_guard_takes_its_worker_along", killed_guard),
    ("dying::a_stopped_guard_is_killed_in_the_end", stopped_guard),
    ("dying::programs_that_fork_for_ever_end_too", rabbits),
];

/// The lease's worker does as it is told, and dies of it.
async fn die(lease: &Lease<Fake>, order: &str) -> Exit {
    let exited = lease.exited();
    lease.link().tell(order);
    exited.await
}

pub fn next(worker: WorkerId) -> WorkerId {
    WorkerId { generation: worker.generation + 1, ..worker }
}

fn every_kind_of_end() {
    // The slot fails again and again: that must not count as failing to start.
    Stage::plain(|_| {}).run(|pool, fake| async move {
        let cases = [
            ("exit 0", "exited with code 0"),
            ("exit 3", "exited with code 3"),
            ("signal 11", "killed by signal 11 (SIGSEGV)"),
            ("abort", "killed by signal 6 (SIGABRT)"),
            ("signal 9", "killed by signal 9 (SIGKILL)"),
            ("signal 15", "killed by signal 15 (SIGTERM)"),
        ];
        let mut before = None;
        for (order, expected) in cases {
            let held = lease(&pool).await;
            if let Some(before) = before {
                assert_eq!(held.worker(), next(before));
            }
            before = Some(held.worker());
            let exit = die(&held, order).await;
            assert_eq!(exit.to_string(), expected);
            assert!(!exit.is_expected());
            assert!(fake.exit_of(held.worker()).is_some(), "the adapter was told first");
        }
        let stats = pool.stats();
        assert_eq!(stats.start_failures, 0);
        pool.wait_ready(1, Some(soon())).await.unwrap();
        assert_eq!((pool.stats().losses, pool.stats().restarts), (6, 6));
    });
}

fn killed_with_its_tree() {
    let script = |_| vec!["daemon".to_owned(), "deaf".to_owned(), "daemon".to_owned()];
    Stage::scripted(script, |_| {}).run(|pool, fake| async move {
        let held = lease(&pool).await;
        let pid = pid(&pool, held.worker());
        // Guard, worker, and what it left behind: two daemons and a deaf one.
        world::eventually("its family is there", || world::marked(&fake.mark).len() >= 5).await;
        let before: Vec<u32> = world::marked(&fake.mark).iter().map(|(pid, _)| *pid).collect();
        fake.set_script(|_| vec![]);
        kill_process(pid, Signal::KILL).unwrap();
        let exit = held.exited().await;
        assert_eq!(exit.to_string(), "killed by signal 9 (SIGKILL)");
        let after = world::marked(&fake.mark);
        let left: Vec<_> = after.iter().filter(|(pid, _)| before.contains(pid)).collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(lease(&pool).await.worker(), next(held.worker()));
    });
}

fn broken_link() {
    Stage::plain(|config| config.lost_grace = Duration::from_millis(20)).run(
        |pool, _| async move {
            let held = lease(&pool).await;
            let exit = die(&held, "unlink").await;
            let expected = "killed by signal 9 (SIGKILL) (it broke its link and did not end)";
            assert_eq!(exit.to_string(), expected);
            assert!(!exit.is_expected());
            assert_eq!(lease(&pool).await.worker(), next(held.worker()));
        },
    );
}

fn quick_probes(config: &mut snakepit_bridge::snakepit::PoolConfig) {
    config.probe_interval = Duration::from_millis(20);
    // Long enough that a busy machine does not look like a dead worker.
    config.probe_timeout = Duration::from_secs(2);
}

fn no_sign_of_life() {
    Stage::plain(quick_probes).run(|pool, _| async move {
        let held = lease(&pool).await;
        let (failing, exited) = (held.failing(), held.exited());
        held.link().tell("hang");
        let verdict = failing.await;
        assert_eq!(verdict.cause, Cause::Hung);
        assert_eq!(&*verdict.reason, "no sign of life for 2000 ms");
        let exit = exited.await;
        let expected = "killed by signal 6 (SIGABRT) (no sign of life for 2000 ms)";
        assert_eq!((exit.to_string().as_str(), exit.cause), (expected, Cause::Hung));
        assert!(!exit.is_expected());
        assert_eq!(lease(&pool).await.worker(), next(held.worker()));
    });
}

fn stopped() {
    Stage::plain(quick_probes).run(|pool, _| async move {
        let held = lease(&pool).await;
        // What it has started itself is no part of the abort: it goes with the tree.
        let exit = die(&held, "stop").await;
        let expected = "killed by signal 6 (SIGABRT) (no sign of life for 2000 ms)";
        assert_eq!((exit.to_string().as_str(), exit.cause), (expected, Cause::Hung));
    });
}

fn deaf_to_abort() {
    let stage = Stage::plain(|config| {
        quick_probes(config);
        config.abort_grace = Duration::from_millis(50);
    });
    stage.run(|pool, _| async move {
        let held = lease(&pool).await;
        let (failing, exited) = (held.failing(), held.exited());
        held.link().tell("mute");
        failing.await;
        assert!(free(&pool).is_none(), "it gets no new work");
        let exit = exited.await;
        let expected = "killed by signal 9 (SIGKILL) (no sign of life for 2000 ms)";
        assert_eq!((exit.to_string().as_str(), exit.cause), (expected, Cause::Hung));
    });
}

/// A leave that crashes on the way is a crash.
fn crash_while_leaving() {
    Stage::scripted(|_| vec!["fragile".to_owned()], |_| {}).run(|pool, fake| async move {
        let worker = lease(&pool).await.worker();
        pool.resize(0, 0);
        settled(&pool, "it left", |stats| stats.workers.is_empty()).await;
        let exit = fake.exit_of(worker).unwrap();
        assert_eq!(exit.to_string(), "killed by signal 11 (SIGSEGV)");
        assert_eq!(exit.cause, Cause::Unasked);
    });
}

fn recycled() {
    let stage = Stage::plain(|config| {
        config.calls_per_worker = 3;
        config.kill_grace = Duration::from_secs(30);
    });
    stage.run(|pool, _| async move {
        let stuck = lease(&pool).await;
        let (other, third) = (lease(&pool).await, lease(&pool).await);
        drop(third);
        let exited = stuck.exited();
        pool.recycle(stuck.worker(), "a call is stuck");
        assert!(free(&pool).is_none(), "it gets no new work");
        settled(&pool, "it recycles", |stats| stats.draining == 1).await;
        drop(other);
        let exit = exited.await;
        assert_eq!(exit.to_string(), "killed by signal 9 (SIGKILL) (a call is stuck)");
        assert!(exit.is_expected());
        assert_eq!(lease(&pool).await.worker(), next(stuck.worker()));
        // Of a worker that is gone already: nothing.
        pool.recycle(stuck.worker(), "again");
        drop(lease(&pool).await);
    });
}

fn recycled_by_force() {
    let stage = Stage::plain(|config| {
        config.calls_per_worker = 2;
        config.kill_grace = Duration::from_millis(50);
    });
    stage.run(|pool, _| async move {
        let (stuck, other) = (lease(&pool).await, lease(&pool).await);
        pool.recycle(stuck.worker(), "a call is stuck");
        assert_eq!(other.failing().await.cause, Cause::Forced);
        let exit = stuck.exited().await;
        assert_eq!(exit.to_string(), "killed by signal 9 (SIGKILL) (a call is stuck)");
        assert_eq!(exit.cause, Cause::Forced);
    });
}

fn killed_guard() {
    Stage::plain(|_| {}).run(|pool, _| async move {
        let held = lease(&pool).await;
        let worker = pid(&pool, held.worker());
        kill_process(parent(worker), Signal::KILL).unwrap();
        let exit = held.exited().await;
        assert_eq!(exit.to_string(), "its guard was lost");
        assert!(!is_alive(worker), "the worker outlived its guard");
        assert_eq!(lease(&pool).await.worker(), next(held.worker()));
    });
}

fn stopped_guard() {
    Stage::plain(|config| config.kill_grace = Duration::from_millis(50)).run(
        |pool, _| async move {
            let held = lease(&pool).await;
            let worker = pid(&pool, held.worker());
            kill_process(parent(worker), Signal::STOP).unwrap();
            pool.recycle(held.worker(), "its guard is stopped");
            let exit = held.exited().await;
            assert_eq!(exit.to_string(), "its guard was lost (its guard is stopped)");
            assert!(!is_alive(worker));
        },
    );
}

fn rabbits() {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let path = trace.path().to_owned();
    let born = move || std::fs::metadata(&path).unwrap().len();
    let order = format!("rabbits {}", trace.path().display());
    let stage = Stage::plain(|config| config.kill_grace = Duration::from_secs(20));
    stage.run(|pool, _| async move {
        let held = lease(&pool).await;
        held.link().tell(&order);
        world::eventually("they multiply", || born() > 40).await;
        pool.recycle(held.worker(), "it breeds");
        let exit = held.exited().await;
        assert_eq!(exit.to_string(), "killed by signal 9 (SIGKILL) (it breeds)");
        let last = born();
        drop(lease(&pool).await);
        assert_eq!(born(), last, "one is still alive");
    });
}

pub fn pid(pool: &Pool<Fake>, worker: WorkerId) -> Pid {
    let rows = pool.stats().workers;
    let row = rows.iter().find(|row| row.slot == worker.slot).unwrap();
    assert_eq!(row.generation, worker.generation);
    Pid::from_raw(i32::try_from(row.pid.unwrap()).unwrap()).unwrap()
}

/// The parent of a worker is its guard.
pub fn parent(pid: Pid) -> Pid {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    let parent = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(1).unwrap();
    Pid::from_raw(parent.parse().unwrap()).unwrap()
}

pub fn is_alive(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
}
