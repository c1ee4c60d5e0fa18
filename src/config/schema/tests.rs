//! The schema, the file that publishes it and the table in the documentation say the same.
//! `SPB_UPDATE_SCHEMA=1` writes the two anew.

use std::path::PathBuf;

use super::*;

#[test]
fn the_published_schema_is_the_one_in_force() {
    let fresh = serde_json::to_string_pretty(&schema_json()).unwrap() + "\n";
    compare("include/snakepit_bridge.config.schema.json", |_| fresh);
}

#[test]
fn the_documented_keys_are_those_of_the_schema() {
    let mut rows = String::from("| key | default | range | |\n| --- | --- | --- | --- |\n");
    walk("", &schema_json(), &mut |key, schema| {
        let is_section = schema.get("properties").is_some() || key == "pools";
        if !is_section {
            rows.push_str(&row(key, schema));
        }
    });
    compare("docs/configuration.md", |document| {
        let (head, rest) = document.split_once(KEYS_START).unwrap();
        let (_, tail) = rest.split_once(KEYS_END).unwrap();
        format!("{head}{KEYS_START}{rows}{KEYS_END}{tail}")
    });
}

#[test]
fn every_key_is_described_and_every_default_is_allowed() {
    let mut keys = 0;
    walk("", &schema_json(), &mut |key, schema| {
        keys += 1;
        assert!(schema["description"].is_string(), "{key} has no description");
        assert!(schema.get("default").is_some(), "{key} has no default");
        let validator = jsonschema::validator_for(schema).unwrap();
        assert!(validator.is_valid(&schema["default"]), "{key}: default is not allowed");
    });
    assert!(keys > 50, "only {keys} keys were seen");
}

/// Every key below `schema`, sections included, with its own schema.
fn walk(at: &str, schema: &Json, visit: &mut impl FnMut(&str, &Json)) {
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        let key = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        visit(&key, schema);
        walk(&key, schema, visit);
        walk(&format!("{key}.*"), &schema["additionalProperties"], visit);
    }
}

fn row(key: &str, schema: &Json) -> String {
    let range = match (&schema["enum"], &schema["minimum"], &schema["maximum"]) {
        (Json::Array(words), _, _) => {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ")
        }
        (_, Json::Null, _) => String::new(),
        (_, min, Json::Null) => format!("from {min}"),
        (_, min, max) => format!("{min} to {max}"),
    };
    let description = schema["description"].as_str().unwrap();
    format!("| `{key}` | `{}` | {range} | {description} |\n", schema["default"])
}

/// Compares a file with what it should be, made from what it is, or writes it anew.
fn compare(path: &str, fresh: impl FnOnce(&str) -> String) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    let fresh = fresh(&published);
    if std::env::var_os("SPB_UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    } else {
        assert!(
            published == fresh,
            "{} is not what the types say; SPB_UPDATE_SCHEMA=1 cargo test --lib config::schema \
             writes it anew",
            path.display()
        );
    }
}

const KEYS_START: &str =
    "<!-- keys: written by SPB_UPDATE_SCHEMA=1 cargo test --lib config::schema -->\n";
const KEYS_END: &str = "<!-- end of keys -->";
