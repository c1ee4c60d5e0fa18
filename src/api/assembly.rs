//! Puts a platform together from its configuration: threads, doors, pools, in that order; if one
//! fails, what was begun is taken down again.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;

use crate::config::{PlatformConfig, PoolConfig, ProcessLimitsConfig};
use crate::core::{Error, Result, Status, Timers};
use crate::frameworks::Catalog;
use crate::operations::{CachedReads, CallPool, InFlight, Services};
use crate::runtimes::{PythonRuntime, RuntimeSettings, environment, interpreter};
use crate::sessions::Sessions;
use crate::shared_memory;
use crate::snakepit::{self, CgroupLimits, Instance, ResourceLimits};
use crate::state::{Backend, Watches};
use crate::telemetry::{Level, LogDispatch, LogHub, Metrics, Origin, Record};
use crate::tools::ToolRegistry;
use crate::transport::{
    Endpoint, EndpointAddress, Listener, LogNote, WireSeats, Wires, WorkerEvents,
};

use super::backends::backend;
use super::endpoint::Handler;
use super::keeper;
use super::platform::{Machinery, Platform};
use super::protection;
use super::python_tools::PythonTools;
use super::shutdown::Closing;
use super::stores::{self, MakeStore};

/// Opens a platform as `config` says, on the store that `make_store` makes.
pub(super) fn open(config: PlatformConfig, make_store: Box<MakeStore>) -> Result<Arc<Platform>> {
    let metrics = Metrics::new();
    let logs = LogHub::new(config.logs.queue_max, metrics.logs_dropped());
    hide_secrets(&config, &logs);
    let dispatch = LogDispatch::new(logs.clone());
    let runtime = start_runtime(&config, &dispatch)?;
    let handle = runtime.handle().clone();
    let built = build(config, make_store, runtime, handle, logs, dispatch, metrics)?;
    serve(&built)?;
    Ok(built)
}

/// What workers are given under names that say secret is masked in every log record from the start,
/// whoever prints it.
fn hide_secrets(config: &PlatformConfig, logs: &LogHub) {
    config.state.secrets().for_each(|secret| logs.redactor().hide(secret));
    for pool in config.pools.values() {
        let own = pool.env.iter().map(|(name, value)| (name.as_str(), value.expose()));
        logs.redactor().hide_named(own);
        for name in &pool.env_pass {
            let value = std::env::var(name).unwrap_or_default();
            logs.redactor().hide_named([(name.as_str(), value.as_str())]);
        }
    }
}

fn start_runtime(config: &PlatformConfig, dispatch: &LogDispatch) -> Result<Runtime> {
    let started = AtomicU64::new(0);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.io_threads)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_name_fn(move || format!("spb-io-{}", started.fetch_add(1, Ordering::Relaxed)))
        .on_thread_start(thread_start(dispatch))
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| {
            Error::new(Status::ResourceExhausted, format!("cannot start I/O threads: {error}"))
        })
}

/// Where the connections of workers live.
fn start_wires(config: &PlatformConfig, dispatch: &LogDispatch) -> Result<Wires> {
    let spin = Duration::from_micros(config.spin_us);
    Wires::start(config.io_threads, spin, dispatch.clone(), thread_start(dispatch))
}

/// What each of our threads does first: signals are the host's, and records go to the platform.
fn thread_start(dispatch: &LogDispatch) -> impl Fn() + Send + Sync + 'static {
    let dispatch = dispatch.clone();
    move || {
        snakepit::os::block_signals_on_this_thread();
        dispatch.install_for_thread();
    }
}

fn build(
    config: PlatformConfig,
    make_store: Box<MakeStore>,
    runtime: Runtime,
    handle: Handle,
    logs: Arc<LogHub>,
    dispatch: LogDispatch,
    metrics: Arc<Metrics>,
) -> Result<Arc<Platform>> {
    let events = Arc::new(OutsideCalls { logs: logs.clone() });
    let instance = open_instance(&config, &dispatch)?;
    let bytes_max = config.values.bytes_max;
    let wires = start_wires(&config, &dispatch)?;
    let seats = wires.seats().clone();
    let listener = Listener::open(instance.path(), bytes_max, events, &handle, wires)?;
    let sessions = Arc::new(Sessions::new(config.sessions.max, config.sessions.ttl));
    let watches = watches(&sessions, &handle);
    let store = make_store(stores::limits(&config), watches.clone(), handle.clone())?;
    let services = services(&config, store, watches, &handle, &logs, &metrics, seats);
    let pools = start_pools(&config, &instance, &listener, &services)?;
    let platform = Arc::new(Platform {
        sessions,
        live: RwLock::default(),
        keeper: Arc::default(),
        store_ended: watch::Sender::new(false),
        closing: Mutex::new(Closing::Open { hooks: Vec::new() }),
        is_closing: AtomicBool::new(false),
        machinery: Mutex::new(Some(Machinery { runtime, instance, listener, endpoint: None })),
        config,
        handle,
        services,
        pools,
        logs,
        metrics,
    });
    let weak = Arc::downgrade(&platform);
    platform.services.tools.set_elsewhere(Arc::new(PythonTools(weak.clone())));
    platform.handle.spawn(keeper::end_lost(weak.clone(), platform.sessions.clone()));
    platform.handle.spawn(keeper::keep_times(weak, platform.keeper.clone()));
    Ok(platform)
}

