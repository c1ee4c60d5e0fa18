//! The original contract's `Struct` and `Value` against exact JSON: numbers there are doubles only,
//! and both sides' decoders give up at some 33 nested objects, so what does not fit is refused by
//! name.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value as Dynamic};
use serde_json::Value as Json;

use crate::core::{Error, Result, Status, Value};

/// Parameters as a document. A double that is a whole number and exact becomes an integer, as its
/// sender most likely meant.
pub fn value_from_struct(parameters: Option<Struct>) -> Result<Value> {
    let fields = parameters.unwrap_or_default().fields;
    let document = object_from(fields, 1)?;
    Value::from_json(document.to_string())
}

/// A result as the original contract can carry it.
pub fn dynamic_from_value(value: &Value) -> Result<Dynamic> {
    if !value.attachments().is_empty() {
        let message = "result has attachments, which `result` cannot carry: send `payload`";
        return Err(Error::new(Status::TypeMismatch, message));
    }
    dynamic_from(value.to_document()?, 0)
}

fn object_from(fields: impl IntoIterator<Item = (String, Dynamic)>, depth: usize) -> Result<Json> {
    check_depth(depth)?;
    let entries = fields.into_iter().map(|(key, value)| Ok((key, json_from(value, depth)?)));
    Ok(Json::Object(entries.collect::<Result<_>>()?))
}

fn json_from(dynamic: Dynamic, depth: usize) -> Result<Json> {
    match dynamic.kind {
        None | Some(Kind::NullValue(_)) => Ok(Json::Null),
        Some(Kind::BoolValue(flag)) => Ok(Json::Bool(flag)),
        Some(Kind::StringValue(text)) => Ok(Json::String(text)),
        Some(Kind::NumberValue(number)) => number_from(number),
        Some(Kind::StructValue(inner)) => object_from(inner.fields, depth + 1),
        Some(Kind::ListValue(list)) => {
            check_depth(depth + 1)?;
            let items = list.values.into_iter().map(|item| json_from(item, depth + 1));
            Ok(Json::Array(items.collect::<Result<_>>()?))
        }
    }
}

fn number_from(number: f64) -> Result<Json> {
    if number.trunc() == number && number.abs() <= EXACT_INTEGER_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53 is exact")]
        return Ok(Json::from(number as i64));
    }
    serde_json::Number::from_f64(number)
        .map(Json::Number)
        .ok_or_else(|| Error::invalid(format!("parameter holds {number}, which has no JSON form")))
}

fn dynamic_from(json: Json, depth: usize) -> Result<Dynamic> {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(flag) => Kind::BoolValue(flag),
        Json::String(text) => Kind::StringValue(text),
        Json::Number(number) => Kind::NumberValue(double_from(&number)?),
        Json::Array(items) => {
            check_depth(depth + 1)?;
            let values = items.into_iter().map(|item| dynamic_from(item, depth + 1));
            Kind::ListValue(ListValue { values: values.collect::<Result<_>>()? })
        }
        Json::Object(entries) => {
            check_depth(depth + 1)?;
            let entries =
                entries.into_iter().map(|(key, value)| Ok((key, dynamic_from(value, depth + 1)?)));
            Kind::StructValue(Struct { fields: entries.collect::<Result<_>>()? })
        }
    };
    Ok(Dynamic { kind: Some(kind) })
}

fn double_from(number: &serde_json::Number) -> Result<f64> {
    let double = number.as_f64().unwrap_or(f64::NAN);
    if number.is_f64() || double.abs() <= EXACT_INTEGER_MAX {
        return Ok(double);
    }
    let message =
        format!("result holds the integer {number}, which a double cannot: send `payload`");
    Err(Error::new(Status::TypeMismatch, message))
}

fn check_depth(depth: usize) -> Result<()> {
    if depth <= STRUCT_DEPTH_MAX {
        return Ok(());
    }
    let message = format!("value is nested deeper than {STRUCT_DEPTH_MAX}: send `payload`");
    Err(Error::invalid(message))
}

/// 2^53 - 1: every whole number up to it, and no neighbour of one, is exact in a double.
const EXACT_INTEGER_MAX: f64 = 9_007_199_254_740_991.0;
/// One below where protobuf decoders on both sides give up (reference/faults.md, finding 7).
const STRUCT_DEPTH_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn round(document: &str) -> Result<String> {
        let dynamic = dynamic_from_value(&Value::from_json(document.to_owned())?)?;
        let fields = [("v".to_owned(), dynamic)].into();
        let value = value_from_struct(Some(Struct { fields }))?;
        Ok(String::from_utf8(value.json().to_vec()).unwrap())
    }

    #[test]
    fn what_fits_comes_back_and_what_does_not_is_named() {
        for text in ["[1,2.5,true,null,\"é\",{\"a\":[]}]", "-9007199254740991"] {
            assert_eq!(round(text).unwrap(), format!("{{\"v\":{text}}}"));
        }
        let error = round("[9007199254740993]").unwrap_err();
        assert_eq!(error.status(), Status::TypeMismatch);
        assert!(error.message().contains("9007199254740993"));
        let deep = "[".repeat(33) + &"]".repeat(33);
        assert!(round(&deep).unwrap_err().message().contains("deeper than 32"));
    }
}
