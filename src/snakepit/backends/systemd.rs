//! Guards as transient services: systemd puts each with its worker into a control group, holds the
//! group's limits, and kills what is left in it when the guard ends, however that happens.
//!
//! A service, not a scope: only a service has a main process whose end is the end of all. The guard
//! gets its socket and its pipes through `systemd-run --pipe`, which is ended once the guard has
//! answered. Nothing but numbers and checked names is put into a property.

mod service;
mod tools;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

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

/// Has systemd start each guard: the system's for root, otherwise the user's own.
pub struct Systemd {
    guard: PathBuf,
    limits: ServiceLimits,
    tools: Tools,
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
        Ok(Systemd { guard, limits, tools, pool: OnceLock::new() })
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
            let start = self.tools.start(args);
            // On a thread of its own, and to its end: a future that is dropped half-way would leave
            // the starting program to nobody. A guard that comes too late finds its host gone.
            let started = tokio::runtime::Handle::current().spawn_blocking(start).await;
            started.unwrap_or_else(|_| Err(Failure::new("the runtime ends")))
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

    fn close(&self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }
}
