//! Guards as transient services: systemd puts each with its worker into a control group, holds the
//! group's limits, and kills what is left in it when the guard ends, however that happens.
//!
//! A service, not a scope: only a service has a main process whose end is the end of all. The guard
//! gets its socket and its pipes through `systemd-run --pipe`, which is ended once the guard has
//! answered. Nothing but numbers and checked names is put into a property.

mod service;
mod tools;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use super::super::backend::Backend;
use super::super::error::Failure;
use super::super::ids::WorkerId;
use super::super::os::GuardProcess;
use super::super::spec::ProcessSpec;
use tools::Tools;

/// Limits of a worker with its whole tree and its guard; `None` leaves systemd's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServiceLimits {
    /// Resident memory; what exceeds it is killed by the kernel. Nothing is swapped out instead.
    pub memory_bytes_max: Option<u64>,
    /// Processes and threads.
    pub tasks_max: Option<u64>,
    /// Of one processor; 150 is one and a half.
    pub cpu_quota_percent: Option<u32>,
}

/// How many starts are under way.
#[derive(Clone, Default)]
struct Starts(Arc<watch::Sender<usize>>);

struct Start(Starts);

impl Starts {
    fn begin(&self) -> Start {
        self.0.send_modify(|running| *running += 1);
        Start(self.clone())
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        self.0.0.send_modify(|running| *running = running.saturating_sub(1));
    }
}

/// Has systemd start each guard: the system's for root, otherwise the user's own.
pub struct Systemd {
    guard: PathBuf,
    limits: ServiceLimits,
    tools: Tools,
    starts: Starts,
    /// Of the one pool that this belongs to.
    pool: OnceLock<String>,
}

impl Systemd {
    /// `guard` is the guard program; see `find_guard`. Fails, with the reason in a line, where
    /// there is no systemd to talk to.
    pub fn new(guard: &Path, limits: ServiceLimits) -> Result<Systemd, Failure> {
        let tools = Tools::find()?;
        let guard = guard
            .canonicalize()
            .map_err(|error| Failure::new(format!("guard {}: {error}", guard.display())))?;
        Ok(Systemd { guard, limits, tools, starts: Starts::default(), pool: OnceLock::new() })
    }
}

impl Backend for Systemd {
    fn name(&self) -> &'static str {
        "systemd"
    }

    fn spawn<'a>(
        &'a self,
        pool: &'a str,
        worker: WorkerId,
        _: &'a ProcessSpec,
    ) -> BoxFuture<'a, Result<GuardProcess, Failure>> {
        let _ = self.pool.set(pool.to_owned());
        let spawned = async move {
            let unit = service::unit(pool, worker)?;
            let args = service::arguments(&unit, &self.limits, &self.guard, pool, worker);
            let (done, answer) = oneshot::channel();
            let (start, busy) = (self.tools.start(args), self.starts.begin());
            // On a thread of its own, and to its end: a future that is dropped half-way would leave
            // the starting program to nobody.
            Handle::current().spawn_blocking(move || {
                if let Err(Ok(unwanted)) = done.send(start()) {
                    unwanted.reaper.end();
                }
                drop(busy);
            });
            answer.await.unwrap_or_else(|_| Err(Failure::new("the runtime ends")))
        };
        spawned.boxed()
    }

    /// The service's end is the end of all that is in its control group.
    fn clear(&self, worker: WorkerId) -> BoxFuture<'_, ()> {
        let unit = self.pool.get().and_then(|pool| service::unit(pool, worker).ok());
        let stopped = async move {
            if let Some(unit) = unit
                && let Err(failure) = self.tools.stop(&unit).await
            {
                tracing::error!(%worker, unit, %failure, "cannot stop a service");
            }
        };
        stopped.boxed()
    }

    /// Starts that were given up may be under way.
    fn close(&self) -> BoxFuture<'_, ()> {
        let mut running = self.starts.0.subscribe();
        async move {
            let over = running.wait_for(|running| *running == 0);
            if tokio::time::timeout(tools::START_LIMIT, over).await.is_err() {
                tracing::error!("services are still being started");
            }
        }
        .boxed()
    }
}
