//! Values to and from the file format safetensors: a file's tensors are the members of one object.
//!
//! The format is the crate `safetensors`'; this file adds the dtypes that a value has, the limits,
//! and the document. It reads and writes bytes and opens no file.

use std::collections::HashMap;

use bytes::Bytes;
use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorView, serialize};
use serde_json::{Map, Value as Json};

use super::error::{Error, Result};
use super::limits::VALUE_BYTES_MAX;
use super::status::Status;
use super::tag::TAG_KEY;
use super::value::{Attachment, DType, Tensor, Value};

/// The value of a file: `{"name": tag, …}`, and the file's metadata, where it has some, as an
/// object of texts under the key that the format itself reserves, `__metadata__`. The tensors share
/// the bytes of `file`.
pub fn from_safetensors(file: &Bytes) -> Result<Value> {
    if file.len() > VALUE_BYTES_MAX {
        let message = format!("file has {} bytes, the limit is {VALUE_BYTES_MAX}", file.len());
        return Err(Error::new(Status::ResourceExhausted, message).retryable(false));
    }
    let (header_bytes, metadata) = SafeTensors::read_metadata(file)
        .map_err(|error| Error::invalid(format!("file is not safetensors: {error}")))?;
    let data = file.slice(LENGTH_BYTES.saturating_add(header_bytes)..);
    let mut document = Map::new();
    let mut attachments = Vec::new();
    for name in metadata.offset_keys() {
        document.insert(escaped(&name), tag(attachments.len()));
        attachments.push(Attachment::Tensor(tensor(&name, &metadata, &data)?));
    }
    if let Some(texts) = metadata.metadata() {
        let texts = texts.iter().map(|(key, text)| (escaped(key), Json::from(text.as_str())));
        document.insert(METADATA_KEY.to_owned(), Json::Object(texts.collect()));
    }
    Value::new(Json::Object(document).to_string(), attachments)
}

/// The file of a value that `from_safetensors` could have made.
pub fn to_safetensors(value: &Value) -> Result<Vec<u8>> {
    let Json::Object(document) = value.to_document()? else {
        return Err(refuse("$", "is not an object of tensors"));
    };
    let mut tensors = Vec::new();
    let mut metadata = None;
    for (key, member) in &document {
        let name = unescaped(key);
        if name == METADATA_KEY {
            metadata = Some(texts(member)?);
        } else {
            tensors.push((name, view(name, member, value.attachments())?));
        }
    }
    serialize(tensors, metadata).map_err(|error| {
        Error::new(Status::Internal, format!("tensors could not be written as a file: {error}"))
    })
}

fn tensor(name: &str, metadata: &Metadata, data: &Bytes) -> Result<Tensor> {
    let info = metadata.info(name).ok_or_else(|| Error::invalid("file is not safetensors"))?;
    let known = DTYPES.iter().find(|(theirs, _)| *theirs == info.dtype);
    let (_, dtype) = known.ok_or_else(|| {
        let message =
            format!("tensor {name:?} has the dtype {}, which values do not have", info.dtype);
        Error::new(Status::Unsupported, message).with("dtype", info.dtype.to_string())
    })?;
    // Both offsets were held against the file's length; sides beyond i64 have no such bytes.
    let sides = info.shape.iter().map(|side| i64::try_from(*side).unwrap_or(i64::MAX));
    let (start, end) = info.data_offsets;
    Tensor::new(*dtype, sides.collect(), data.slice(start..end))
}

fn view<'a>(name: &str, member: &Json, attachments: &'a [Attachment]) -> Result<TensorView<'a>> {
    let path = format!("$.{name}");
    let index = member.get(TAG_KEY).and_then(|tag| tag.get("attachment")).and_then(Json::as_u64);
    let index = index.and_then(|index| usize::try_from(index).ok());
    let Some(Attachment::Tensor(tensor)) = index.and_then(|index| attachments.get(index)) else {
        return Err(refuse(&path, "is not a tensor"));
    };
    let theirs = DTYPES.iter().find(|(_, ours)| *ours == tensor.dtype());
    let (dtype, _) = theirs.ok_or_else(|| refuse(&path, "has a dtype that no file has"))?;
    let sides = tensor.shape().iter().map(|side| usize::try_from(*side).unwrap_or(usize::MAX));
    TensorView::new(*dtype, sides.collect(), tensor.data())
        .map_err(|error| refuse(&path, &format!("has no form in a file: {error}")))
}

fn texts(member: &Json) -> Result<HashMap<String, String>> {
    let fault = || refuse(&format!("$.{METADATA_KEY}"), "is not an object of texts");
    let members = member.as_object().ok_or_else(fault)?.iter();
    members
        .map(|(key, text)| {
            let text = text.as_str().ok_or_else(fault)?;
            Ok((unescaped(key).to_owned(), text.to_owned()))
        })
        .collect()
}

fn refuse(path: &str, fault: &str) -> Error {
    Error::new(Status::TypeMismatch, format!("at {path}: {fault}")).with("path", path)
}

fn tag(index: usize) -> Json {
    serde_json::json!({ TAG_KEY: { "attachment": index } })
}

/// A key as it is written in a document: one more `$` where it could be taken for the tag.
fn escaped(key: &str) -> String {
    if is_like_tag(key) { format!("${key}") } else { key.to_owned() }
}

