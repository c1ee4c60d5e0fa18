//! What the host sent, as the tuples that Python's code takes apart.
//!
//! The shapes are the interface of `_native.pyi`. Knows nothing of when they are handed over.

use memchr::memchr2;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};
use snakepit_bridge_proto as pb;
use tokio::time::Instant;

use crate::engine::{Incoming, Item};
use crate::names::Names;
use crate::payload::incoming;

type Tuple<'py> = PyResult<Bound<'py, PyTuple>>;

/// A frame of a batch; none for what is said to `names` alone.
pub fn of_frame<'py>(
    py: Python<'py>,
    frame: Incoming,
    names: &Names,
) -> PyResult<Option<Bound<'py, PyTuple>>> {
    let tuple = match frame {
        Incoming::Names(told) => {
            names.keep(py, *told);
            return Ok(None);
        }
        Incoming::Call(call, came) => of_call(py, *call, came, names),
        Incoming::Cancel { call_id, reason } => {
            (intern!(py, "cancel"), call_id, reason).into_pyobject(py)
        }
        Incoming::Ready(request_id) => (intern!(py, "ready"), request_id).into_pyobject(py),
        Incoming::Credit(call_id) => (intern!(py, "credit"), call_id).into_pyobject(py),
        Incoming::Drain => (intern!(py, "drain"),).into_pyobject(py),
    };
    tuple.map(Some)
}

/// An item of a request.
pub fn of_item(py: Python<'_>, item: Item) -> Tuple<'_> {
    match item {
        Item::Chunk(chunk) => {
            let (json, attachments) = incoming(py, chunk.payload)?;
            (intern!(py, "chunk"), chunk.sequence, json, attachments).into_pyobject(py)
        }
        Item::Change(change) => of_change(py, change),
        Item::Found(found) => {
            let list = PyList::empty(py);
            for variable in found.variables {
                list.append(of_variable(py, variable)?)?;
            }
            (intern!(py, "found"), list, found.missing).into_pyobject(py)
        }
        Item::History(past) => {
            let list = PyList::empty(py);
            for pb::PastValue { version, value } in past {
                let (json, attachments) = incoming(py, value)?;
                list.append((version, json, attachments))?;
            }
            (intern!(py, "history"), list).into_pyobject(py)
        }
        Item::Payload(payload) => {
            let (json, attachments) = incoming(py, Some(payload))?;
            (intern!(py, "payload"), json, attachments).into_pyobject(py)
        }
        Item::Error(error) => of_error(py, error),
        Item::Variable(variable) => of_variable(py, variable),
        Item::Variables(variables) => {
            let list = PyList::empty(py);
            for variable in variables {
                list.append(of_variable(py, variable)?)?;
            }
            (intern!(py, "variables"), list).into_pyobject(py)
        }
        Item::Deleted => (intern!(py, "deleted"),).into_pyobject(py),
        Item::Tools(json) => (intern!(py, "tools"), PyBytes::new(py, &json)).into_pyobject(py),
        Item::End => (intern!(py, "end"),).into_pyobject(py),
    }
}

fn of_call<'py>(py: Python<'py>, call: pb::Call, came: Instant, names: &Names) -> Tuple<'py> {
    let (framework, operation) = names.operation(py, &call);
    let session = names.session(py, &call);
    let trace = trace_text(py, &call);
    let (json, attachments) = parameters(py, call.parameters)?;
    let tuple = (
        intern!(py, "call"),
        call.call_id,
        session,
        framework,
        operation,
        json,
        attachments,
        remaining_ms(call.deadline_remaining_ms, came),
        call.stream,
        trace,
    );
    tuple.into_pyobject(py)
}

/// The `traceparent` of a call.
fn trace_text<'py>(py: Python<'py>, call: &pb::Call) -> Bound<'py, PyString> {
    match &call.trace {
        Some(trace) => {
            let text = trace_bytes(trace);
            PyString::new(py, str::from_utf8(&text).unwrap_or_default())
        }
        None => PyString::new(py, &call.traceparent),
    }
}

