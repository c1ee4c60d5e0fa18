//! The adapter for fake workers, and a pool of them for one test.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use snakepit_bridge::snakepit::{
    Adapter, Backend, Claim, Exit, Failure, Instance, Lease, OutputStream, Pool, PoolConfig,
    PoolStats, ProcessSpec, ResourceLimits, ServiceLimits, Setsid, Systemd, Terms, WorkerId, os,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::worker::Handoff;
use crate::world;

/// What each worker does before it dials home.
type Script = Box<dyn Fn(WorkerId) -> Vec<String> + Send + Sync>;

/// Describes fake workers and remembers what it was told.
pub struct Fake {
    pub mark: String,
    script: Mutex<Script>,
    pub limits: Mutex<ResourceLimits>,
    directory: tempfile::TempDir,
    expected: Mutex<HashMap<String, oneshot::Sender<UnixStream>>>,
    pub lines: Mutex<Vec<(OutputStream, String)>>,
    pub gone: Mutex<Vec<(WorkerId, Exit)>>,
    runtime: tokio::runtime::Handle,
}

/// A line each way: orders to the worker, pongs from it.
#[derive(Clone)]
pub struct Link {
    orders: mpsc::Sender<String>,
    /// Counts pongs; closed with the connection.
    pongs: watch::Receiver<u64>,
}

impl Link {
    /// Tells the worker to do something.
    pub fn tell(&self, order: &str) {
        self.orders.try_send(order.to_owned()).unwrap();
    }
}

impl Fake {
    fn new(mark: String, script: Script, runtime: tokio::runtime::Handle) -> Arc<Fake> {
        let fake = Arc::new(Fake {
            mark,
            script: Mutex::new(script),
            limits: Mutex::new(ResourceLimits { core_bytes: Some(0), ..Default::default() }),
            directory: tempfile::tempdir().unwrap(),
            expected: Mutex::default(),
            lines: Mutex::default(),
            gone: Mutex::default(),
            runtime: runtime.clone(),
        });
        let _context = runtime.enter();
        let listener = UnixListener::bind(fake.directory.path().join("home")).unwrap();
        let weak = Arc::downgrade(&fake);
        runtime.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut name = String::new();
                BufReader::new(&mut stream).read_line(&mut name).await.unwrap();
                let Some(fake) = weak.upgrade() else { return };
                let waiting = fake.expected.lock().remove(name.trim());
                if let Some(waiting) = waiting {
                    let _ = waiting.send(stream);
                }
            }
        });
        fake
    }

    /// From the next start on.
    pub fn set_script(&self, script: impl Fn(WorkerId) -> Vec<String> + Send + Sync + 'static) {
        *self.script.lock() = Box::new(script);
    }

    pub fn gone_ids(&self) -> Vec<WorkerId> {
        self.gone.lock().iter().map(|(worker, _)| *worker).collect()
    }

    pub fn exit_of(&self, worker: WorkerId) -> Option<Exit> {
        self.gone.lock().iter().find(|(id, _)| *id == worker).map(|(_, exit)| exit.clone())
    }
}

impl Adapter for Fake {
    type Link = Link;

    fn describe(&self, worker: WorkerId) -> Result<ProcessSpec, Failure> {
        let first = (self.script.lock())(worker);
        if first.first().is_some_and(|line| line == "undescribed") {
            return Err(Failure::new("nobody knows what to start"));
        }
        let socket = self.directory.path().join("home").to_string_lossy().into_owned();
        let handoff = Handoff { socket, worker: worker.to_string(), first };
        let program = match handoff.first.first().map(String::as_str) {
            Some("no program") => "/nowhere/at/all".into(),
            _ => std::env::current_exe().unwrap(),
        };
        let pair = |key: &str, value: &str| (OsString::from(key), OsString::from(value));
        Ok(ProcessSpec {
            program,
            args: vec![],
            env: vec![
                pair("SNAKEPIT_ROLE", "worker"),
                pair("SNAKEPIT_MARK", &self.mark),
                pair("PATH", "/usr/bin:/bin"),
            ],
            cwd: Some("/".into()),
            handoff: serde_json::to_vec(&handoff).unwrap(),
            limits: self.limits.lock().clone(),
        })
    }

