//! Tool calls that were taken to be answered: they fail when nobody holds them any more. Must not
//! know how processes are chosen.

use rustler::{Resource, ResourceArc};

use crate::ffi::Invocation;

use super::tool::ToolResource;

pub struct InvocationResource {
    pub handle: Invocation,
    tool: ResourceArc<ToolResource>,
}

#[rustler::resource_impl]
impl Resource for InvocationResource {}

impl InvocationResource {
    pub fn new(handle: Invocation, tool: ResourceArc<ToolResource>) -> Self {
        InvocationResource { handle, tool }
    }
}

impl Drop for InvocationResource {
    fn drop(&mut self) {
        self.tool.is_answered(self.handle.id());
    }
}
