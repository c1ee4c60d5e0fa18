//! `connect`: from the handoff's facts to a [`Link`].
//!
//! The only way to get one. What is said while dialling is the engine's business.

use std::path::PathBuf;
use std::time::Duration;

use pyo3::exceptions::PyConnectionError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use snakepit_bridge_proto as pb;

use crate::engine::{Dial, thread};
use crate::fork::Home;
use crate::link::Link;
use crate::payload::shared_bytes;

/// Dials the platform's socket and says hello; the GIL is released meanwhile.
#[pyfunction]
pub fn connect(
    py: Python<'_>,
    socket_path: PathBuf,
    token: &[u8],
    runtime: String,
    frameworks: Vec<(String, String, Bound<'_, PyBytes>)>,
    timeout_ms: u64,
) -> PyResult<Link> {
    let home = Home::here(py)?;
    let frameworks = frameworks.into_iter().map(|(framework_id, version, schema)| {
        let schema_json = shared_bytes(&schema);
        pb::FrameworkSchema { framework_id, version, schema_json }
    });
    let dial = Dial {
        socket_path,
        token: bytes::Bytes::copy_from_slice(token),
        runtime,
        frameworks: frameworks.collect(),
        timeout: Duration::from_millis(timeout_ms),
    };
    let started = py.detach(|| thread::start(dial));
    let (welcome, shared) = started.map_err(PyConnectionError::new_err)?;
    Ok(Link::new(shared, home, &welcome))
}