    fn started(&self, worker: WorkerId, pid: u32) {
        assert!(pid > 1, "worker {worker} runs as {pid}");
    }

    fn ready(&self, worker: WorkerId) -> BoxFuture<'static, Result<Link, Failure>> {
        let (waiting, arrived) = oneshot::channel();
        self.expected.lock().insert(worker.to_string(), waiting);
        let runtime = self.runtime.clone();
        async move {
            let stream = arrived.await.map_err(|_| Failure::new("forgotten"))?;
            Ok(talk(stream, &runtime))
        }
        .boxed()
    }

    fn lost(&self, link: &Link) -> BoxFuture<'static, ()> {
        let mut pongs = link.pongs.clone();
        async move { while pongs.changed().await.is_ok() {} }.boxed()
    }

    /// Leases hear of it from the pool itself.
    fn abandon(&self, _: &Link) {}

    fn probe(&self, link: &Link) -> BoxFuture<'static, Result<(), Failure>> {
        let mut link = link.clone();
        async move {
            link.pongs.mark_unchanged();
            let told = link.orders.send("ping".to_owned()).await;
            told.map_err(|_| Failure::new("the link is gone"))?;
            link.pongs.changed().await.map_err(|_| Failure::new("the link is gone"))
        }
        .boxed()
    }

    fn drain(&self, link: &Link) {
        let _ = link.orders.try_send("drain".to_owned());
    }

    fn output(&self, _: WorkerId, stream: OutputStream, line: &str) {
        self.lines.lock().push((stream, line.to_owned()));
    }

    fn gone(&self, worker: WorkerId, exit: &Exit) {
        self.expected.lock().remove(&worker.to_string());
        self.gone.lock().push((worker, exit.clone()));
    }
}

fn talk(stream: UnixStream, runtime: &tokio::runtime::Handle) -> Link {
    let (read, mut write) = stream.into_split();
    let (orders, mut waiting) = mpsc::channel::<String>(64);
    let (count, pongs) = watch::channel(0);
    runtime.spawn(async move {
        while let Some(order) = waiting.recv().await {
            if write.write_all(format!("{order}\n").as_bytes()).await.is_err() {
                return;
            }
        }
    });
    runtime.spawn(async move {
        let mut lines = BufReader::new(read).lines();
        while let Ok(Some(_)) = lines.next_line().await {
            count.send_modify(|count| *count += 1);
        }
    });
    Link { orders, pongs }
}

/// A pool of fake workers with its own runtime.
pub struct Stage {
    pub runtime: Runtime,
    pub pool: Arc<Pool<Fake>>,
    pub fake: Arc<Fake>,
    /// Its instance's.
    pub marker: String,
}

impl Stage {
    /// Workers that just serve.
    pub fn plain(change: impl FnOnce(&mut PoolConfig)) -> Stage {
        Stage::scripted(|_| vec![], change)
    }

    pub fn scripted(
        script: impl Fn(WorkerId) -> Vec<String> + Send + Sync + 'static,
        change: impl FnOnce(&mut PoolConfig),
    ) -> Stage {
        Stage::marked(world::fresh_mark(), script, change)
    }

    pub fn marked(
        mark: String,
        script: impl Fn(WorkerId) -> Vec<String> + Send + Sync + 'static,
        change: impl FnOnce(&mut PoolConfig),
    ) -> Stage {
        Stage::with(|_, _, _| usual(), mark, script, change)
    }

