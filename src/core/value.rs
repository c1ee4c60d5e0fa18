//! A value on the ABI and on the wire: a JSON document as bytes, plus what it refers to.
//!
//! The document is written once by whoever made the value and never re-encoded on the way.
//! `{"$spb": {"attachment": N}}` inside it stands for attachment N; a user's own key that reads
//! `$spb` behind zero or more extra `$` carries one more `$` (so `$spb` is written `$$spb`, `$$spb`
//! is written `$$$spb`). `{"$spb": {"float": "nan"}}` stands for a float that is not finite.

use bytes::Bytes;

use super::error::{Error, Result};
use super::json;
use super::limits::{ATTACHMENTS_MAX, TENSOR_DIMS_MAX, VALUE_BYTES_MAX, VALUE_COPY_BYTES_MAX};
use super::members::Members;
use super::status::Status;
use super::strides::row_major;

/// A JSON document and its attachments. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub struct Value {
    json: Bytes,
    attachments: Vec<Attachment>,
    has_non_finite: bool,
    members: Members,
}

/// Binary content that a document refers to.
#[derive(Clone, Debug, PartialEq)]
pub enum Attachment {
    Blob(Bytes),
    Tensor(Tensor),
}

/// A dense array: little-endian, row-major, without padding.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    dtype: DType,
    shape: Vec<i64>,
    /// They follow from the shape; kept because views of a tensor point to them.
    strides: Vec<i64>,
    data: Bytes,
}

/// Element types, by their numpy names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DType {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float16,
    BFloat16,
    Float32,
    Float64,
}

impl Value {
    /// Checks `json` (syntax, depth, numbers, references into `attachments`, size) and keeps it as
    /// it is.
    pub fn new(json: impl Into<Bytes>, attachments: Vec<Attachment>) -> Result<Self> {
        let mut value = Value::assembled(json, attachments, false);
        if value.attachments.len() > ATTACHMENTS_MAX {
            let given = value.attachments.len();
            let message = format!("value has {given} attachments, the limit is {ATTACHMENTS_MAX}");
            return Err(Error::new(Status::ResourceExhausted, message));
        }
        value.check_size("value has", VALUE_BYTES_MAX)?;
        let seen = json::check(&value.json, value.attachments.len())?;
        (value.has_non_finite, value.members) = (seen.non_finite, seen.members);
        Ok(value)
    }

    /// Holds document and attachments together against a limit; `whose` begins the message.
    pub fn check_size(&self, whose: &str, bytes_max: usize) -> Result<()> {
        let bytes = self.bytes_len();
        if bytes <= bytes_max {
            return Ok(());
        }
        let message = format!("{whose} {bytes} bytes, the limit is {bytes_max}");
        let error = Error::new(Status::ResourceExhausted, message).retryable(false);
        Err(error.with("path", "$").with("bytes", bytes).with("limit", bytes_max))
    }

    /// A document without attachments.
    pub fn from_json(json: impl Into<Bytes>) -> Result<Self> {
        Value::new(json, Vec::new())
    }

    /// A value that is one attachment.
    pub fn from_attachment(attachment: Attachment) -> Result<Self> {
        Value::new(Bytes::from_static(br#"{"$spb":{"attachment":0}}"#), vec![attachment])
    }

    /// A value from a document that this program made itself; it is within all limits by
    /// construction.
    pub fn from_document(document: &serde_json::Value) -> Self {
        Value::from_own(document.to_string())
    }

    /// The same for a document that is text already.
    pub fn from_own(json: String) -> Self {
        // Quotes inside a string are escaped, so this is found only where it is a tag.
        let has_non_finite = json.contains(FLOAT_TAG);
        Value::assembled(json, Vec::new(), has_non_finite)
    }

    /// A document that this program put together of values that were checked when they were made,
    /// with their attachments. It may be deeper and larger than a value that comes in.
    /// `has_non_finite`: one of them has a float that is not finite.
    pub fn assembled(
        json: impl Into<Bytes>,
        attachments: Vec<Attachment>,
        has_non_finite: bool,
    ) -> Self {
        Value { json: json.into(), attachments, has_non_finite, members: Members::UNKNOWN }
    }

    /// `null`.
    pub fn null() -> Self {
        Value::assembled(Bytes::from_static(b"null"), Vec::new(), false)
    }

    pub fn json(&self) -> &Bytes {
        &self.json
    }

    pub fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }

    /// Whether a float that is not finite is somewhere in the document, as a tag.
    pub fn has_non_finite(&self) -> bool {
        self.has_non_finite
    }

    /// The names of the members of a document that is an object; `None` where they have to be read
    /// from it.
    pub fn known_names(&self) -> Option<impl Iterator<Item = &str>> {
        self.members.names(&self.json)
    }

    /// Document and attachments together.
    pub fn bytes_len(&self) -> usize {
        self.attachments
            .iter()
            .fold(self.json.len(), |sum, item| sum.saturating_add(item.bytes().len()))
    }

    /// The document as a tree, for the platform's own reading.
    pub fn to_document(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.json)
            .map_err(|error| Error::invalid(format!("document is not JSON: {error}")))
    }

