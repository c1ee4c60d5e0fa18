//! Starts that fail: what the pool makes of them and what callers are told.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use snakepit_bridge::snakepit::{
    Claim, PoolError, PoolState, Setsid, StartFailure, Step, WorkerId, find_guard,
};
use tokio::time::Instant;

use crate::Test;
use crate::fake::{Fake, Stage, lease, settled, soon};
use crate::world::fresh_mark;

pub const TESTS: &[Test] = &[
    ("starting::a_crash_loop_fails_callers_fast_and_heals", crash_loop),
    ("starting::a_worker_that_never_answers_is_killed", never_answers),
    ("starting::a_missing_program_is_named", missing_program),
    ("starting::a_missing_guard_is_named", missing_guard),
    ("starting::an_adapter_that_cannot_describe_fails_the_start", undescribed),
    ("starting::some_failing_slots_leave_the_pool_degraded", degraded),
    ("starting::a_failing_pool_starts_one_worker_at_a_time", starts_are_spaced),
    ("starting::a_slot_that_keeps_failing_is_quarantined_while_others_serve", quarantine),
    ("starting::starts_are_limited_in_number", starts_are_limited),
];

/// Waits until the pool has failed; what its callers are told.
async fn failure(pool: &snakepit_bridge::snakepit::Pool<Fake>) -> StartFailure {
    let told = pool.acquire(Some(soon()), None, Claim::default()).await;
    let Err(PoolError::Failed(failure)) = told else { panic!("{:?}", told.err()) };
    assert!(matches!(pool.state(), PoolState::Failed { .. }), "{:?}", pool.state());
    assert!(matches!(pool.wait_ready(1, None).await, Err(PoolError::Failed(_))));
    (*failure).clone()
}

fn crash_loop() {
    let first = || vec!["err no module named spam".to_owned(), "exit 3".to_owned()];
    Stage::scripted(move |_| first(), |_| {}).run(|pool, fake| async move {
        // Those who wait already are told, too.
        let told = failure(&pool).await;
        assert_eq!(told.reason, "exited with code 3");
        assert_eq!(&*told.stderr_tail, "no module named spam\n");
        assert!(told.journey.at(Step::ProcessStarted).is_some());
        assert!(told.journey.at(Step::Ready).is_none());
        let text = PoolError::Failed(told.into()).to_string();
        for part in ["exited with code 3", "process started after", "ready never", "named spam"] {
            assert!(text.contains(part), "{text}");
        }
        let stats = pool.stats();
        assert!(stats.start_failures >= 3 && stats.losses == 0, "{stats:?}");
        // It goes on trying, and is well again once a start succeeds.
        fake.set_script(|_| vec![]);
        settled(&pool, "one is ready", |stats| stats.ready == 1).await;
        drop(lease(&pool).await);
        assert_eq!(pool.state(), PoolState::Healthy);
        for (worker, exit) in fake.gone.lock().iter() {
            assert!(!exit.is_expected(), "{worker}: {exit}");
        }
    });
}

fn never_answers() {
    let script = |_| vec!["deaf".to_owned(), "hang".to_owned()];
    let stage = Stage::scripted(script, |config| {
        config.start_timeout = Duration::from_millis(100);
        config.restart_failures_max = 1;
        config.restart_backoff_min = Duration::from_secs(60);
        config.restart_backoff_max = Duration::from_secs(60);
    });
    stage.run(|pool, fake| async move {
        let told = failure(&pool).await;
        assert_eq!(told.reason, "not ready within 100 ms");
        let exit = fake.exit_of(told.worker).unwrap();
        assert_eq!(exit.to_string(), "killed by signal 9 (SIGKILL) (not ready within 100 ms)");
        assert!(crate::world::marked(&fake.mark).is_empty(), "all of its tree is gone");
    });
}

fn missing_program() {
    Stage::scripted(|_| vec!["no program".to_owned()], |_| {}).run(|pool, fake| async move {
        let told = failure(&pool).await;
        let expected = "could not be started: execute \"/nowhere/at/all\": \
                        No such file or directory (os error 2)";
        assert_eq!(told.reason, expected);
        assert!(told.journey.at(Step::ProcessStarted).is_none());
        assert!(fake.gone.lock().len() >= 3);
    });
}