fn unescaped(key: &str) -> &str {
    key.strip_prefix('$').filter(|rest| is_like_tag(rest)).unwrap_or(key)
}

fn is_like_tag(key: &str) -> bool {
    key.starts_with('$') && key.trim_start_matches('$') == "spb"
}

/// The length of the header, which a file begins with.
const LENGTH_BYTES: usize = 8;
const METADATA_KEY: &str = "__metadata__";

const DTYPES: [(Dtype, DType); 13] = [
    (Dtype::BOOL, DType::Bool),
    (Dtype::I8, DType::Int8),
    (Dtype::I16, DType::Int16),
    (Dtype::I32, DType::Int32),
    (Dtype::I64, DType::Int64),
    (Dtype::U8, DType::UInt8),
    (Dtype::U16, DType::UInt16),
    (Dtype::U32, DType::UInt32),
    (Dtype::U64, DType::UInt64),
    (Dtype::F16, DType::Float16),
    (Dtype::BF16, DType::BFloat16),
    (Dtype::F32, DType::Float32),
    (Dtype::F64, DType::Float64),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Bytes {
        let mut file = u64::try_from(header.len()).unwrap().to_le_bytes().to_vec();
        file.extend_from_slice(header.as_bytes());
        file.extend_from_slice(data);
        file.into()
    }

    #[test]
    fn every_dtype_comes_back_with_its_name_and_metadata() {
        let tensors = DType::ALL.map(|dtype| {
            Attachment::Tensor(Tensor::new(dtype, vec![3, 1], vec![1; 3 * dtype.bytes()]).unwrap())
        });
        let members = DType::ALL.iter().enumerate();
        let members = members.map(|(index, dtype)| (dtype.name().to_owned(), tag(index)));
        let mut document: Map<String, Json> = members.collect();
        document.insert(METADATA_KEY.into(), serde_json::json!({"by": "a test", "$$spb": "x"}));
        document.insert("$$spb".into(), tag(0));
        let value = Value::new(Json::Object(document.clone()).to_string(), tensors.into()).unwrap();
        let written = Bytes::from(to_safetensors(&value).unwrap());
        let back = from_safetensors(&written).unwrap();
        let seen = back.to_document().unwrap();
        assert_eq!(seen[METADATA_KEY], document[METADATA_KEY]);
        assert_eq!(seen.as_object().unwrap().len(), document.len());
        for dtype in DType::ALL {
            let index = seen[dtype.name()][TAG_KEY]["attachment"].as_u64().unwrap();
            let Attachment::Tensor(tensor) = &back.attachments()[index as usize] else { panic!() };
            assert_eq!((tensor.dtype(), tensor.shape()), (dtype, [3, 1].as_slice()));
            assert!(written.as_ptr_range().contains(&tensor.data().as_ptr()), "it was copied");
        }
    }

    #[test]
    fn a_file_of_another_program_is_read_as_its_header_says() {
        let header = r#"{"b":{"dtype":"I16","shape":[2],"data_offsets":[4,8]},
            "a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#;
        let value = from_safetensors(&file(header, &[0, 0, 128, 63, 1, 0, 2, 0])).unwrap();
        let expected = r#"{"a":{"$spb":{"attachment":0}},"b":{"$spb":{"attachment":1}}}"#;
        assert_eq!(value.json(), expected);
        assert_eq!(value.attachments()[1].bytes().as_ref(), [1, 0, 2, 0]);
        assert_eq!(from_safetensors(&file("{}", &[])).unwrap().json(), "{}");
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        let f8 = r#"{"x":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}"#;
        let error = from_safetensors(&file(f8, &[0])).unwrap_err();
        assert_eq!(error.status(), Status::Unsupported);
        assert!(error.message().contains("\"x\" has the dtype F8_E4M3"), "{error}");
        let short = r#"{"x":{"dtype":"I8","shape":[2],"data_offsets":[0,1]}}"#;
        let gap = r#"{"x":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}}"#;
        let files = [
            Bytes::new(),
            file("[", &[]),
            file("{}", &[1]),
            file(short, &[0]),
            file(gap, &[0, 0]),
            Bytes::from(vec![0xff; 16]),
        ];
        for bytes in files {
            let error = from_safetensors(&bytes).unwrap_err();
            assert_eq!(error.status(), Status::InvalidArgument, "{error}");
        }
    }

    #[test]
    fn only_an_object_of_tensors_becomes_a_file() {
        let blob = vec![Attachment::Blob(Bytes::from_static(b"x"))];
        let tagged = r#"{"w":{"$spb":{"attachment":0}}}"#;
        for (json, attachments, path) in [
            ("[1]", vec![], "$"),
            (r#"{"w":1}"#, vec![], "$.w"),
            (r#"{"w":{"x":{}}}"#, vec![], "$.w"),
            (tagged, blob, "$.w"),
            (r#"{"__metadata__":{"a":1}}"#, vec![], "$.__metadata__"),
        ] {
            let error = to_safetensors(&Value::new(json, attachments).unwrap()).unwrap_err();
            assert_eq!(error.status(), Status::TypeMismatch);
            assert_eq!(error.details()["path"], path);
        }
    }
}
