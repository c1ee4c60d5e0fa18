//! A worker's life before it has a guard: the backend is at work, and the worker may be given up
//! meanwhile.

use std::io;

use super::super::adapter::Adapter;
use super::super::config::PoolConfig;
use super::super::error::Failure;
use super::super::exit::{Cause, ExitKind};
use super::super::moment::passed;
use super::super::os::GuardProcess;
use super::super::process::{Guarded, Output};
use super::super::spec::ProcessSpec;
use super::events::obey;
use super::life::Life;

impl<A: Adapter> Life<A> {
    /// Has the backend start a guard. `None`, with what to account for, if there is none to be
    /// had, or not in time, or the worker is no longer wanted.
    pub(super) async fn spawn(&mut self, spec: &ProcessSpec) -> Option<(Guarded, Output)> {
        let shared = self.shared.clone();
        let label = shared.config.instance.label(&shared.config.name);
        let spawned = shared.backend.spawn(&label, self.worker, spec);
        let event = tokio::select! {
            biased;
            spawned = spawned => return self.hold(spawned, spec),
            event = obey(&mut self.order) => event,
            () = passed(self.start_deadline) => self.too_late(),
        };
        self.note(event);
        self.kind = ExitKind::SpawnFailed("it was given up before its guard ran".to_owned());
        None
    }

    fn hold(
        &mut self,
        spawned: Result<GuardProcess, Failure>,
        spec: &ProcessSpec,
    ) -> Option<(Guarded, Output)> {
        let held = spawned.and_then(|process| {
            let held = self.record_and_send(process, spec);
            held.map_err(|error| Failure::system("guard", &error))
        });
        match held {
            Ok(held) => Some(held),
            Err(failure) => {
                self.tail.lock().push(failure.stderr_tail().as_bytes());
                self.kind = ExitKind::SpawnFailed(failure.to_string());
                if failure.is_exhausted() {
                    self.blame(Cause::Exhausted, failure.to_string());
                }
                None
            }
        }
    }

    /// A guard that has nothing to start yet leaves by itself when its host dies; from the spec on
    /// a later start must be able to find it.
    fn record_and_send(
        &self,
        process: GuardProcess,
        spec: &ProcessSpec,
    ) -> io::Result<(Guarded, Output)> {
        let PoolConfig { name, instance, .. } = &self.shared.config;
        let record = instance.record(name, self.worker, process.reaper.pid())?;
        Guarded::new(process, record, spec)
    }
}
