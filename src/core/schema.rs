//! A JSON Schema that values are held against: compiled once, checked many times, with errors that
//! name the place and the nearest known name.
//!
//! Validation is the crate `jsonschema`'s. Attachments have no form of their own in JSON Schema: a
//! tagged object satisfies any subschema that carries `"x-spb-attachment"`, which adapters write
//! for bytes and arrays.

use jiter::Jiter;
use serde_json::Value as Json;
use smallvec::SmallVec;

use super::error::{Error, Result};
use super::nearest::suggestion;
use super::schema_refusal::SchemaRefusal;
use super::value::Value;

/// A compiled schema and the document it came from.
#[derive(Debug)]
pub struct Schema {
    document: Json,
    validator: jsonschema::Validator,
    keys: Option<Keys>,
}

/// What is known of a schema that only restricts the names of an object's members: such a value is
/// checked without building its tree.
#[derive(Debug)]
struct Keys {
    known: Vec<String>,
    required: Vec<String>,
    is_closed: bool,
    is_all: bool,
}

impl Schema {
    /// Compiles `document`, which `what` names in errors ("input schema of tool \"lookup\"").
    pub fn compile(document: Json, what: &str) -> Result<Self> {
        let validator = jsonschema::validator_for(&document).map_err(|error| {
            Error::invalid(format!("{what} is not a JSON Schema: {error}")).with("field", what)
        })?;
        let keys = Keys::of(&document);
        Ok(Schema { document, validator, keys })
    }

    pub fn document(&self) -> &Json {
        &self.document
    }

    /// Accepts `value`, which `what` names in errors ("parameter", "argument of tool \"lookup\""),
    /// or says where it is wrong (`details.path`) and what was expected.
    pub fn check(&self, value: &Value, what: &str) -> Result<()> {
        if let Some(keys) = &self.keys {
            keys.check(value, what)?;
            if keys.is_all {
                return Ok(());
            }
        }
        let document = value.to_document()?;
        match self.validator.iter_errors(&document).next() {
            None => Ok(()),
            Some(error) => Err(refusal(&error, what)),
        }
    }
}

impl Keys {
    /// `None` when the schema is not about an object with named members.
    fn of(document: &Json) -> Option<Keys> {
        let schema = document.as_object()?;
        let properties = schema.get("properties").and_then(Json::as_object);
        let is_object = schema.get("type").and_then(Json::as_str) == Some("object");
        if !is_object {
            return None;
        }
        let is_closed = schema.get("additionalProperties") == Some(&Json::Bool(false));
        let understood = schema.keys().all(|key| KEYWORDS_OF_NAMES.contains(&key.as_str()));
        let anything = properties.is_none_or(|all| all.values().all(accepts_anything));
        let required = schema.get("required").and_then(Json::as_array);
        let required = required.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned);
        Some(Keys {
            known: properties.into_iter().flat_map(|all| all.keys().cloned()).collect(),
            required: required.collect(),
            is_closed,
            is_all: understood && anything,
        })
    }

    fn check(&self, value: &Value, what: &str) -> Result<()> {
        let found = match value.known_names() {
            Some(names) => {
                let mut found = self.nothing_found();
                names.for_each(|name| self.note(name, &mut found));
                found
            }
            None => self.compare(value.json()).map_err(|_| {
                Error::invalid(format!("{what}s are not a JSON object")).with("path", "$")
            })?,
        };
        if let Some(stranger) = found.stranger {
            let hint = suggestion(&stranger, self.known.iter().map(String::as_str));
            let message = format!("unknown {what} {stranger:?}{hint}");
            return Err(Error::invalid(message).with("path", format!("$.{stranger}")));
        }
        match self.required.iter().zip(&found.required).find(|(_, is_there)| !**is_there) {
            None => Ok(()),
            Some((missing, _)) => {
                let message = format!("{what} {missing:?} is missing");
                Err(Error::invalid(message).with("path", format!("$.{missing}")))
            }
        }
    }

    /// Reads the names of the document's top-level members, without building what they hold.
    fn compare(&self, document: &[u8]) -> Result<Found, jiter::JiterError> {
        let mut found = self.nothing_found();
        let mut jiter = Jiter::new(document);
        let mut next = jiter.next_object()?;
        while let Some(name) = next {
            self.note(name, &mut found);
            jiter.next_skip()?;
            next = jiter.next_key()?;
        }
        Ok(found)
    }

    fn nothing_found(&self) -> Found {
        Found { required: SmallVec::from_elem(false, self.required.len()), stranger: None }
    }

    fn note(&self, name: &str, found: &mut Found) {
        let is_stranger = self.is_closed && !self.known.iter().any(|known| known == name);
        if is_stranger && found.stranger.is_none() {
            found.stranger = Some(name.to_owned());
        }
        for (required, is_there) in self.required.iter().zip(&mut found.required) {
            *is_there |= required == name;
        }
    }
}

/// What a document's members are, beside what they are to be.
struct Found {
    /// For each required name, whether it is there.
    required: SmallVec<[bool; REQUIRED_INLINE]>,
    /// The first that is not known, where only known ones are allowed.
    stranger: Option<String>,
}

fn accepts_anything(schema: &Json) -> bool {
    match schema {
        Json::Bool(accepts) => *accepts,
        Json::Object(schema) => schema.keys().all(|key| ANNOTATIONS.contains(&key.as_str())),
        _ => false,
    }
}

fn refusal(error: &jsonschema::ValidationError<'_>, what: &str) -> Error {
    let SchemaRefusal { path, message, schema_path } = SchemaRefusal::of(error);
    let message = format!("{what} at {path}: {message}");
    Error::invalid(message).with("path", path).with("schema_path", schema_path)
}

/// Few operations require more.
const REQUIRED_INLINE: usize = 16;

/// Keywords of an object schema that say nothing about what its members hold.
const KEYWORDS_OF_NAMES: [&str; 8] = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "title",
    "description",
    "$schema",
    "$id",
];

/// Keywords that accept every value.
const ANNOTATIONS: [&str; 6] =
    ["title", "description", "default", "examples", "$comment", "x-spb-attachment"];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(schema: Json, value: Json) -> Result<()> {
        let schema = Schema::compile(schema, "schema").unwrap();
        schema.check(&Value::from_document(&value), "parameter")
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest() {
        let schema = json!({"type": "object", "properties": {"signature": {}, "inputs": {}},
            "required": ["signature"], "additionalProperties": false});
        check(schema.clone(), json!({"signature": 1, "inputs": [1]})).unwrap();
        let error = check(schema.clone(), json!({"signatur": 1})).unwrap_err();
        assert_eq!(error.message(), "unknown parameter \"signatur\"; did you mean \"signature\"?");
        let error = check(schema.clone(), json!({"inputs": 1})).unwrap_err();
        assert_eq!(error.message(), "parameter \"signature\" is missing");
        assert_eq!(check(schema, json!([])).unwrap_err().details()["path"], "$");
    }

    #[test]
    fn a_wrong_kind_is_named_with_its_place() {
        let schema = json!({"type": "object", "properties": {
            "items": {"type": "array", "items": {"type": "integer"}}}});
        check(schema.clone(), json!({"items": [1, 2]})).unwrap();
        let error = check(schema, json!({"items": [1, "x"]})).unwrap_err();
        assert_eq!(error.details()["path"], "$.items[1]");
        assert!(error.message().contains("integer"), "{error}");
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        let error = Schema::compile(json!({"type": 7}), "input schema").unwrap_err();
        assert!(error.message().starts_with("input schema is not a JSON Schema"));
    }
}
