//! One use of this library by one process, as others can see it: a private directory with a lock
//! that lives as long as its owner, a marker for all of its processes, and a record of each guard.
//!
//! Opening one first sweeps what dead ones have left.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, geteuid, getpid};

use super::super::ids::WorkerId;
use super::super::spec::ProcessSpec;
use super::directory::Directory;
use super::hunt::Quarry;
use super::mark::{self, Mark};
use super::notes::{GuardNote, HostNote};
use super::sweep::sweep;

/// An open one. Dropping it removes its directory; a killed owner's is removed by a later start.
pub struct Instance {
    path: PathBuf,
    host: HostNote,
    owner: Pid,
    /// Until it is closed.
    directory: Mutex<Option<Directory>>,
    records: AtomicU64,
}

impl Instance {
    /// Sweeps below `base`, at most for a second per dead instance, and makes a directory of its
    /// own there. `base` must exist.
    pub fn open(base: &Path) -> io::Result<Arc<Instance>> {
        let user = geteuid().as_raw();
        sweep(base, user, SWEEP_LIMIT);
        let host = HostNote::own(&random_hex::<MARKER_BYTES>()?)?;
        let name = random_hex::<NAME_BYTES>()?;
        let path = base.join(format!("spb-{user}-{name}"));
        // Names its maker, so that a draft without one can be told from one that is being made.
        let maker = format!(".spb-{user}-{}-{}-{name}", host.pid, host.started_ticks);
        let fill = |directory: &Directory| host.write(directory);
        let directory = Directory::create(&base.join(maker), &path, fill)?;
        Ok(Arc::new(Instance {
            path,
            host,
            owner: getpid(),
            directory: Mutex::new(Some(directory)),
            records: AtomicU64::new(0),
        }))
    }

    /// Its directory: 0700, ours, the place for sockets. It goes with the instance.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// 128 random bits in hexadecimal: what all names of its processes begin with.
    pub fn marker(&self) -> &str {
        &self.host.marker
    }

    /// Removes the directory and gives up the lock. Idempotent; to be called when no process is
    /// left.
    pub fn close(&self) {
        let Some(directory) = self.directory.lock().take() else { return };
        // A forked child has the same object, but nothing to say.
        if getpid() != self.owner {
            return;
        }
        if let Err(error) = directory.remove() {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a run directory");
        }
    }

    /// What a guard's command line shows of its pool.
    pub(in super::super) fn label(&self, pool: &str) -> String {
        format!("{}/{pool}", self.marker())
    }

    /// Has `spec`'s process, and all that descend from it, carry the name of `process`: a worker,
    /// or what else a pool keeps.
    pub(in super::super) fn brand(
        &self,
        pool: &str,
        process: impl Display,
        spec: &mut ProcessSpec,
    ) {
        mark::write_into(&mut spec.env, mark::name(self.marker(), pool, process));
    }

    /// Notes that the process `pid` is the guard of `process`. To be called before the guard learns
    /// what to start, so that there is no worker without a record.
    pub(in super::super) fn record(
        self: &Arc<Self>,
        pool: &str,
        process: impl Display,
        pid: u32,
    ) -> io::Result<Record> {
        let note = GuardNote::new(mark::name(self.marker(), pool, process), pid)?;
        let number = self.records.fetch_add(1, Ordering::Relaxed);
        match &*self.directory.lock() {
            Some(directory) => note.write(directory, number)?,
            None => return Err(io::Error::other("the instance is closed")),
        }
        Ok(Record { instance: self.clone(), number })
    }

    /// After the loss of a worker's guard: kills what carries the worker's name, and what is found
    /// by it, until nothing is left or `limit` has passed. Blocks meanwhile.
    pub(in super::super) fn clear(&self, pool: &str, worker: WorkerId, limit: Duration) {
        let mark = Mark::Worker(mark::name(self.marker(), pool, worker));
        let quarry = Quarry::new(mark, Vec::new(), &self.host);
        match quarry.and_then(|quarry| quarry.hunt(limit)) {
            Ok(bag) if bag.left > 0 => {
                tracing::error!(pool, %worker, ?bag, "processes of a lost worker do not end");
            }
            Ok(bag) => tracing::debug!(pool, %worker, ?bag, "cleared after a lost guard"),
            Err(error) => tracing::error!(pool, %worker, %error, "cannot look for processes"),
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A guard's record. Dropping it removes it; to be dropped when the guard is gone.
pub struct Record {
    instance: Arc<Instance>,
    number: u64,
}

impl Drop for Record {
    fn drop(&mut self) {
        if let Some(directory) = &*self.instance.directory.lock() {
            GuardNote::remove(directory, self.number);
        }
    }
}

fn random_hex<const BYTES: usize>() -> io::Result<String> {
    let mut random = [0_u8; BYTES];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

const MARKER_BYTES: usize = 16;
const NAME_BYTES: usize = 8;
const SWEEP_LIMIT: Duration = Duration::from_secs(1);
