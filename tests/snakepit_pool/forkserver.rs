//! The template's own life: it dies, hangs, cannot be prepared, must not fork; and its workers live
//! on.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use snakepit_bridge::snakepit::{Claim, Forkserver, PoolConfig, PoolError, TemplateConfig};

use crate::Test;
use crate::backends::template;
use crate::dying::{is_alive, parent, pid};
use crate::fake::{Stage, lease, settled, soon};
use crate::world::{eventually, fresh_mark, marked};

pub const TESTS: &[Test] = &[
    ("forkserver::a_template_that_ends_takes_no_worker_along", template_killed),
    ("forkserver::a_templates_guard_that_ends_takes_no_worker_along", guard_killed),
    ("forkserver::a_template_that_cannot_be_prepared_is_told_of", unprepared),
    ("forkserver::a_template_with_threads_refuses", threads),
    ("forkserver::a_template_that_does_not_answer_is_replaced", stopped),
    ("forkserver::a_stop_does_not_wait_for_a_slow_template", slow),
    ("forkserver::a_template_whose_program_is_missing_is_told_of", missing),
];

fn stage(
    first: &'static [&'static str],
    tune: impl FnOnce(&mut TemplateConfig),
    change: impl FnOnce(&mut PoolConfig),
) -> Stage {
    let make = |runtime: &_,
                mark: &str,
                pool: &PoolConfig|
     -> Arc<dyn snakepit_bridge::snakepit::Backend> {
        let mut config = template(mark, pool, first);
        tune(&mut config);
        Arc::new(Forkserver::new(config, runtime))
    };
    Stage::with(make, fresh_mark(), |_| vec![], change)
}

/// The template of the pool with this mark: a process in that role.
fn find_template(mark: &str) -> Option<Pid> {
    let pids = marked(mark).into_iter().map(|(pid, _)| Pid::from_raw(pid.cast_signed()).unwrap());
    let mut found = pids.filter(|pid| {
        let parent = std::fs::read(format!("/proc/{}/cmdline", parent(*pid).as_raw_nonzero()));
        parent.is_ok_and(|line| line.windows(10).any(|part| part == b"--template"))
    });
    found.next()
}

fn survives(kill: fn(Pid) -> Pid) {
    stage(&[], |_| {}, |config| config.workers = 2).run(|pool, fake| async move {
        pool.wait_ready(2, Some(soon())).await.unwrap();
        let (held, other) = (lease(&pool).await, lease(&pool).await);
        let before = find_template(&fake.mark).unwrap();
        kill_process(kill(before), Signal::KILL).unwrap();
        eventually("it is gone", || !is_alive(before)).await;
        // A new worker comes from a new template; the other has not noticed anything.
        held.link().tell("exit 4");
        assert_eq!(held.exited().await.to_string(), "exited with code 4");
        pool.wait_ready(2, Some(soon())).await.unwrap();
        assert_ne!(find_template(&fake.mark), Some(before));
        assert!(is_alive(pid(&pool, other.worker())));
        other.link().tell("exit 5");
        assert_eq!(other.exited().await.to_string(), "exited with code 5");
        drop((held, other));
        settled(&pool, "both are back", |stats| stats.ready == 2).await;
        assert_eq!(pool.stats().losses, 2);
    });
}

fn template_killed() {
    survives(|template| template);
}

fn guard_killed() {
    survives(parent);
}

async fn failure(pool: &snakepit_bridge::snakepit::Pool<crate::fake::Fake>) -> String {
    let told = pool.acquire(Some(soon()), None, Claim::default()).await;
    let Err(PoolError::Failed(failure)) = told else { panic!("{:?}", told.err()) };
    failure.to_string()
}

fn unprepared() {
    stage(&["err no module named spam", "exit 3"], |_| {}, |_| {}).run(|pool, _| async move {
        let told = failure(&pool).await;
        for part in
            ["template: exited with code 3", "process started after", "no module named spam"]
        {
            assert!(told.contains(part), "{told}");
        }
    });
}

fn threads() {
    stage(&["thread"], |_| {}, |_| {}).run(|pool, _| async move {
        let told = failure(&pool).await;
        assert!(told.contains("template: 1 other threads live in it"), "{told}");
    });
}

fn stopped() {
    let change = |config: &mut PoolConfig| config.start_timeout = Duration::from_secs(1);
    stage(&[], |_| {}, change).run(|pool, fake| async move {
        let held = lease(&pool).await;
        let before = find_template(&fake.mark).unwrap();
        kill_process(before, Signal::STOP).unwrap();
        held.link().tell("exit 0");
        held.exited().await;
        drop(held);
        pool.wait_ready(1, Some(soon())).await.unwrap();
        assert!(!is_alive(before));
        assert!(pool.stats().start_failures <= 1);
    });
}

fn slow() {
    stage(&["hang"], |_| {}, |config| config.workers = 3).run(|pool, fake| async move {
        eventually("the template runs", || find_template(&fake.mark).is_some()).await;
        pool.stop(Duration::from_secs(60)).await;
        let gone = fake.gone.lock();
        assert_eq!(gone.len(), 3);
        assert!(gone.iter().all(|(_, exit)| exit.is_expected()), "{gone:?}");
    });
}

fn missing() {
    let tune = |config: &mut TemplateConfig| config.spec.program = "/nowhere/at/all".into();
    stage(&[], tune, |_| {}).run(|pool, _| async move {
        let told = failure(&pool).await;
        let expected = "template: could not be started: execute \"/nowhere/at/all\"";
        assert!(told.contains(expected), "{told}");
    });
}
