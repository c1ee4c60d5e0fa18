//! What every way of starting workers promises: one list of tests, run for each.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use snakepit_bridge::snakepit::{
    Backend, Forkserver, OutputStream, PoolConfig, ProcessSpec, ServiceLimits, Setsid, Systemd,
    TemplateConfig, WorkerId,
};
use tokio::runtime::Handle;

use crate::Test;
use crate::dying::{is_alive, next, parent, pid};
use crate::fake::{GUARD, Stage, free, lease, soon};
use crate::hosts::{host, wait_for, wait_up};
use crate::world::{eventually, fresh_mark, marked, wait_clean};

/// The ways there are.
#[derive(Clone, Copy)]
pub enum Way {
    Setsid,
    Forkserver,
    /// Only where there is one to talk to; see `scripts/sysbox.sh`.
    Systemd,
}

macro_rules! suite {
    ($way:expr, $name:literal) => {
        &[
            (concat!("backends::", $name, "::serves_and_leaves"), || serves($way)),
            (concat!("backends::", $name, "::every_kind_of_end_is_told"), || ends($way)),
            (concat!("backends::", $name, "::a_killed_host_leaves_nothing"), || killed($way)),
            (concat!("backends::", $name, "::a_stop_leaves_nothing"), || stopped($way)),
            (concat!("backends::", $name, "::a_killed_guard_is_replaced"), || guard($way)),
            (concat!("backends::", $name, "::the_secret_is_nowhere_to_be_seen"), || secret($way)),
            (concat!("backends::", $name, "::the_environment_is_exact"), || environment($way)),
            (concat!("backends::", $name, "::lines_arrive"), || lines($way)),
            (concat!("backends::", $name, "::limits_hold"), || limits($way)),
            (concat!("backends::", $name, "::a_worker_is_kept_apart"), || apart($way)),
            (concat!("backends::", $name, "::twenty_start_at_once"), || twenty($way)),
        ]
    };
}

pub const SETSID: &[Test] = suite!(Way::Setsid, "setsid");
pub const FORKSERVER: &[Test] = suite!(Way::Forkserver, "forkserver");
pub const SYSTEMD: &[Test] = suite!(Way::Systemd, "systemd");