fn trace_bytes(trace: &pb::Trace) -> [u8; 55] {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    let numbers = [(3, trace.trace_high), (19, trace.trace_low), (36, trace.span)];
    for (at, number) in numbers {
        let digits = number.to_be_bytes().map(|byte| [digit(byte >> 4), digit(byte & 0xf)]);
        if let Some(place) = text.get_mut(at..at + 16) {
            place.copy_from_slice(digits.as_flattened());
        }
    }
    if let Some(flags) = text.last_mut() {
        *flags = digit(trace.sampled.into());
    }
    text
}

fn digit(number: u8) -> u8 {
    if number < 10 { b'0' + number } else { b'a' - 10 + number }
}

/// A document for Python, and its attachments; `None`: there is none, nor anything in the document
/// that stands for something else.
fn parameters<'py>(
    py: Python<'py>,
    payload: Option<pb::Payload>,
) -> PyResult<(Bound<'py, PyBytes>, Option<Bound<'py, PyList>>)> {
    let is_plain = |payload: &pb::Payload| {
        payload.attachments.is_empty() && memchr2(b'$', b'\\', &payload.json).is_none()
    };
    if payload.as_ref().is_none_or(is_plain) {
        return Ok((PyBytes::new(py, &payload.unwrap_or_default().json), None));
    }
    incoming(py, payload).map(|(json, attachments)| (json, Some(attachments)))
}

/// What is left of a deadline after waiting here. 0 stays 0, for it means that there is none.
fn remaining_ms(at_arrival_ms: u64, came: Instant) -> u64 {
    let waited_ms = u64::try_from(came.elapsed().as_millis()).unwrap_or(u64::MAX);
    at_arrival_ms.saturating_sub(waited_ms).max(at_arrival_ms.min(1))
}

fn of_error(py: Python<'_>, error: pb::Error) -> Tuple<'_> {
    let tuple = (
        intern!(py, "error"),
        error.status,
        error.message,
        error.retryable,
        PyBytes::new(py, &error.details_json),
        error.python_type,
        error.python_traceback,
    );
    tuple.into_pyobject(py)
}

/// A variable that was read.
pub fn of_variable(py: Python<'_>, variable: pb::Variable) -> Tuple<'_> {
    let (json, attachments) = incoming(py, variable.value)?;
    let tuple = (
        intern!(py, "variable"),
        variable.name,
        variable.r#type,
        json,
        attachments,
        variable.version,
        PyBytes::new(py, &variable.constraints_json),
        PyBytes::new(py, &variable.metadata_json),
        variable.id,
        variable.lock_owner,
        variable.lock_expires_in_ms,
    );
    tuple.into_pyobject(py)
}

fn of_change(py: Python<'_>, change: pb::StateChange) -> Tuple<'_> {
    let value = change.value.map(|value| incoming(py, Some(value))).transpose()?;
    let tuple = (
        intern!(py, "change"),
        change.kind,
        change.name,
        change.id,
        change.version,
        change.revision,
        value,
        change.owner,
        change.missed_count,
        change.missed_from,
    );
    tuple.into_pyobject(py)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_trace_is_written_as_the_host_writes_it() {
        let trace = pb::Trace { trace_high: 0x0af7, trace_low: 1, span: u64::MAX, sampled: true };
        let text = trace_bytes(&trace);
        let written = "00-0000000000000af70000000000000001-ffffffffffffffff-01";
        assert_eq!(str::from_utf8(&text).unwrap(), written);
    }

    #[test]
    fn a_deadline_counts_down_and_never_turns_into_none() {
        let now = Instant::now();
        let earlier = now.checked_sub(Duration::from_secs(5)).unwrap();
        assert_eq!(remaining_ms(0, earlier), 0, "no deadline stays none");
        assert_eq!(remaining_ms(4000, earlier), 1, "a missed deadline is not none");
        assert!(remaining_ms(60_000, earlier) <= 55_000);
        assert!(remaining_ms(60_000, earlier) > 1);
    }
}
