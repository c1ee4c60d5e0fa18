//! What is wrong with a document, in words: the key, what was given, what was expected.
//!
//! Only kinds, numbers and words of closed lists are quoted. Texts are not, because a slip may put
//! a key or a password anywhere.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value as Json;

use crate::core::Error;
use crate::core::nearest::{nearest, suggestion};

/// A document that is not JSON, or holds a number that no field could.
pub(super) fn not_json(error: Error) -> Error {
    let path = error.details().get("path").and_then(Json::as_str).unwrap_or("$").to_owned();
    let may_be_secret = SECRET_PARTS.iter().any(|part| path.contains(part));
    let message = if may_be_secret {
        format!("at {path}: a value that JSON or 64 bits cannot hold")
    } else {
        error.message().to_owned()
    };
    Error::new(error.status(), format!("configuration: {message}")).with("path", path)
}

/// A document that the types refuse although the schema does not: `2.0` for an integer, a key given
/// twice.
pub(super) fn not_readable(error: serde_path_to_error::Error<serde_json::Error>) -> Error {
    let path = error.path().to_string();
    let place = Place::of_dotted(&path);
    Error::invalid(format!("{}: {}", place.name, error.inner())).with("path", place.path)
}

/// What the schema does not allow.
pub(super) fn not_allowed(error: &jsonschema::ValidationError<'_>, schema: &Json) -> Error {
    let place = Place::of_pointer(&error.instance_path().to_string());
    let rules = rules_at(schema, &error.schema_path().to_string());
    if let Kind::AdditionalProperties { unexpected } = error.kind() {
        return unknown_key(&place, unexpected.first().map_or("", String::as_str), rules);
    }
    let name = &place.name;
    let given = error.instance();
    let message = match error.kind() {
        Kind::Type { kind } => {
            format!("{name} is {}, expected {}", kind_of(given), expected_kinds(kind))
        }
        Kind::Minimum { .. } | Kind::Maximum { .. } => {
            format!("{name} is {given}, expected {}", range(rules))
        }
        Kind::Enum { options } => {
            format!("{name} {}", not_an_option(given, options))
        }
        _ => format!("{name}: {}", error.masked()),
    };
    Error::invalid(message).with("path", place.path)
}

/// What two keys together, or a text, get wrong. `name` is dotted, as `pools.default.python`.
pub(super) fn inconsistent(name: &str, message: &str) -> Error {
    let place = Place::of_dotted(name);
    Error::invalid(format!("{} {message}", place.name)).with("path", place.path)
}

/// A place in the document, for people and for programs.
struct Place {
    /// `pools.default.workers`, or `the configuration`.
    name: String,
    /// `$.pools.default.workers`.
    path: String,
}

impl Place {
    fn of_pointer(pointer: &str) -> Self {
        let steps =
            pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
        let mut dotted = String::new();
        for step in steps {
            if step.bytes().all(|byte| byte.is_ascii_digit()) {
                dotted.push_str(&format!("[{step}]"));
            } else if dotted.is_empty() {
                dotted.push_str(&step);
            } else {
                dotted.push_str(&format!(".{step}"));
            }
        }
        Place::of_dotted(&dotted)
    }

    fn of_dotted(dotted: &str) -> Self {
        if dotted.is_empty() || dotted == "." {
            return Place { name: "the configuration".to_owned(), path: "$".to_owned() };
        }
        Place { name: dotted.to_owned(), path: format!("$.{dotted}") }
    }
}

/// The rules for the value that broke one of them: the parent of the broken keyword.
fn rules_at<'a>(schema: &'a Json, keyword_path: &str) -> &'a Json {
    let parent = keyword_path.rsplit_once('/').map_or("", |(parent, _)| parent);
    schema.pointer(parent).unwrap_or(&Json::Null)
}

fn unknown_key(place: &Place, key: &str, rules: &Json) -> Error {
    let known = rules.get("properties").and_then(Json::as_object);
    let hint = suggestion(key, known.into_iter().flat_map(|all| all.keys().map(String::as_str)));
    let message = format!("unknown key {key:?} in {}{hint}", place.name);
    Error::invalid(message).with("path", format!("{}.{key}", place.path))
}

fn range(rules: &Json) -> String {
    match (rules.get("minimum"), rules.get("maximum")) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "a number in range".to_owned(),
    }
}

/// A wrong word is quoted only where it is so near to an allowed one that it must be a slip of it.
fn not_an_option(given: &Json, options: &Json) -> String {
    let options: Vec<&str> =
        options.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let slip = given.as_str().filter(|given| nearest(given, options.iter().copied()).is_some());
    let quoted: Vec<String> = options.iter().map(|option| format!("{option:?}")).collect();
    let expected = quoted.join(", ");
    match slip {
        Some(slip) => {
            let hint = suggestion(slip, options.iter().copied());
            format!("is {slip:?}, expected one of {expected}{hint}")
        }
        None => format!("is none of {expected}"),
    }
}

fn expected_kinds(kind: &TypeKind) -> String {
    let kinds: Vec<&str> = match kind {
        TypeKind::Single(kind) => vec![article(kind.as_str())],
        TypeKind::Multiple(kinds) => kinds.iter().map(|kind| article(kind.as_str())).collect(),
    };
    kinds.join(" or ")
}

fn kind_of(value: &Json) -> &'static str {
    article(match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_f64() => "number",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    })
}

fn article(kind: &str) -> &'static str {
    match kind {
        "boolean" => "a boolean",
        "integer" => "an integer",
        "number" => "a number",
        "string" => "a string",
        "array" => "an array",
        "object" => "an object",
        _ => "null",
    }
}

/// Below these, not even numbers are quoted.
const SECRET_PARTS: [&str; 2] = [".env.", ".frameworks."];
