//! What only systemd gives: a control group whose limits hold and whose end is everybody's. Run by
//! `make test-systemd`, under a systemd of its own, beside all other tests of the pool.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use snakepit_bridge::snakepit::{Backend, Cause, PoolConfig, ServiceLimits, Systemd};

use crate::Test;
use crate::dying::{is_alive, parent, pid};
use crate::fake::{GUARD, Stage, lease};
use crate::hosts::{host, wait_up};
use crate::world::{eventually, fresh_mark, marked, wait_clean};

pub const TESTS: &[Test] = &[
    ("systemd::a_host_killed_with_its_guards_leaves_nothing_at_all", killed_together),
    ("systemd::a_killed_guards_descendants_end_however_they_hide", killed_guard),
    ("systemd::memory_is_limited_and_the_end_is_told", memory),
    ("systemd::a_fork_bomb_stays_in_its_group", fork_bomb),
    ("systemd::a_unit_is_named_after_its_worker_and_gone_with_it", unit),
];

/// Nobody sweeps here: the service's end is enough.
fn killed_together() {
    let mark = fresh_mark();
    let mut host = host("hiding", &mark, &[]);
    wait_up(&mut host);
    let guards: Vec<Pid> = marked(&mark)
        .into_iter()
        .filter(|(_, command)| command.contains("snakepit-guard"))
        .map(|(pid, _)| Pid::from_raw(i32::try_from(pid).unwrap()).unwrap())
        .collect();
    assert_eq!(guards.len(), 4);
    let own = Pid::from_raw(i32::try_from(host.id()).unwrap()).unwrap();
    kill_process(own, Signal::STOP).unwrap();
    for guard in guards {
        kill_process(guard, Signal::KILL).unwrap();
    }
    host.kill().unwrap();
    host.wait().unwrap();
    let took = wait_clean(&mark, Duration::from_secs(2));
    println!("all gone after {took:?}");
}

/// With a cleared environment, a parent that is gone and nobody beside it: only the control group
/// knows it.
fn killed_guard() {
    limited(&["lone"], ServiceLimits::default(), |_| {}).run(|pool, fake| async move {
        let held = lease(&pool).await;
        let lone = |command: &str| command.starts_with("tail ");
        let find = || marked(&fake.mark).into_iter().find(|(_, command)| lone(command));
        eventually("it hides", || find().is_some()).await;
        let lone = Pid::from_raw(i32::try_from(find().unwrap().0).unwrap()).unwrap();
        kill_process(parent(pid(&pool, held.worker())), Signal::KILL).unwrap();
        assert_eq!(held.exited().await.to_string(), "its guard was lost");
        assert!(!is_alive(lone), "the exit was told before the group was gone");
        fake.set_script(|_| vec![]);
        drop(lease(&pool).await);
    });
}

fn memory() {
    let limits = ServiceLimits { memory_bytes_max: Some(64 << 20), ..ServiceLimits::default() };
    limited(&[], limits, |_| {}).run(|pool, _| async move {
        let held = lease(&pool).await;
        // Part of it is fine.
        held.link().tell("eat 16");
        drop(held);
        let held = lease(&pool).await;
        held.link().tell("eat 512");
        let exit = held.exited().await;
        assert_eq!((exit.kind.to_string().as_str(), exit.cause), (KILLED, Cause::Memory));
        drop(lease(&pool).await);
    });
}

fn fork_bomb() {
    let limits = ServiceLimits { tasks_max: Some(40), ..ServiceLimits::default() };
    let change = |config: &mut PoolConfig| config.kill_grace = Duration::from_secs(20);
    limited(&[], limits, change).run(|pool, fake| async move {
        let held = lease(&pool).await;
        held.link().tell("bomb");
        eventually("it is full", || marked(&fake.mark).len() >= 30).await;
        for _ in 0..20 {
            let count = marked(&fake.mark).len();
            assert!(count <= 40, "{count} processes");
            tokio::task::yield_now().await;
        }
        pool.recycle(held.worker(), "it breeds");
        let exit = held.exited().await;
        assert_eq!(exit.to_string(), "killed by signal 9 (SIGKILL) (it breeds)");
        drop(lease(&pool).await);
    });
}

fn unit() {
    let stage = limited(&[], ServiceLimits::default(), |_| {});
    let marker = stage.marker.clone();
    stage.run(|pool, fake| async move {
        let held = lease(&pool).await;
        let group = || {
            let units = std::process::Command::new("systemctl")
                .args(["list-units", "--all", "--plain", "--no-legend", "snakepit-*"])
                .output()
                .unwrap();
            String::from_utf8(units.stdout).unwrap()
        };
        let name = format!("snakepit-{}-pool-{}-0-1.service", &marker[..8], fake.mark);
        assert!(group().contains(&name), "{name}: {}", group());
        held.link().tell("exit 0");
        held.exited().await;
        eventually("it is collected", || !group().contains(&name)).await;
    });
}

/// A pool of services with limits.
fn limited(
    first: &'static [&'static str],
    limits: ServiceLimits,
    change: impl FnOnce(&mut PoolConfig),
) -> Stage {
    let backend = move |_: &_, _: &str, _: &PoolConfig| -> Arc<dyn Backend> {
        Arc::new(Systemd::new(GUARD.as_ref(), limits).unwrap())
    };
    let script = move |_| first.iter().map(|line| (*line).to_owned()).collect();
    Stage::with(backend, fresh_mark(), script, change)
}

const KILLED: &str = "killed by signal 9 (SIGKILL)";
