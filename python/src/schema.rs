//! `Schema`: what a result or chunk is held against before it leaves the worker.
//!
//! Validation is the crate `jsonschema`'s, on the encoded document, so that what is checked is what
//! is sent. Knows nothing of operations.

use jsonschema::Validator;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::Value as Json;

use crate::errors::value_refused;
use crate::limits::GIL_CHECK_BYTES_MAX;
use crate::schema_refusal::SchemaRefusal;

/// A compiled JSON Schema. Made once, used from any thread.
#[pyclass(frozen, module = "snakepit_bridge._native")]
pub struct Schema {
    validator: Validator,
}

#[pymethods]
impl Schema {
    /// Compiles a document. Raises `ValueError` saying why it is no JSON Schema.
    #[new]
    fn new(document: &[u8]) -> PyResult<Self> {
        let refused = |error: String| PyValueError::new_err(error);
        let document =
            serde_json::from_slice(document).map_err(|error| refused(error.to_string()))?;
        let validator =
            jsonschema::validator_for(&document).map_err(|error| refused(error.to_string()))?;
        Ok(Schema { validator })
    }

    /// Raises `ValueRefused` naming the place in the encoded value that breaks the schema.
    fn check(&self, py: Python<'_>, document: &[u8]) -> PyResult<()> {
        let refusal = if document.len() <= GIL_CHECK_BYTES_MAX {
            self.refusal(document)
        } else {
            py.detach(|| self.refusal(document))
        };
        match refusal {
            None => Ok(()),
            Some(refusal) => Err(value_refused(py, &refusal.path, &refusal.message)),
        }
    }
}

impl Schema {
    fn refusal(&self, document: &[u8]) -> Option<SchemaRefusal> {
        match serde_json::from_slice::<Json>(document) {
            Ok(document) => {
                self.validator.iter_errors(&document).next().map(|error| SchemaRefusal::of(&error))
            }
            Err(error) => Some(SchemaRefusal {
                path: "$".to_owned(),
                message: format!("is not JSON: {error}"),
                schema_path: String::new(),
            }),
        }
    }
}
