//! Between the platform's types and the generated messages. What comes in is checked here, once.

use snakepit_bridge_proto as pb;

use crate::core::{Attachment, DType, Error, PythonError, Result, Status, Tensor, Value};

/// A value as it goes on the wire; bytes are shared, not copied.
pub fn payload_of(value: Value) -> pb::Payload {
    let (json, attachments) = value.into_parts();
    pb::Payload { json, attachments: attachments.into_iter().map(attachment_of).collect() }
}

fn attachment_of(attachment: Attachment) -> pb::Attachment {
    let kind = match attachment {
        Attachment::Blob(bytes) => pb::attachment::Kind::Blob(bytes),
        Attachment::Tensor(tensor) => pb::attachment::Kind::Tensor(pb::Tensor {
            dtype: tensor.dtype().name().to_owned(),
            shape: tensor.shape().to_vec(),
            data: tensor.data().clone(),
        }),
    };
    pb::Attachment { kind: Some(kind) }
}

/// A value that came in, checked as one from the host is. A missing payload is `null`.
pub fn value_from(payload: Option<pb::Payload>) -> Result<Value> {
    let Some(payload) = payload else { return Ok(Value::null()) };
    let attachments =
        payload.attachments.into_iter().map(attachment_from).collect::<Result<_>>()?;
    Value::new(payload.json, attachments)
}

fn attachment_from(attachment: pb::Attachment) -> Result<Attachment> {
    match attachment.kind {
        Some(pb::attachment::Kind::Blob(bytes)) => Ok(Attachment::Blob(bytes)),
        Some(pb::attachment::Kind::Tensor(tensor)) => {
            let dtype = DType::from_name(&tensor.dtype).ok_or_else(|| {
                Error::new(Status::TypeMismatch, format!("unknown tensor dtype {:?}", tensor.dtype))
            })?;
            Ok(Attachment::Tensor(Tensor::new(dtype, tensor.shape, tensor.data)?))
        }
        Some(pb::attachment::Kind::Shared(_)) => {
            Err(protocol("attachment in shared memory that was not agreed on"))
        }
        None => Err(protocol("attachment of a kind that this build does not know")),
    }
}

/// An error as it goes on the wire.
pub fn error_of(error: &Error) -> pb::Error {
    let details = error.details();
    let details_json = if details.is_empty() {
        Default::default()
    } else {
        serde_json::Value::Object(details.clone()).to_string().into()
    };
    let python = error.python().cloned().unwrap_or_default();
    pb::Error {
        status: error.status().code(),
        message: error.message().to_owned(),
        retryable: error.is_retryable(),
        details_json,
        python_type: python.type_name,
        python_traceback: python.traceback,
        causes: python
            .causes
            .into_iter()
            .map(|(r#type, message)| pb::PythonCause { r#type, message })
            .collect(),
    }
}

/// An error that came in. A status that this build does not know, or "ok", becomes `Internal`.
pub fn error_from(error: pb::Error) -> Error {
    let status = match Status::from_code(error.status) {
        Status::Ok => Status::Internal,
        status => status,
    };
    let mut built = Error::new(status, error.message).retryable(error.retryable);
    if let Ok(serde_json::Value::Object(details)) = serde_json::from_slice(&error.details_json) {
        built = built.with_details(details);
    }
    if error.python_type.is_empty() {
        return built;
    }
    built.with_python(PythonError {
        type_name: error.python_type,
        traceback: error.python_traceback,
        causes: error.causes.into_iter().map(|cause| (cause.r#type, cause.message)).collect(),
    })
}

/// The other side broke the contract.
pub fn protocol(message: impl Into<String>) -> Error {
    Error::new(Status::Protocol, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_come_back_as_they_went() {
        let python = PythonError {
            type_name: "builtins.ValueError".into(),
            traceback: "Traceback …".into(),
            causes: vec![("builtins.KeyError".into(), "'x'".into())],
        };
        let error = Error::new(Status::PythonException, "bad").with("field", 3).with_python(python);
        assert_eq!(error_from(error_of(&error)), error);
        let unknown = pb::Error { status: 999, ..Default::default() };
        assert_eq!(error_from(unknown).status(), Status::Internal);
    }

    #[test]
    fn values_come_back_as_they_went_and_bad_ones_are_refused() {
        let tensor = Tensor::new(DType::Int16, vec![2], vec![1, 0, 2, 0]).unwrap();
        let json = r#"[{"$spb":{"attachment":0}},9223372036854775807]"#;
        let value = Value::new(json, vec![Attachment::Tensor(tensor)]).unwrap();
        assert_eq!(value_from(Some(payload_of(value.clone()))).unwrap(), value);
        let short = pb::Tensor { dtype: "int16".into(), shape: vec![2], data: vec![1].into() };
        let kind = Some(pb::attachment::Kind::Tensor(short));
        let payload = pb::Payload { json: "1".into(), attachments: vec![pb::Attachment { kind }] };
        assert_eq!(value_from(Some(payload)).unwrap_err().status(), Status::InvalidArgument);
    }
}
