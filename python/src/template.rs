//! `divide`: how a template makes a worker and its guard of itself.
//!
//! Translates between Python and the platform's own `os::divide`. Nothing of Python runs in the
//! worker before its guard has let it go; what a fork means to the interpreter is its caller's.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{OwnedFd, RawFd};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::snakepit::os::{self, Divided, GuardCommand};

/// The handoff, the environment and the directory that a worker's guard has sent it.
type Told<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// In the template: the guard's process id and `None`. In the worker: 0 and what it is told. See
/// `_native.pyi`.
#[pyfunction]
pub fn divide<'py>(
    py: Python<'py>,
    guard: &str,
    labels: Vec<String>,
    descriptors: [RawFd; 4],
) -> PyResult<(u32, Option<Told<'py>>)> {
    let [control, stdout, stderr, host] = descriptors;
    let command = GuardCommand {
        program: text(guard)?,
        before: vec![text(guard)?, text("--adopt")?],
        after: labels.iter().map(|label| text(label)).collect::<PyResult<_>>()?,
        shared: vec![(stdout, 1), (stderr, 2)],
        own: vec![(control, CONTROL), (host, HOST)],
        go: GO,
    };
    match os::divide(&command, c"snakepit-bridge template: a guard cannot be started\n")? {
        Divided::Before { guard } => Ok((guard, None)),
        Divided::Child((message, files)) => {
            let mut contents = files.into_iter().map(contents);
            let mut next =
                || contents.next().unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()));
            let (handoff, environment) = (next()?, next()?);
            let directory = message.get(1..).unwrap_or_default();
            let [handoff, environment, directory] =
                [&handoff, &environment, directory].map(|bytes| PyBytes::new(py, bytes));
            Ok((0, Some((handoff, environment, directory))))
        }
    }
}

fn contents(descriptor: OwnedFd) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::from(descriptor).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text(text: &str) -> PyResult<CString> {
    CString::new(text).map_err(|_| PyValueError::new_err("a text with a NUL byte"))
}

/// Where a guard in the place of a forked process looks for the socket to its host, for its end of
/// the pair that the worker waits at, and for the host's process.
const CONTROL: RawFd = 0;
const GO: RawFd = 3;
const HOST: RawFd = 4;
