//! Tool calls that wait for an answer: failed when the process that answers dies, or when nobody
//! holds them any more. Must not know how processes are chosen.

use rustler::{Env, LocalPid, Monitor, Resource, ResourceArc};

use crate::ffi::{Invocation, Outcome, fail_by_id};

use super::tool::ToolResource;
use super::watched::Watched;

pub struct InvocationResource {
    pub handle: Invocation,
    pub watched: Watched,
    tool: ResourceArc<ToolResource>,
}

#[rustler::resource_impl]
impl Resource for InvocationResource {
    /// The process that had claimed the call has died.
    fn down<'a>(&'a self, _env: Env<'a>, _pid: LocalPid, _monitor: Monitor) {
        fail_by_id(self.handle.id(), CLAIMER_ENDED);
    }
}

impl InvocationResource {
    pub fn new(handle: Invocation, tool: ResourceArc<ToolResource>) -> Self {
        InvocationResource { handle, watched: Watched::default(), tool }
    }

    /// Answers, after which nobody's death counts; a refused answer may be corrected.
    pub fn answer(
        invocation: &ResourceArc<Self>,
        env: Env,
        answer: impl FnOnce(&Invocation) -> Outcome<()>,
    ) -> Outcome<()> {
        answer(&invocation.handle)?;
        invocation.watched.end(invocation, Some(env));
        Ok(())
    }

    /// Makes a process the one who answers.
    pub fn claim(invocation: &ResourceArc<Self>, env: Env, pid: &LocalPid) {
        if !invocation.watched.begin(invocation, env, pid) {
            fail_by_id(invocation.handle.id(), CLAIMER_ENDED);
        }
    }
}

impl Drop for InvocationResource {
    fn drop(&mut self) {
        self.tool.is_answered(self.handle.id());
    }
}

const CLAIMER_ENDED: &str = "the process that ran the tool has ended without an answer";