fn missing_guard() {
    let stage = Stage::with(
        |_, _, _| Arc::new(Setsid::new("/nowhere/snakepit-guard".into())),
        fresh_mark(),
        |_| vec![],
        |_| {},
    );
    stage.run(|pool, fake| async move {
        let told = failure(&pool).await;
        let expected = "could not be started: guard /nowhere/snakepit-guard: \
                        No such file or directory (os error 2)";
        assert_eq!(told.reason, expected);
        assert!(told.journey.at(Step::GuardSpawned).is_none());
        assert!(fake.gone.lock().len() >= 3, "the adapter hears of each");
    });
    let error = find_guard(None, Some(Path::new("/nowhere"))).unwrap_err().to_string();
    assert!(error.contains("/nowhere/snakepit-guard, /nowhere/../libexec/snakepit-guard"));
    let built = Path::new(env!("CARGO_BIN_EXE_snakepit-guard"));
    assert_eq!(find_guard(None, built.parent()).unwrap(), built);
}

fn undescribed() {
    Stage::scripted(|_| vec!["undescribed".to_owned()], |_| {}).run(|pool, fake| async move {
        let told = failure(&pool).await;
        assert_eq!(told.reason, "could not be started: nobody knows what to start");
        assert!(told.journey.at(Step::Described).is_none());
        assert!(fake.gone.lock().is_empty(), "there was nothing to forget");
    });
}

fn degraded() {
    let script = |worker: WorkerId| match worker.slot {
        0 => vec![],
        _ => vec!["exit 4".to_owned()],
    };
    Stage::scripted(script, |config| config.workers = 2).run(|pool, _| async move {
        settled(&pool, "starts fail", |stats| stats.start_failures >= 3 && stats.ready == 1).await;
        let PoolState::Degraded { reasons } = pool.state() else { panic!("{:?}", pool.state()) };
        assert_eq!(reasons.len(), 1);
        assert!(reasons[0].ends_with("did not start: exited with code 4"), "{reasons:?}");
        drop(lease(&pool).await);
        let all = pool.wait_ready(2, None).await;
        assert!(matches!(all, Err(PoolError::Failed(_))));
    });
}

fn starts_are_spaced() {
    let rest = Duration::from_millis(150);
    let starts = Arc::new(Mutex::new(Vec::new()));
    let noted = starts.clone();
    let script = move |_| {
        noted.lock().push(Instant::now());
        vec!["exit 3".to_owned()]
    };
    let stage = Stage::scripted(script, |config| {
        config.workers = 4;
        config.restart_backoff_max = rest;
    });
    stage.run(|pool, _| async move {
        failure(&pool).await;
        // Those that were on their way do not count.
        let before = starts.lock().len() + 4;
        crate::world::eventually("it goes on trying", || starts.lock().len() > before + 4).await;
        let starts = starts.lock();
        for pair in starts[before..].windows(2) {
            // The moment is noted a little after the permission.
            assert!(pair[1] - pair[0] > rest.mul_f64(0.9), "{:?}", pair[1] - pair[0]);
        }
    });
}

fn quarantine() {
    let script = |worker: WorkerId| match worker.slot {
        0 => vec![],
        _ => vec!["exit 4".to_owned()],
    };
    Stage::scripted(script, |config| config.workers = 2).run(|pool, fake| async move {
        settled(&pool, "it is quarantined", |stats| stats.quarantined == 1).await;
        let PoolState::Degraded { reasons } = pool.state() else { panic!("{:?}", pool.state()) };
        let expected = "quarantined after 3 failed starts: worker 1.3 did not start: exited with \
                        code 4";
        assert_eq!(reasons, [expected]);
        // Better a slot that fails than no worker at all: it tries again at once.
        fake.set_script(|_| vec![]);
        let held = lease(&pool).await;
        held.link().tell("abort");
        settled(&pool, "both are ready", |stats| stats.ready == 2 && stats.quarantined == 0).await;
        assert_eq!(pool.state(), PoolState::Healthy);
        drop(held);
    });
}

fn starts_are_limited() {
    let stage = Stage::scripted(
        |_| vec!["hang".to_owned()],
        |config| {
            config.workers = 5;
            config.concurrent_starts = 2;
        },
    );
    stage.run(|pool, fake| async move {
        settled(&pool, "two start", |stats| {
            stats.workers.iter().filter(|row| row.pid.is_some()).count() == 2
        })
        .await;
        assert_eq!(pool.stats().starting, 2);
        assert_eq!(pool.state(), PoolState::Starting);
        // Stopping ends starts at once, and those that wait for their turn never begin.
        pool.stop(Duration::from_secs(60)).await;
        assert_eq!(fake.gone.lock().len(), 2);
    });
}