    /// The same value, to be kept: parts of up to `VALUE_COPY_BYTES_MAX` are copied, because they
    /// may be slices of a message that would live on with them. Larger ones stay shared.
    #[must_use]
    pub fn to_kept(&self) -> Self {
        Value {
            json: kept(&self.json),
            attachments: self.attachments.iter().map(Attachment::to_kept).collect(),
            has_non_finite: self.has_non_finite,
            members: self.members,
        }
    }

    pub fn into_parts(self) -> (Bytes, Vec<Attachment>) {
        (self.json, self.attachments)
    }
}

/// What is known of a document beside its bytes makes no difference.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json && self.attachments == other.attachments
    }
}

impl Attachment {
    fn to_kept(&self) -> Self {
        match self {
            Attachment::Blob(bytes) => Attachment::Blob(kept(bytes)),
            Attachment::Tensor(tensor) => Attachment::Tensor(Tensor {
                dtype: tensor.dtype,
                shape: tensor.shape.clone(),
                strides: tensor.strides.clone(),
                data: kept(&tensor.data),
            }),
        }
    }

    pub fn bytes(&self) -> &Bytes {
        match self {
            Attachment::Blob(bytes) => bytes,
            Attachment::Tensor(tensor) => tensor.data(),
        }
    }
}

impl Tensor {
    /// Checks that `data` is as long as `dtype` and `shape` say.
    pub fn new(dtype: DType, shape: Vec<i64>, data: impl Into<Bytes>) -> Result<Self> {
        let data = data.into();
        if shape.len() > TENSOR_DIMS_MAX {
            let message =
                format!("tensor has {} dimensions, the limit is {TENSOR_DIMS_MAX}", shape.len());
            return Err(Error::invalid(message));
        }
        let expected = expected_bytes(dtype, &shape);
        if expected != Some(data.len()) {
            let name = dtype.name();
            let message =
                format!("tensor of {name} and shape {shape:?} cannot have {} bytes", data.len());
            return Err(Error::invalid(message).with("dtype", name).with("shape", shape));
        }
        let strides = row_major(&shape);
        Ok(Tensor { dtype, shape, strides, data })
    }

    pub fn dtype(&self) -> DType {
        self.dtype
    }

    pub fn shape(&self) -> &[i64] {
        &self.shape
    }

    /// How many elements further the next one of each dimension lies.
    pub fn strides(&self) -> &[i64] {
        &self.strides
    }

    pub fn data(&self) -> &Bytes {
        &self.data
    }
}

/// A copy of a document that goes on to others: one that is small takes one allocation, and sharing
/// it takes none.
pub fn copied(bytes: &[u8]) -> Bytes {
    match bytes.len() {
        length if length <= SHORT_BYTES_MAX => small::<SHORT_BYTES_MAX>(bytes),
        _ => Bytes::copy_from_slice(bytes),
    }
}

fn kept(bytes: &Bytes) -> Bytes {
    match bytes.len() {
        length if length <= SMALL_BYTES_MAX => small::<SMALL_BYTES_MAX>(bytes),
        length if length <= VALUE_COPY_BYTES_MAX => Bytes::copy_from_slice(bytes),
        _ => bytes.clone(),
    }
}

/// A copy that takes one allocation together with the count of its owners.
fn small<const BYTES_MAX: usize>(bytes: &[u8]) -> Bytes {
    let mut content = [0; BYTES_MAX];
    let len = bytes.len().min(BYTES_MAX);
    if let (Some(to), Some(from)) = (content.get_mut(..len), bytes.get(..len)) {
        to.copy_from_slice(from);
    }
    Bytes::from_owner(Small { content, len })
}

