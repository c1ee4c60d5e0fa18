//! "A template of Python workers" as a process description: the same interpreter, environment and
//! directory, told what to prepare and nothing that is one worker's.

use std::ffi::OsString;

use crate::snakepit::{Failure, ProcessSpec, ResourceLimits};

use super::handoff::{self, TemplateHandoff};
use super::python::RuntimeSettings;

/// The process that a pool's workers can be forked from. Its limits are the workers' core limit
/// only: what a worker may take is set on the worker.
pub fn template(settings: &RuntimeSettings) -> Result<ProcessSpec, Failure> {
    let handoff = handoff::to_bytes(&TemplateHandoff::from(settings))?;
    Ok(ProcessSpec {
        program: settings.python.clone(),
        args: ["-m", "snakepit_bridge.template"].map(OsString::from).to_vec(),
        env: settings.environment.clone(),
        cwd: settings.directory.clone(),
        handoff,
        limits: ResourceLimits {
            core_bytes: settings.limits.core_bytes,
            ..ResourceLimits::default()
        },
    })
}
