//! The plain way: the host starts a guard program per worker, and the guard executes the worker's.
//!
//! It keeps nothing of its own. A lost guard's worker died with it; descendants that hid from the
//! worker's group are nobody's to find here.

use std::path::PathBuf;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::super::backend::Backend;
use super::super::error::Failure;
use super::super::ids::WorkerId;
use super::super::os::{GuardProcess, spawn_guard};
use super::super::spec::ProcessSpec;

/// Executes each worker anew.
pub struct Setsid {
    guard: PathBuf,
}

impl Setsid {
    /// `guard` is the guard program; see `find_guard`.
    pub fn new(guard: PathBuf) -> Setsid {
        Setsid { guard }
    }
}

impl Backend for Setsid {
    fn name(&self) -> &'static str {
        "setsid"
    }

    fn spawn<'a>(
        &'a self,
        pool: &'a str,
        worker: WorkerId,
        _: &'a ProcessSpec,
    ) -> BoxFuture<'a, Result<GuardProcess, Failure>> {
        let spawned = async move {
            spawn_guard(&self.guard, &["--".as_ref(), pool.as_ref(), worker.to_string().as_ref()])
                .map_err(|error| {
                    Failure::system(format_args!("guard {}", self.guard.display()), &error)
                })
        };
        spawned.boxed()
    }
}