    /// Workers that a backend of its own starts, made for the pool's runtime, mark and
    /// configuration.
    pub fn with(
        backend: impl FnOnce(&Handle, &str, &PoolConfig) -> Arc<dyn Backend>,
        mark: String,
        script: impl Fn(WorkerId) -> Vec<String> + Send + Sync + 'static,
        change: impl FnOnce(&mut PoolConfig),
    ) -> Stage {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .on_thread_start(os::block_signals_on_this_thread)
            .build()
            .unwrap();
        let fake = Fake::new(mark, Box::new(script), runtime.handle().clone());
        let base = std::env::var_os("SNAKEPIT_BASE").map(PathBuf::from);
        let base = base.unwrap_or_else(|| fake.directory.path().to_owned());
        let instance = Instance::open(&base).unwrap();
        let marker = instance.marker().to_owned();
        let mut config = config(&fake.mark, instance);
        change(&mut config);
        let backend = backend(runtime.handle(), &fake.mark, &config);
        let pool = Pool::start(config, backend, fake.clone(), runtime.handle().clone());
        Stage { runtime, pool, fake, marker }
    }

    /// Runs a test's body and stops the pool; then nothing may be left.
    pub fn run<F: Future<Output = ()>>(self, body: impl FnOnce(Arc<Pool<Fake>>, Arc<Fake>) -> F) {
        let limit = Duration::from_secs(60);
        let whole = async {
            body(self.pool.clone(), self.fake.clone()).await;
            self.pool.stop(Duration::from_millis(200)).await;
        };
        let done = self.runtime.block_on(async { tokio::time::timeout(limit, whole).await });
        assert!(done.is_ok(), "the test hangs: {:?}", self.pool.stats());
        let left = world::marked(&self.fake.mark);
        assert!(left.is_empty(), "left behind: {left:?}");
        let stats = self.pool.stats();
        assert!(stats.workers.is_empty() && stats.queued == 0, "{stats:?}");
        assert_eq!(stats.acquired, stats.completed, "leases were lost");
    }
}

/// Starts the workers of tests that do not care how.
fn usual() -> Arc<dyn Backend> {
    if with_systemd() {
        return Arc::new(Systemd::new(GUARD.as_ref(), ServiceLimits::default()).unwrap());
    }
    Arc::new(Setsid::new(GUARD.into()))
}

/// True when the whole suite is to run on services; see `make test-systemd`.
pub fn with_systemd() -> bool {
    std::env::var("SNAKEPIT_BACKEND").is_ok_and(|name| name == "systemd")
}

/// The guard program as it was built with this test.
pub const GUARD: &str = env!("CARGO_BIN_EXE_snakepit-guard");

pub fn config(mark: &str, instance: Arc<Instance>) -> PoolConfig {
    let ms = Duration::from_millis;
    PoolConfig {
        name: format!("pool-{mark}"),
        instance,
        workers: 1,
        workers_max: 0,
        grow_after: ms(50),
        shrink_after: ms(200),
        terms: Terms::default(),
        replacements_max: 1,
        calls_per_worker: 1,
        held_max: 8,
        queue_max: 8,
        concurrent_starts: 4,
        start_timeout: ms(20_000),
        restart_backoff_min: ms(10),
        restart_backoff_max: ms(100),
        exhaustion_rest: ms(50),
        restart_failures_max: 3,
        restart_window: ms(10_000),
        quarantine: ms(60_000),
        probe_interval: ms(1_000),
        probe_timeout: ms(10_000),
        memory_hard_bytes: None,
        abort_grace: ms(2_000),
        kill_grace: ms(2_000),
        lost_grace: ms(1_000),
        stderr_tail_bytes: 4096,
        output_line_bytes_max: 256,
    }
}

/// A lease, within a time that is only there to end a hanging test.
pub async fn lease(pool: &Pool<Fake>) -> Lease<Fake> {
    pool.acquire(Some(soon()), None, Claim::default()).await.unwrap()
}

/// A lease that needs no waiting.
pub fn free(pool: &Pool<Fake>) -> Option<Lease<Fake>> {
    pool.try_acquire(None).ok().flatten()
}

pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// Waits until the statistics say so.
pub async fn settled(pool: &Pool<Fake>, what: &str, condition: impl Fn(&PoolStats) -> bool) {
    world::eventually(what, || condition(&pool.stats())).await;
}
