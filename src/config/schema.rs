//! The published JSON Schema of the configuration, made from the types, and the check of a document
//! against it.

use once_cell::sync::OnceCell;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::Value as Json;

use crate::core::{Error, Result, Status};

use super::fault;
use super::platform::PlatformConfig;

/// The schema (draft 2020-12) that `include/snakepit_bridge.config.schema.json` holds and
/// `spb_config_schema` gives, defaults and ranges included.
pub fn schema_json() -> Json {
    // Written out in full instead of by reference, so that each key has its description and default
    // in place.
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .with_transform(RecursiveTransform(join_description));
    settings.into_generator().into_root_schema_for::<PlatformConfig>().to_value()
}

/// Accepts a JSON document, or names the first thing in it that the schema does not allow.
pub(super) fn check(document: &[u8]) -> Result<()> {
    let document: Json = serde_json::from_slice(document).map_err(|error| internal(&error))?;
    let compiled = COMPILED.get_or_try_init(Compiled::new)?;
    match compiled.validator.iter_errors(&document).next() {
        None => Ok(()),
        Some(error) => Err(fault::not_allowed(&error, &compiled.schema)),
    }
}

/// A description is one line, wherever the source breaks it.
fn join_description(schema: &mut Schema) {
    if let Some(Json::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}

struct Compiled {
    schema: Json,
    validator: jsonschema::Validator,
}

impl Compiled {
    fn new() -> Result<Self> {
        let schema = schema_json();
        let validator = jsonschema::validator_for(&schema).map_err(|error| internal(&error))?;
        Ok(Compiled { schema, validator })
    }
}

fn internal(error: &dyn std::fmt::Display) -> Error {
    Error::new(Status::Internal, format!("configuration schema: {error}"))
}

/// Compiled with the first platform; the schema never changes.
static COMPILED: OnceCell<Compiled> = OnceCell::new();

#[cfg(test)]
mod tests;
