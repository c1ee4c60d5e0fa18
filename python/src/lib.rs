//! `snakepit_bridge._native`: the native half of the Python worker.
//!
//! The worker dials home: [`connect`] opens one connection to the platform, and everything between
//! the two travels on it. Python sees plain objects ([`link`], [`request`]); the connection lives
//! in [`engine`], on a thread of its own that needs no GIL. [`encoder`] writes documents; there
//! [`settled`] tells whether what the JSON encoder wrote is all there, [`scan`] which values it may
//! have as they are, where the text does not tell. [`schema`] says whether what was encoded is what
//! was declared.
//! The module may be imported before a fork; no thread and no runtime exist before `connect`.
//!
//! Read in this order: connect, link, link_state, passing, request, engine, then what they
//! translate with (tuples, names, payload).

mod buffer;
mod connect;
mod encoder;
mod engine;
mod errors;
mod fork;
mod limits;
mod link;
mod link_state;
mod names;
mod passing;
mod payload;
#[path = "../../src/transport/quiet_socket.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "only the platform has threads that only write"))]
mod quiet_socket;
mod request;
mod scan;
mod schema;
#[path = "../../src/core/schema_refusal.rs"]
#[expect(dead_code, reason = "only the platform tells the keyword that refused")]
mod schema_refusal;
mod settled;
mod shared_memory;
mod snakepit;
mod template;
mod tuples;
mod waiting;

use pyo3::prelude::*;

/// The native half of the Python worker: see `_native.pyi`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    errors::add_to(module)?;
    module.add_class::<link::Link>()?;
    module.add_class::<request::Request>()?;
    module.add_class::<buffer::Buffer>()?;
    module.add_class::<schema::Schema>()?;
    module.add_class::<encoder::Encoder>()?;
    module.add_function(wrap_pyfunction!(connect::connect, module)?)?;
    module.add_function(wrap_pyfunction!(scan::scan, module)?)?;
    module.add_function(wrap_pyfunction!(fork::_forked, module)?)?;
    module.add_function(wrap_pyfunction!(template::divide, module)?)?;
    Ok(())
}
