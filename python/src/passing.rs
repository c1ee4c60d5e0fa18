//! `Link`, third part: results and chunks in one step from Python's objects to the queue of the
//! socket.
//!
//! Only what needs no second look, no wait and no exception goes this way; for all else Python is
//! told so, and takes the steps one by one. Knows nothing of handlers.

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::types::PyIterator;
use pyo3::types::iterator::PySendResult;
use snakepit_bridge_proto as pb;

use crate::encoder::Encoder;
use crate::link::Link;
use crate::payload::shared_bytes;

#[pymethods]
impl Link {
    /// Ends a call with its result, if that takes no more than the encoder, and nothing is in the
    /// way: see `_native.pyi`.
    fn try_send_plain_result(
        &self,
        py: Python<'_>,
        call_id: u64,
        result: &Bound<'_, PyAny>,
        encoder: &Bound<'_, Encoder>,
    ) -> PyResult<bool> {
        self.check_home(py)?;
        let Some(json) = self.plain(result, encoder)? else { return Ok(false) };
        let is_sent = self.with_state(|state| state.try_send_result(call_id, payload(json)));
        self.send_if_due(py);
        Ok(is_sent)
    }

    /// Sends one chunk on the same terms.
    fn try_send_plain_chunk(
        &self,
        py: Python<'_>,
        call_id: u64,
        chunk: &Bound<'_, PyAny>,
        encoder: &Bound<'_, Encoder>,
    ) -> PyResult<bool> {
        self.check_home(py)?;
        self.pass(call_id, chunk, encoder)
    }

    /// Sends what a generator yields on the same terms, until it ends or yields something else:
    /// see `_native.pyi`.
    fn pass_on_chunks<'py>(
        &self,
        py: Python<'py>,
        call_id: u64,
        generator: &Bound<'py, PyIterator>,
        encoder: &Bound<'py, Encoder>,
    ) -> PyResult<(bool, Bound<'py, PyAny>)> {
        self.check_home(py)?;
        let none = py.None().into_bound(py);
        loop {
            match generator.send(&none)? {
                PySendResult::Return(result) => return Ok((true, result)),
                PySendResult::Next(chunk) => {
                    if !self.pass(call_id, &chunk, encoder)? {
                        return Ok((false, chunk));
                    }
                }
            }
        }
    }
}

impl Link {
    fn pass(
        &self,
        call_id: u64,
        chunk: &Bound<'_, PyAny>,
        encoder: &Bound<'_, Encoder>,
    ) -> PyResult<bool> {
        let Some(json) = self.plain(chunk, encoder)? else { return Ok(false) };
        let mut payload = Some(payload(json));
        let sent = self.attempt(|state| state.send_chunk(call_id, &mut payload));
        // Why it cannot be sent, Python asks in the usual way.
        Ok(matches!(sent, Some(Ok(()))))
    }

    fn plain(
        &self,
        value: &Bound<'_, PyAny>,
        encoder: &Bound<'_, Encoder>,
    ) -> PyResult<Option<Bytes>> {
        let document = encoder.get().encode(value)?;
        Ok(document.filter(|it| self.may_send(it.as_bytes().len())).map(|it| shared_bytes(&it)))
    }
}

fn payload(json: Bytes) -> pb::Payload {
    pb::Payload { json, attachments: Vec::new() }
}
