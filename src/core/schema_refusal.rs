//! What a JSON Schema has against a value: the place, and a sentence of bounded length.
//!
//! Of a union it names what is wrong in the branch that was meant, where that can be told. The
//! worker mounts this file too: both sides of a connection refuse in the same words.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;

/// A refusal in the form that all errors of the platform use.
pub struct SchemaRefusal {
    /// As in `$.items[3]`.
    pub path: String,
    /// What is wrong there.
    pub message: String,
    /// The pointer to the keyword that says so.
    pub schema_path: String,
}

impl SchemaRefusal {
    /// The refusal that an error of the validator stands for.
    pub fn of(error: &ValidationError<'_>) -> Self {
        let mut meant = error;
        while let Some(inner) = branch_meant(meant) {
            meant = inner;
        }
        SchemaRefusal {
            path: dotted(meant.instance_path().as_str()),
            message: cut(meant.to_string()),
            schema_path: meant.schema_path().to_string(),
        }
    }
}

/// The error in the one branch of a union that the value was meant for: the only one of its kind,
/// or the one with the fewest errors.
fn branch_meant<'a>(error: &'a ValidationError<'_>) -> Option<&'a ValidationError<'static>> {
    let (Kind::AnyOf { context } | Kind::OneOfNotValid { context }) = error.kind() else {
        return None;
    };
    let here = error.instance_path().as_str();
    let is_of_another_kind = |inner: &ValidationError<'_>| {
        let is_kind =
            matches!(inner.kind(), Kind::Type { .. } | Kind::Constant { .. } | Kind::Enum { .. });
        is_kind && inner.instance_path().as_str() == here
    };
    let mut branches: Vec<_> =
        context.iter().filter(|branch| !branch.iter().any(is_of_another_kind)).collect();
    branches.sort_by_key(|branch| branch.len());
    let best = branches.first()?;
    let is_clear = branches.get(1).is_none_or(|second| second.len() > best.len());
    if is_clear { best.first() } else { None }
}

/// `/a/0/b` as `$.a[0].b`.
fn dotted(pointer: &str) -> String {
    let mut path = String::from("$");
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{step}]"));
        } else {
            path.push_str(&format!(".{step}"));
        }
    }
    path
}

/// The validator puts the whole value into its sentence: its middle is left out.
fn cut(message: String) -> String {
    let count = message.chars().count();
    if count <= MESSAGE_CHARS_MAX {
        return message;
    }
    let half = MESSAGE_CHARS_MAX / 2;
    let start: String = message.chars().take(half).collect();
    let end: String = message.chars().skip(count - half).collect();
    format!("{start} … {end}")
}

/// Enough for a value that a person would look at, and for what was expected of it.
const MESSAGE_CHARS_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn refused(schema: &Json, value: &Json) -> (String, String) {
        let validator = jsonschema::validator_for(schema).unwrap();
        let refusal = SchemaRefusal::of(&validator.iter_errors(value).next().unwrap());
        (refusal.path, refusal.message)
    }

    fn point() -> Json {
        json!({"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]})
    }

    #[test]
    fn of_an_optional_object_the_place_inside_is_named() {
        let schema = json!({"properties": {"p": {"anyOf": [point(), {"type": "null"}]}}});
        let (path, message) = refused(&schema, &json!({"p": {"x": "a"}}));
        assert_eq!(
            (path.as_str(), message.as_str()),
            ("$.p.x", "\"a\" is not of type \"integer\"")
        );
        let (path, message) = refused(&schema, &json!({"p": 5}));
        assert_eq!(path, "$.p");
        assert!(message.contains("anyOf"), "{message}");
    }

    #[test]
    fn of_several_objects_the_one_that_is_nearest_is_meant() {
        let of = |kind: &str, name: &str| {
            json!({"type": "object", "additionalProperties": false, "required": ["kind", name],
                "properties": {"kind": {"const": kind}, name: {"type": "string"}}})
        };
        let schema = json!({"oneOf": [of("tool", "tool"), of("model", "name")]});
        assert_eq!(refused(&schema, &json!({"kind": "model", "name": 3})).0, "$.name");
        assert_eq!(refused(&schema, &json!({"kind": "tool", "tool": [1]})).0, "$.tool");
        assert_eq!(refused(&schema, &json!([])).0, "$");
    }

    #[test]
    fn a_long_value_is_cut_out_of_the_sentence() {
        let (_, message) = refused(&json!({"type": "string"}), &json!(vec![123; 10_000]));
        assert!(message.chars().count() <= MESSAGE_CHARS_MAX + 3);
        assert!(message.ends_with("is not of type \"string\""), "{message}");
    }
}
