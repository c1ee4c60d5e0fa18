//! A worker's life before it has a guard: the backend is at work, and the worker may be given up
//! meanwhile.

use super::super::adapter::Adapter;
use super::super::error::Failure;
use super::super::exit::ExitKind;
use super::super::os::GuardProcess;
use super::super::process::{Guarded, Output};
use super::super::spec::ProcessSpec;
use super::events::{obey, passed};
use super::life::Life;

impl<A: Adapter> Life<A> {
    /// Has the backend start a guard. `None`, with what to account for, if there is none to be
    /// had, or not in time, or the worker is no longer wanted.
    pub(super) async fn spawn(&mut self, spec: &ProcessSpec) -> Option<(Guarded, Output)> {
        let shared = self.shared.clone();
        let spawned = shared.backend.spawn(&shared.config.name, self.worker, spec);
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
        let held = spawned.map_err(|failure| failure.to_string()).and_then(|process| {
            Guarded::new(process, spec).map_err(|error| format!("guard: {error}"))
        });
        held.map_err(|error| self.kind = ExitKind::SpawnFailed(error)).ok()
    }
}