impl Way {
    pub fn named(name: &str) -> Way {
        match name {
            "setsid" => Way::Setsid,
            "forkserver" => Way::Forkserver,
            "systemd" => Way::Systemd,
            _ => panic!("unknown backend {name:?}"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Way::Setsid => "setsid",
            Way::Forkserver => "forkserver",
            Way::Systemd => "systemd",
        }
    }

    fn make(self, runtime: &Handle, mark: &str, pool: &PoolConfig) -> Arc<dyn Backend> {
        match self {
            Way::Setsid => Arc::new(Setsid::new(GUARD.into())),
            Way::Systemd => {
                Arc::new(Systemd::new(GUARD.as_ref(), ServiceLimits::default()).unwrap())
            }
            Way::Forkserver => Arc::new(Forkserver::new(template(mark, pool, &[]), runtime)),
        }
    }

    fn stage(self, first: &[&str], change: impl FnOnce(&mut PoolConfig)) -> Stage {
        let first: Vec<String> = first.iter().map(|line| (*line).to_owned()).collect();
        self.stage_marked(fresh_mark(), move |_| first.clone(), change)
    }

    pub fn stage_marked(
        self,
        mark: String,
        script: impl Fn(WorkerId) -> Vec<String> + Send + Sync + 'static,
        change: impl FnOnce(&mut PoolConfig),
    ) -> Stage {
        Stage::with(|runtime, mark, pool| self.make(runtime, mark, pool), mark, script, change)
    }
}

/// A fake template that obeys `first` before it is ready.
pub fn template(mark: &str, pool: &PoolConfig, first: &[&str]) -> TemplateConfig {
    let pair = |name: &str, value: &str| (name.into(), value.into());
    TemplateConfig {
        pool: pool.clone(),
        guard: GUARD.into(),
        spec: ProcessSpec {
            program: std::env::current_exe().unwrap(),
            args: vec![],
            env: vec![pair("SNAKEPIT_ROLE", "template"), pair("SNAKEPIT_MARK", mark)],
            cwd: None,
            handoff: serde_json::to_vec(first).unwrap(),
            limits: Default::default(),
        },
        output: Box::new(|_, _| {}),
    }
}

fn serves(way: Way) {
    way.stage(&[], |_| {}).run(|pool, fake| async move {
        let held = lease(&pool).await;
        let exited = held.exited();
        let worker = held.worker();
        drop(held);
        drop(lease(&pool).await);
        pool.stop(Duration::from_secs(5)).await;
        let exit = exited.await;
        assert!(exit.is_expected(), "{exit}");
        assert_eq!(exit.kind.to_string(), "exited with code 0");
        assert_eq!(fake.gone_ids(), [worker]);
    });
}

fn ends(way: Way) {
    way.stage(&[], |_| {}).run(|pool, _| async move {
        let cases = [
            ("exit 3", "exited with code 3"),
            ("abort", "killed by signal 6 (SIGABRT)"),
            ("signal 9", "killed by signal 9 (SIGKILL)"),
        ];
        for (order, expected) in cases {
            let held = lease(&pool).await;
            held.link().tell(order);
            assert_eq!(held.exited().await.to_string(), expected);
        }
        pool.wait_ready(1, Some(soon())).await.unwrap();
        assert_eq!((pool.stats().losses, pool.stats().start_failures), (3, 0));
    });
}

fn killed(way: Way) {
    let mark = fresh_mark();
    let mut host = host(&format!("family-{}", way.name()), &mark, &[]);
    wait_up(&mut host);
    wait_for("their families are there", || marked(&mark).len() > 4 * 6);
    host.kill().unwrap();
    wait_clean(&mark, Duration::from_secs(1));
    host.wait().unwrap();
}

fn stopped(way: Way) {
    let stage = way.stage(&["daemon", "deaf", "daemon"], |config| config.workers = 3);
    stage.run(|pool, fake| async move {
        pool.wait_ready(3, Some(soon())).await.unwrap();
        pool.stop(Duration::from_secs(5)).await;
        assert_eq!(fake.gone.lock().len(), 3);
    });
}

fn guard(way: Way) {
    way.stage(&["daemon"], |_| {}).run(|pool, _| async move {
        let held = lease(&pool).await;
        let worker = pid(&pool, held.worker());
        kill_process(parent(worker), Signal::KILL).unwrap();
        let exit = held.exited().await;
        assert_eq!(exit.to_string(), "its guard was lost");
        assert!(!is_alive(worker), "the worker outlived its guard");
        assert_eq!(lease(&pool).await.worker(), next(held.worker()));
    });
}

fn secret(way: Way) {
    way.stage(&["secret hush-4711"], |config| config.workers = 2).run(|pool, fake| async move {
        pool.wait_ready(2, Some(soon())).await.unwrap();
        let seen = marked(&fake.mark);
        assert!(seen.len() >= 4, "{seen:?}");
        let told = marked("hush-4711");
        assert!(told.is_empty(), "{told:?}");
    });
}

fn environment(way: Way) {
    let stage = way.stage(&["environment"], |_| {});
    let marker = stage.marker.clone();
    stage.run(|pool, fake| async move {
        drop(lease(&pool).await);
        let expected = [
            format!("SNAKEPIT_MARK={}", fake.mark),
            "SNAKEPIT_ROLE=worker".to_owned(),
            "PATH=/usr/bin:/bin".to_owned(),
            format!("SNAKEPIT_MARKER={marker}/pool-{}/0.1", fake.mark),
        ];
        eventually("all of it arrives", || fake.lines.lock().len() >= expected.len()).await;
        let lines: Vec<String> = fake.lines.lock().iter().map(|(_, line)| line.clone()).collect();
        assert_eq!(lines.len(), expected.len(), "{lines:?}");
        assert!(expected.iter().all(|line| lines.contains(line)), "{lines:?}");
    });
}

fn lines(way: Way) {
    way.stage(&["out one", "err two"], |_| {}).run(|pool, fake| async move {
        let held = lease(&pool).await;
        held.link().tell("out three");
        let expected = [
            (OutputStream::Stdout, "one".to_owned()),
            (OutputStream::Stderr, "two".to_owned()),
            (OutputStream::Stdout, "three".to_owned()),
        ];
        eventually("all lines arrive", || {
            let lines = fake.lines.lock();
            expected.iter().all(|line| lines.contains(line)) && lines.len() == 3
        })
        .await;
        held.link().tell("err last words");
        held.link().tell("exit 1");
        assert!(held.exited().await.stderr_tail.ends_with("last words\n"));
    });
}

fn limits(way: Way) {
    let stage = way.stage(&[], |config| config.workers = 0);
    stage.run(|pool, fake| async move {
        fake.limits.lock().open_files = Some(77);
        fake.limits.lock().memory_bytes = Some(1 << 40);
        pool.resize(1, 1);
        let held = lease(&pool).await;
        let process = pid(&pool, held.worker()).as_raw_nonzero();
        let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
        let of = |name: &str| -> Vec<String> {
            let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_ascii_whitespace().take(2).map(str::to_owned).collect()
        };
        assert_eq!(of("Max open files"), ["77", "77"]);
        assert_eq!(of("Max address space"), ["1099511627776", "1099511627776"]);
        assert_eq!(of("Max core file size"), ["0", "0"]);
    });
}

fn apart(way: Way) {
    way.stage(&["descriptors"], |config| config.workers = 2).run(|pool, fake| async move {
        pool.wait_ready(2, Some(soon())).await.unwrap();
        let held = lease(&pool).await;
        let worker = pid(&pool, held.worker());
        assert_eq!(rustix::process::getpgid(Some(worker)).unwrap(), worker);
        assert_ne!(parent(parent(worker)), worker);
        let ended = || fake.lines.lock().iter().filter(|(_, line)| line == "end").count() == 2;
        eventually("both have listed theirs", ended).await;
        for (_, line) in fake.lines.lock().iter() {
            // Standard streams, the handoff where it is one, and what lists them.
            let (number, target) = line.split_once(' ').unwrap_or((line, ""));
            let known = ["/dev/null", "pipe:", "memfd:handoff", "/proc/", "/fd"];
            assert!(number == "end" || known.iter().any(|name| target.contains(name)), "{line}");
        }
    });
}

fn twenty(way: Way) {
    let stage = way.stage(&[], |config| {
        config.workers = 20;
        config.concurrent_starts = 20;
    });
    stage.run(|pool, _| async move {
        pool.wait_ready(20, Some(soon())).await.unwrap();
        assert_eq!(pool.stats().start_failures, 0);
        let leases: Vec<_> = std::iter::from_fn(|| free(&pool)).collect();
        assert_eq!(leases.len(), 20);
    });
}
