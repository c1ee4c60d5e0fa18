//! `Encoder`: documents of values that the JSON encoder surely writes exactly, in one step.
//!
//! Asks the encoder first and looks afterwards at what it wrote, or at the value where that does
//! not tell. Whatever is doubtful is left to Python, which says what is wrong or converts it. Knows
//! nothing of what a document is for.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString};

use crate::scan::is_plain;
use crate::settled::is_settled;

/// The JSON encoder with its options. Made once, used from any thread.
#[pyclass(frozen, module = "snakepit_bridge._native")]
pub struct Encoder {
    dumps: Py<PyAny>,
    options: Py<PyAny>,
}

#[pymethods]
impl Encoder {
    /// `dumps(value, None, options)` gives `bytes`, or raises a `TypeError`.
    #[new]
    fn new(dumps: Py<PyAny>, options: Py<PyAny>) -> Self {
        Encoder { dumps, options }
    }

    /// The document of a value; `None`: it takes more than the encoder.
    pub fn encode<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        if !is_worth_a_try(value) {
            return Ok(None);
        }
        let py = value.py();
        let document = match self.dumps.bind(py).call1((value, py.None(), &self.options)) {
            Ok(document) => document.cast_into::<PyBytes>()?,
            Err(refused) if refused.is_instance_of::<PyTypeError>(py) => return Ok(None),
            Err(other) => return Err(other),
        };
        let is_exact = is_settled(document.as_bytes()) || is_plain(value);
        Ok(is_exact.then_some(document))
    }
}

/// The encoder refuses by itself what else it meets inside.
fn is_worth_a_try(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyDict>()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyList>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_none()
}