struct Small<const BYTES_MAX: usize> {
    content: [u8; BYTES_MAX],
    len: usize,
}

impl<const BYTES_MAX: usize> AsRef<[u8]> for Small<BYTES_MAX> {
    fn as_ref(&self) -> &[u8] {
        self.content.get(..self.len).unwrap_or(&self.content)
    }
}

/// `None` when the shape is impossible.
fn expected_bytes(dtype: DType, shape: &[i64]) -> Option<usize> {
    shape.iter().try_fold(dtype.bytes(), |product, &side| {
        let side = usize::try_from(side).ok()?;
        product.checked_mul(side)
    })
}

impl DType {
    /// Every element type.
    pub const ALL: [DType; 13] = [
        DType::Bool,
        DType::Int8,
        DType::Int16,
        DType::Int32,
        DType::Int64,
        DType::UInt8,
        DType::UInt16,
        DType::UInt32,
        DType::UInt64,
        DType::Float16,
        DType::BFloat16,
        DType::Float32,
        DType::Float64,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::Int8 => "int8",
            DType::Int16 => "int16",
            DType::Int32 => "int32",
            DType::Int64 => "int64",
            DType::UInt8 => "uint8",
            DType::UInt16 => "uint16",
            DType::UInt32 => "uint32",
            DType::UInt64 => "uint64",
            DType::Float16 => "float16",
            DType::BFloat16 => "bfloat16",
            DType::Float32 => "float32",
            DType::Float64 => "float64",
        }
    }

    /// Bytes of one element.
    pub const fn bytes(self) -> usize {
        match self {
            DType::Bool | DType::Int8 | DType::UInt8 => 1,
            DType::Int16 | DType::UInt16 | DType::Float16 | DType::BFloat16 => 2,
            DType::Int32 | DType::UInt32 | DType::Float32 => 4,
            DType::Int64 | DType::UInt64 | DType::Float64 => 8,
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        DType::ALL.into_iter().find(|dtype| dtype.name() == name)
    }
}

/// How a document that this program writes begins the tag of a float.
const FLOAT_TAG: &str = r#""$spb":{"float":"#;

/// Most scalars.
const SMALL_BYTES_MAX: usize = 40;

/// Most parameters that are a few short texts and numbers.
const SHORT_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::super::tag::{NonFinite, Tag};
    use super::*;

    #[test]
    fn tagged_floats_are_known_of() {
        let tag = Tag::Float(NonFinite::Nan).to_document();
        assert!(Value::from_document(&serde_json::json!([tag])).has_non_finite());
        assert!(Value::from_json(tag.to_string()).unwrap().to_kept().has_non_finite());
        for other in [serde_json::json!(FLOAT_TAG), serde_json::json!({"$$spb": {"float": 1}})] {
            assert!(!Value::from_document(&other).has_non_finite(), "{other}");
            assert!(!Value::from_json(other.to_string()).unwrap().has_non_finite(), "{other}");
        }
    }

    #[test]
    fn a_tensor_is_as_long_as_its_shape_says() {
        assert!(Tensor::new(DType::Float32, vec![2, 3], vec![0; 24]).is_ok());
        assert!(Tensor::new(DType::Float32, vec![], vec![0; 4]).is_ok());
        assert!(Tensor::new(DType::Float32, vec![0, 9], vec![]).is_ok());
        for shape in [vec![2, 4], vec![-1, -6], vec![i64::MAX, i64::MAX]] {
            assert!(Tensor::new(DType::Float32, shape, vec![0; 24]).is_err());
        }
    }

    #[test]
    fn a_value_over_the_limit_is_refused_by_size() {
        let error = Value::from_json(vec![b' '; VALUE_BYTES_MAX + 1]).unwrap_err();
        assert_eq!(error.status(), Status::ResourceExhausted);
        assert_eq!(error.details()["path"], "$");
    }

    #[test]
    fn names_of_dtypes_lead_back() {
        for dtype in DType::ALL {
            assert_eq!(DType::from_name(dtype.name()), Some(dtype));
        }
        assert_eq!(DType::from_name("object"), None);
    }
}