/// Cleans up after hosts that were killed, and makes the place for this one.
fn open_instance(config: &PlatformConfig, dispatch: &LogDispatch) -> Result<Arc<Instance>> {
    let run_dir = config.run_dir.clone().unwrap_or_else(default_run_dir);
    let opened = dispatch.run(|| Instance::open(&run_dir));
    opened.map_err(|error| {
        let message = format!("cannot make a directory below {run_dir:?}: {error}");
        Error::new(Status::of_io(&error), message).with("field", "run_dir")
    })
}

/// Who is told of what changes in the store; sessions that the store has ended end here, too.
fn watches(sessions: &Arc<Sessions>, handle: &Handle) -> Arc<Watches> {
    let watches = Watches::new(handle.clone());
    let sessions = sessions.clone();
    watches.on_lost(Box::new(move |incarnation, loss| sessions.lose(incarnation, loss)));
    watches
}

fn services(
    config: &PlatformConfig,
    store: Arc<dyn Backend>,
    watches: Arc<Watches>,
    handle: &Handle,
    logs: &Arc<LogHub>,
    metrics: &Arc<Metrics>,
    seats: Arc<WireSeats>,
) -> Arc<Services> {
    let timers = Arc::new(Timers::default());
    handle.spawn({
        let timers = timers.clone();
        async move { timers.run().await }
    });
    let tools = ToolRegistry::new(
        timers.clone(),
        metrics.clone(),
        config.tools.per_scope_max,
        config.tools.in_flight_max,
    );
    Services::new(
        handle.clone(),
        timers,
        Arc::new(tools),
        store,
        watches,
        logs.clone(),
        metrics.clone(),
        InFlight::new(config.operations.in_flight_max),
        config.operations.nesting_depth_max,
        config.operations.stream_window,
        seats,
    )
}

fn start_pools(
    config: &PlatformConfig,
    instance: &Arc<Instance>,
    listener: &Listener,
    services: &Services,
) -> Result<HashMap<String, Arc<CallPool>>> {
    if config.pools.is_empty() {
        return Ok(HashMap::new());
    }
    // Everything that can be wrong is found before the first process is started.
    let guard = guard_path(config)?;
    let mut planned = Vec::new();
    for (name, pool) in &config.pools {
        planned.push((name, pool, settings(name, pool, listener)?));
    }
    let mut pools = HashMap::new();
    for (name, pool, settings) in planned {
        let catalog = Arc::new(Catalog::new(name, services.metrics.clone()));
        let shape = pool_shape(name, pool, instance.clone());
        let (logs, handle) = (&services.logs, &services.runtime);
        let backend = backend(&pool.backend, &shape, &settings, &guard, logs, handle)?;
        let runtime = Arc::new(PythonRuntime::new(settings, catalog.clone(), logs.clone()));
        let workers = snakepit::Pool::start(shape, backend, runtime, handle.clone());
        let (name_shared, metrics) = (Arc::from(name.as_str()), services.metrics.pool(name));
        let protection = protection::of(pool, &name_shared, &metrics);
        let call_pool = CallPool {
            name: name_shared,
            workers,
            metrics,
            catalog,
            cancel_grace: pool.cancel_grace,
            protection,
            reads: Arc::new(CachedReads::default()),
            caches_variables: pool.variable_cache,
        };
        pools.insert(name.clone(), Arc::new(call_pool));
    }
    Ok(pools)
}

fn settings(name: &str, pool: &PoolConfig, listener: &Listener) -> Result<RuntimeSettings> {
    let path = std::env::var_os("PATH");
    let own = pool.env.iter().map(|(name, value)| (name.as_str(), value.expose()));
    Ok(RuntimeSettings {
        pool: Arc::from(name),
        python: interpreter::find(&pool.python, path.as_deref())?,
        python_path: pool.python_path.clone(),
        frameworks: pool.frameworks.clone().into_iter().collect(),
        environment: environment::build(pool.env_pass.iter().map(String::as_str), own, |name| {
            std::env::var_os(name)
        }),
        directory: pool.cwd.clone(),
        limits: process_limits(&pool.limits),
        switch_interval_ms: pool.switch_interval_ms,
        threads_max: pool.calls_held_per_worker_max,
        log_level: pool.log_level.clone(),
        connect_timeout: pool.start_timeout,
        socket: listener.socket().to_path_buf(),
        gate: listener.gate().clone(),
        party: shared_memory::pool().join(),
    })
}

