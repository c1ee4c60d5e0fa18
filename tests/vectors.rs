//! The shared examples of `tests/vectors/values.json`, run against `core::Value`.
//!
//! Owns the reading of the file. The Python package (`python/tests/test_value_vectors.py`) and C
//! (`tests/c/vectors.c`) run the same file; a value that one side sends and another refuses shows
//! up in one of them.

#[path = "vectors/variables.rs"]
mod variables;

use serde_json::Value as Json;
use snakepit_bridge::core::{Attachment, DType, Error, Status, Tensor, Value};

#[test]
fn accepted_documents_are_kept_as_they_are() {
    let vectors = vectors("accepted");
    for vector in &vectors {
        let text = text_of(vector);
        let attachments = attachments_of(vector).unwrap();
        let value = Value::new(text.clone(), attachments.clone())
            .unwrap_or_else(|error| panic!("{}: {error:?}", vector["name"]));
        assert_eq!(value.json(), &text, "{}", vector["name"]);
        assert_eq!(value.attachments(), attachments, "{}", vector["name"]);
    }
    assert!(vectors.len() > 90, "the file has lost its accepted documents");
}

#[test]
fn canonical_forms_are_accepted_too() {
    for vector in vectors("accepted") {
        let Some(canonical) = vector["canonical"].as_str() else { continue };
        let attachments = attachments_of(&vector).unwrap();
        Value::new(canonical.to_owned(), attachments).unwrap();
    }
}

#[test]
fn refused_documents_name_the_place() {
    let vectors = vectors("refused");
    for vector in &vectors {
        let outcome = Value::new(text_of(vector), attachments_of(vector).unwrap());
        let Err(error) = outcome else { panic!("{} is accepted", vector["name"]) };
        let expected = match vector["fault"].as_str() {
            Some("utf8") => Status::Utf8,
            _ => Status::InvalidArgument,
        };
        assert_eq!(error.status(), expected, "{}: {error:?}", vector["name"]);
        if let Some(path) = vector["path"].as_str() {
            assert_eq!(error.details()["path"], path, "{}: {error:?}", vector["name"]);
        }
    }
    assert!(vectors.len() > 20, "the file has lost its refused documents");
}

#[test]
fn tagged_floats_are_known_of() {
    let vectors = vectors("floats");
    for vector in &vectors {
        let value = Value::new(text_of(vector), Vec::new()).unwrap();
        assert!(value.has_non_finite(), "{}", vector["name"]);
    }
    assert!(vectors.len() > 4, "the file has lost its floats");
    for vector in self::vectors("accepted") {
        let value = Value::new(text_of(&vector), attachments_of(&vector).unwrap()).unwrap();
        assert!(!value.has_non_finite(), "{}", vector["name"]);
    }
}

#[test]
fn refused_tensors_are_refused() {
    for vector in vectors("refused_tensors") {
        assert!(tensor_of(&vector).is_err(), "{} is accepted", vector["name"]);
    }
}

fn vectors(list: &str) -> Vec<Json> {
    let file: Json = serde_json::from_str(include_str!("vectors/values.json")).unwrap();
    file[list].as_array().unwrap().clone()
}

fn text_of(vector: &Json) -> Vec<u8> {
    if let Some(hex) = vector["json_hex"].as_str() {
        return unhex(hex);
    }
    if let Some(text) = vector["json"].as_str() {
        return text.into();
    }
    let parts = &vector["repeat"];
    let times = usize::try_from(parts["times"].as_u64().unwrap()).unwrap();
    let open = parts["open"].as_str().unwrap().repeat(times);
    let close = parts["close"].as_str().unwrap().repeat(times);
    format!("{open}{}{close}", parts["middle"].as_str().unwrap_or_default()).into()
}

fn attachments_of(vector: &Json) -> Result<Vec<Attachment>, Error> {
    let given = vector["attachments"].as_array().into_iter().flatten();
    given.map(attachment_of).collect()
}

fn attachment_of(given: &Json) -> Result<Attachment, Error> {
    match given.get("tensor") {
        Some(tensor) => tensor_of(tensor).map(Attachment::Tensor),
        None => Ok(Attachment::Blob(unhex(given["blob_hex"].as_str().unwrap()).into())),
    }
}

fn tensor_of(given: &Json) -> Result<Tensor, Error> {
    let name = given["dtype"].as_str().unwrap();
    let dtype = DType::from_name(name).ok_or_else(|| Error::invalid("dtype is not known"))?;
    let shape: Vec<i64> = serde_json::from_value(given["shape"].clone()).unwrap();
    Tensor::new(dtype, shape, unhex(given["data_hex"].as_str().unwrap()))
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).unwrap().try_into().unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
