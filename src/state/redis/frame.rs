//! Values and definitions as bytes for a store outside this process. Nobody but this file looks
//! into them.
//!
//! A value: a byte 1 for this form, the number of attachments (u32), each one's kind (0 a blob,
//! 1 a tensor followed by the length and name of its dtype as u8 and text, its number of dimensions
//! as u8 and each as i64) and length (u64); then the document's length (u64), the document, and the
//! attachments' bytes. A rule: a byte 1, the type's name with its length (u8), the constraints with
//! theirs (u32), and the metadata. All numbers are little-endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::core::{Attachment, DType, Error, Result, Status, Tensor, Value};
use crate::state::rule::Rule;

/// A value as bytes.
pub fn of_value(value: &Value) -> Bytes {
    let attachments = value.attachments();
    let mut frame = BytesMut::with_capacity(value.bytes_len() + 64 * (attachments.len() + 1));
    frame.put_u8(FORM);
    frame.put_u32_le(u32::try_from(attachments.len()).unwrap_or(u32::MAX));
    for attachment in attachments {
        put_head(&mut frame, attachment);
    }
    frame.put_u64_le(value.json().len() as u64);
    frame.put_slice(value.json());
    for attachment in attachments {
        frame.put_slice(attachment.bytes());
    }
    frame.freeze()
}

/// The value again; attachments share the frame's memory. Status `Store` for anything else.
pub fn to_value(mut frame: Bytes) -> Result<Value> {
    take_form(&mut frame)?;
    let count = frame.try_get_u32_le().map_err(|_| unreadable())?;
    let mut heads = Vec::new();
    for _ in 0..count {
        heads.push(take_head(&mut frame)?);
    }
    let length = frame.try_get_u64_le().map_err(|_| unreadable())?;
    let json = take(&mut frame, length)?;
    let mut attachments = Vec::with_capacity(heads.len());
    for Head { tensor, length } in heads {
        let data = take(&mut frame, length)?;
        attachments.push(match tensor {
            None => Attachment::Blob(data),
            Some((dtype, shape)) => Attachment::Tensor(Tensor::new(dtype, shape, data)?),
        });
    }
    Value::new(json, attachments).map_err(|_| unreadable())
}

/// What never changes about a variable, except its name and id.
pub fn of_rule(rule: &Rule, metadata: &Bytes) -> Bytes {
    let (name, constraints) = (rule.variable_type().name(), rule.constraints());
    let mut frame = BytesMut::with_capacity(16 + name.len() + constraints.len() + metadata.len());
    frame.put_u8(FORM);
    put_name(&mut frame, name);
    frame.put_u32_le(u32::try_from(constraints.len()).unwrap_or(u32::MAX));
    frame.put_slice(constraints);
    frame.put_slice(metadata);
    frame.freeze()
}

/// The rule, compiled anew, and the metadata.
pub fn to_rule(mut frame: Bytes) -> Result<(std::sync::Arc<Rule>, Bytes)> {
    take_form(&mut frame)?;
    let name = take_name(&mut frame)?;
    let length = frame.try_get_u32_le().map_err(|_| unreadable())?;
    let constraints = take(&mut frame, u64::from(length))?;
    let rule = Rule::new(&name, &constraints).map_err(|_| unreadable())?;
    Ok((rule, frame))
}

/// What stands in front of an attachment's bytes.
struct Head {
    tensor: Option<(DType, Vec<i64>)>,
    length: u64,
}

fn put_head(frame: &mut BytesMut, attachment: &Attachment) {
    match attachment {
        Attachment::Blob(_) => frame.put_u8(0),
        Attachment::Tensor(tensor) => {
            frame.put_u8(1);
            put_name(frame, tensor.dtype().name());
            frame.put_u8(u8::try_from(tensor.shape().len()).unwrap_or(u8::MAX));
            tensor.shape().iter().for_each(|side| frame.put_i64_le(*side));
        }
    }
    frame.put_u64_le(attachment.bytes().len() as u64);
}

fn take_head(frame: &mut Bytes) -> Result<Head> {
    let tensor = match frame.try_get_u8().map_err(|_| unreadable())? {
        0 => None,
        1 => {
            let dtype = DType::from_name(&take_name(frame)?).ok_or_else(unreadable)?;
            let count = frame.try_get_u8().map_err(|_| unreadable())?;
            let sides: Result<Vec<_>, _> = (0..count).map(|_| frame.try_get_i64_le()).collect();
            Some((dtype, sides.map_err(|_| unreadable())?))
        }
        _ => return Err(unreadable()),
    };
    Ok(Head { tensor, length: frame.try_get_u64_le().map_err(|_| unreadable())? })
}

/// Names of types are short and our own.
fn put_name(frame: &mut BytesMut, name: &str) {
    frame.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
    frame.put_slice(name.as_bytes());
}

fn take_name(frame: &mut Bytes) -> Result<String> {
    let length = frame.try_get_u8().map_err(|_| unreadable())?;
    let name = take(frame, u64::from(length))?;
    String::from_utf8(name.into()).map_err(|_| unreadable())
}

fn take(frame: &mut Bytes, length: u64) -> Result<Bytes> {
    match usize::try_from(length) {
        Ok(length) if length <= frame.len() => Ok(frame.split_to(length)),
        _ => Err(unreadable()),
    }
}

fn take_form(frame: &mut Bytes) -> Result<()> {
    match frame.try_get_u8() {
        Ok(FORM) => Ok(()),
        _ => Err(unreadable()),
    }
}

fn unreadable() -> Error {
    Error::new(Status::Store, "the store holds something that this version did not write")
}

const FORM: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_byte_for_byte() {
        let tensor = Tensor::new(DType::Int16, vec![2, 1], vec![1, 2, 3, 4]).unwrap();
        let attachments =
            vec![Attachment::Tensor(tensor), Attachment::Blob(Bytes::from_static(b"\0"))];
        let document = r#" [{"$spb":{"attachment":1}},{"$spb":{"attachment":0}}]"#;
        let value = Value::new(document, attachments).unwrap();
        assert_eq!(to_value(of_value(&value)).unwrap(), value);
        assert_eq!(to_value(of_value(&Value::null())).unwrap(), Value::null());
    }

    #[test]
    fn rules_come_back_with_their_text() {
        let rule = Rule::new("integer", &Bytes::from_static(b"{ \"max\":3}")).unwrap();
        let (back, metadata) = to_rule(of_rule(&rule, &Bytes::from_static(b"{ }"))).unwrap();
        assert_eq!(back.variable_type(), rule.variable_type());
        assert_eq!(back.constraints(), rule.constraints());
        assert_eq!(metadata, b"{ }".as_slice());
    }

    #[test]
    fn whatever_else_stands_there_is_refused() {
        let tensor = Tensor::new(DType::Bool, vec![1], vec![1]).unwrap();
        let document = r#"{"$spb":{"attachment":0}}"#;
        let whole = of_value(&Value::new(document, vec![Attachment::Tensor(tensor)]).unwrap());
        for length in 0..whole.len() {
            assert_eq!(to_value(whole.slice(..length)).unwrap_err().status(), Status::Store);
        }
        let rule = of_rule(&Rule::new("json", &Bytes::new()).unwrap(), &Bytes::new());
        for length in 0..rule.len() {
            assert!(to_rule(rule.slice(..length)).is_err(), "{length}");
        }
        let mut other = whole.to_vec();
        other[0] = 2;
        assert!(to_value(other.into()).is_err());
    }
}
