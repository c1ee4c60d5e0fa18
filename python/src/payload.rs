//! Values between Python and the wire: a JSON document as `bytes`, attachments as buffers and
//! tensor tuples.
//!
//! What Python sends is checked for size and shape here, where the caller can still be told; what
//! the host sends is handed over as it came. Knows nothing of what JSON says.

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList, PyMemoryView, PyTuple};
use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::attachment::Kind;

use crate::buffer::{Buffer, place};
use crate::engine::outbox::payload_bytes;
use crate::engine::sharing::Sharing;
use crate::errors::value_refused;
use crate::limits::{ATTACHMENTS_MAX, COPY_BYTES_MAX, TENSOR_DIMS_MAX};

/// A payload for the wire. Raises `ValueRefused` for what the platform would refuse.
pub fn outgoing(
    json: &Bound<'_, PyBytes>,
    attachments: &Bound<'_, PyList>,
    bytes_max: usize,
    sharing: &Sharing,
) -> PyResult<pb::Payload> {
    let py = json.py();
    let given = attachments.len();
    if given > ATTACHMENTS_MAX {
        let message = format!("value has {given} attachments, the limit is {ATTACHMENTS_MAX}");
        return Err(value_refused(py, "$", &message));
    }
    let mut payload = pb::Payload { json: shared_bytes(json), attachments: Vec::new() };
    for (index, item) in attachments.iter().enumerate() {
        payload.attachments.push(pb::Attachment { kind: Some(attachment(index, &item, sharing)?) });
    }
    let bytes = payload_bytes(&payload);
    if bytes > bytes_max {
        let message = format!("value has {bytes} bytes, the limit is {bytes_max}");
        return Err(value_refused(py, "$", &message));
    }
    Ok(payload)
}

/// Bytes of a Python object for the wire: copied when few, kept alive when many.
pub fn shared_bytes(object: &Bound<'_, PyBytes>) -> Bytes {
    let slice = object.as_bytes();
    // The end of a subclass's instance could run code of its own wherever the frame is dropped.
    match slice.len() > COPY_BYTES_MAX && object.is_exact_instance_of::<PyBytes>() {
        true => Bytes::from_owner(PyBackedBytes::from(object.clone())),
        false => Bytes::copy_from_slice(slice),
    }
}

/// A document for Python, and its attachments.
pub fn incoming<'py>(
    py: Python<'py>,
    payload: Option<pb::Payload>,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyList>)> {
    let payload = payload.unwrap_or_default();
    let attachments = PyList::empty(py);
    for attachment in payload.attachments {
        attachments.append(incoming_attachment(py, attachment)?)?;
    }
    Ok((PyBytes::new(py, &payload.json), attachments))
}

fn incoming_attachment(py: Python<'_>, attachment: pb::Attachment) -> PyResult<Bound<'_, PyAny>> {
    match attachment.kind {
        Some(Kind::Tensor(tensor)) => {
            let shape = PyTuple::new(py, tensor.shape)?;
            let data = Buffer::new(tensor.data);
            Ok((tensor.dtype, shape, data).into_pyobject(py)?.into_any())
        }
        Some(Kind::Blob(blob)) => Ok(Bound::new(py, Buffer::new(blob))?.into_any()),
        // The engine has put the content in, or refused the frame.
        Some(Kind::Shared(_)) | None => Ok(Bound::new(py, Buffer::new(Bytes::new()))?.into_any()),
    }
}

fn attachment(index: usize, item: &Bound<'_, PyAny>, sharing: &Sharing) -> PyResult<Kind> {
    if !item.is_instance_of::<PyTuple>() {
        return Ok(Kind::Blob(buffer_bytes(item, sharing)?));
    }
    let (dtype, shape, data): (String, Vec<i64>, Bound<'_, PyAny>) = item.extract()?;
    let data = buffer_bytes(&data, sharing)?;
    if let Some(fault) = tensor_fault(&dtype, &shape, data.len()) {
        let message = format!("attachment {index}: {fault}");
        return Err(value_refused(item.py(), "$", &message));
    }
    Ok(Kind::Tensor(pb::Tensor { dtype, shape, data }))
}

/// The content of a buffer in row-major order: in shared memory if it is large, else where it is.
/// What is not `bytes` may change after the call, so it is copied.
fn buffer_bytes(item: &Bound<'_, PyAny>, sharing: &Sharing) -> PyResult<Bytes> {
    if let Some(placed) = place(item, sharing)? {
        return Ok(placed);
    }
    if let Ok(bytes) = item.cast_exact::<PyBytes>() {
        return Ok(shared_bytes(bytes));
    }
    let copy = PyMemoryView::from(item)?.call_method0("tobytes")?;
    Ok(shared_bytes(copy.cast::<PyBytes>()?))
}

fn tensor_fault(dtype: &str, shape: &[i64], bytes: usize) -> Option<String> {
    let Some(&(_, item_bytes)) = DTYPES.iter().find(|(name, _)| *name == dtype) else {
        return Some(format!("dtype {dtype:?} is none that the platform knows"));
    };
    if shape.len() > TENSOR_DIMS_MAX {
        let given = shape.len();
        return Some(format!("tensor has {given} dimensions, the limit is {TENSOR_DIMS_MAX}"));
    }
    let expected = shape.iter().try_fold(item_bytes, |product: usize, &side| {
        product.checked_mul(usize::try_from(side).ok()?)
    });
    (expected != Some(bytes))
        .then(|| format!("tensor of {dtype} and shape {shape:?} cannot have {bytes} bytes"))
}

/// The element types of the contract and their bytes.
const DTYPES: [(&str, usize); 13] = [
    ("bool", 1),
    ("int8", 1),
    ("int16", 2),
    ("int32", 4),
    ("int64", 8),
    ("uint8", 1),
    ("uint16", 2),
    ("uint32", 4),
    ("uint64", 8),
    ("float16", 2),
    ("bfloat16", 2),
    ("float32", 4),
    ("float64", 8),
];