fn process_limits(limits: &ProcessLimitsConfig) -> ResourceLimits {
    ResourceLimits {
        core_bytes: Some(limits.core_bytes),
        open_files: limits.open_files,
        memory_bytes: limits.address_space_bytes,
        processes: limits.processes,
        oom_score_adj: Some(crate::core::limits::WORKER_OOM_SCORE_ADJ),
        cgroup: limits.cgroup.as_ref().map(|cgroup| CgroupLimits {
            memory_bytes: cgroup.memory_bytes,
            processes: cgroup.processes,
            cpu_percent: cgroup.cpu_percent,
            required: cgroup.required,
        }),
    }
}

fn pool_shape(name: &str, pool: &PoolConfig, instance: Arc<Instance>) -> snakepit::PoolConfig {
    snakepit::PoolConfig {
        name: name.to_owned(),
        instance,
        workers: pool.workers,
        workers_max: pool.workers_max.unwrap_or(pool.workers),
        grow_after: pool.grow_after,
        shrink_after: pool.shrink_after,
        terms: snakepit::Terms {
            age_max: pool.recycle.age_max,
            leases_max: pool.recycle.calls_max,
            memory_soft_bytes: pool.recycle.memory_soft_bytes,
        },
        replacements_max: pool.recycle.concurrency,
        calls_per_worker: pool.calls_per_worker,
        held_max: pool.calls_held_per_worker_max,
        queue_max: pool.queue_max,
        concurrent_starts: pool.concurrent_starts,
        start_timeout: pool.start_timeout,
        restart_backoff_min: pool.restart.backoff_min,
        restart_backoff_max: pool.restart.backoff_max,
        exhaustion_rest: crate::core::limits::EXHAUSTION_REST,
        restart_failures_max: pool.restart.failures_max,
        restart_window: pool.restart.window,
        quarantine: pool.restart.quarantine,
        probe_interval: pool.heartbeat.interval,
        probe_timeout: pool.heartbeat.timeout,
        memory_hard_bytes: pool.limits.memory_hard_bytes,
        abort_grace: pool.heartbeat.abort_grace,
        kill_grace: pool.kill_grace,
        lost_grace: crate::core::limits::LOST_GRACE,
        stderr_tail_bytes: crate::core::limits::STDERR_TAIL_BYTES,
        output_line_bytes_max: crate::core::limits::LOG_RECORD_BYTES_MAX,
    }
}

fn guard_path(config: &PlatformConfig) -> Result<PathBuf> {
    let beside = snakepit::os::library_dir();
    snakepit::find_guard(config.guard_path.as_deref(), beside.as_deref()).map_err(|failure| {
        Error::new(Status::Unavailable, failure.to_string())
            .with("field", "guard_path")
            .retryable(false)
    })
}

fn serve(platform: &Arc<Platform>) -> Result<()> {
    let Some(address) = &platform.config.serve.address else { return Ok(()) };
    let address = EndpointAddress::parse(address)?;
    let handler = Arc::new(Handler { platform: Arc::downgrade(platform) });
    let bytes_max = platform.config.values.bytes_max;
    let endpoint = Endpoint::open(&address, bytes_max, handler, &platform.handle)?;
    if let Some(machinery) = platform.machinery.lock().as_mut() {
        machinery.endpoint = Some(endpoint);
    }
    Ok(())
}

fn default_run_dir() -> PathBuf {
    let runtime_dir = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    runtime_dir.filter(|path| path.is_dir()).unwrap_or_else(std::env::temp_dir)
}

/// What workers say outside of calls.
struct OutsideCalls {
    logs: Arc<LogHub>,
}

impl WorkerEvents for OutsideCalls {
    fn log(&self, worker: crate::core::WorkerId, note: LogNote) {
        let level = Level::from_number(note.level);
        if self.logs.listens(level) {
            let origin = Origin { worker: Some(worker), ..Origin::default() };
            self.logs.publish(Record::new(level, note.target, note.message).from_origin(origin));
        }
    }

    fn refused(&self, reason: &str) {
        tracing::warn!("an attach was refused: {reason}");
    }
}

/// File I/O and name look-ups that tokio moves off its I/O threads; we cause almost none.
const BLOCKING_THREADS_MAX: usize = 8;
