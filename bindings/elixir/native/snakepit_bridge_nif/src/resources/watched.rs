//! The process that a resource works for. Must not know what happens when it dies.

use parking_lot::Mutex;
use rustler::{Env, LocalPid, Monitor, Resource, ResourceArc};

/// At most one monitor, which ends when the work has.
#[derive(Default)]
pub struct Watched(Mutex<Option<Monitor>>);

impl Watched {
    /// Whether the process is alive; if so `down` of the resource will hear of its end.
    pub fn begin<R: Resource>(&self, resource: &ResourceArc<R>, env: Env, pid: &LocalPid) -> bool {
        let monitor = resource.monitor(Some(env), pid);
        let before = std::mem::replace(&mut *self.0.lock(), monitor);
        if let Some(before) = before {
            resource.demonitor(Some(env), &before);
        }
        monitor.is_some()
    }

    /// The work has ended. On a thread of ours there is no environment.
    pub fn end<R: Resource>(&self, resource: &ResourceArc<R>, env: Option<Env>) {
        let monitor = self.0.lock().take();
        if let Some(monitor) = monitor {
            resource.demonitor(env, &monitor);
        }
    }
}
