//! What a platform says of itself: whole, pool by pool, and enough to generate a client from.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};
use snakepit_bridge::core::Status;

use super::built::output;
use super::program::Program;
use super::support::{answering, close, config, open, platform, python, root};

#[test]
fn a_typed_client_is_generated_compiled_and_used() {
    let frameworks = json!({"python": {"modules": ["spb_plainmod"]}});
    let platform = platform(1, &frameworks);
    let described = platform.description();
    close(&platform);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("client.h"), generated(&described)).unwrap();
    let shared = root().join("examples/typed_client");
    let folders = ["-I", folder.path().to_str().unwrap(), "-I", shared.to_str().unwrap()];
    let program = Program::build_with("typed_client", &folders);
    program.run(&[&config(1, &frameworks).to_string()]);
}

fn generated(described: &Json) -> Vec<u8> {
    #[expect(clippy::disallowed_methods, reason = "the generator is run, not a worker")]
    let mut generator = Command::new(python())
        .arg(root().join("examples/typed_client/generate.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let text = described.to_string();
    generator.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let done = generator.wait_with_output().unwrap();
    assert!(done.status.success());
    done.stdout
}

#[test]
fn each_pool_is_described_with_its_own_frameworks() {
    let mut config = config(1, &json!({"python": {"modules": ["spb_plainmod"]}}));
    let mut other = config["pools"]["default"].clone();
    other["frameworks"] = json!({"python": {"modules": ["spb_testmod"]}});
    config["pools"]["other"] = other;
    let platform = open(&config);
    let ready = platform.pool("other").unwrap();
    let wait = ready.await_ready(0, snakepit_bridge::api::Timeout::After(super::support::LONG));
    super::support::finish(wait.unwrap()).unwrap();
    answering(&platform, "lookup", json!({"type": "object"}), |_| Ok(json!(1)));

    let whole = platform.description();
    let operations = |pool: &str| {
        let pool = &whole["pools"][pool];
        assert_eq!(pool["is_known"], true);
        pool["frameworks"]["python"]["operations"].as_object().unwrap().clone()
    };
    assert!(operations("default").contains_key("countdown"));
    assert!(!operations("default").contains_key("echo"));
    assert!(operations("other").contains_key("echo"));
    assert_eq!(whole["pools"]["other"]["frameworks"], ready.schema(None).unwrap());
    let error = ready.schema(Some("dspi")).unwrap_err();
    assert_eq!(error.status(), Status::NotFound);

    assert_eq!(whole["tools"][0]["name"], "lookup");
    assert_eq!(whole["statuses"]["NOT_FOUND"], json!({"code": 11, "retryable": false}));
    assert_eq!(whole["statuses"]["BUSY"]["retryable"], true);
    assert_eq!(whole["variable_types"]["integer"], json!({"constraints": ["min", "max"]}));
    assert_eq!(whole["limits"]["attachments_max"], 1024);
    assert_eq!(whole["protocol_version"], 1);
    every_schema_is_one(&whole);
    close(&platform);
}

/// Each schema stands for itself: it says its dialect, and is what that asks of a schema.
fn every_schema_is_one(whole: &Json) {
    let pools = whole["pools"].as_object().unwrap();
    let frameworks = pools.values().flat_map(|pool| pool["frameworks"].as_object().unwrap());
    for (id, framework) in frameworks {
        check_schema(&framework["options"], &format!("options of {id}"));
        for (name, operation) in framework["operations"].as_object().unwrap() {
            assert_ne!(operation["doc"], "", "{id}.{name}");
            check_schema(&operation["parameters"], &format!("parameters of {id}.{name}"));
            for key in ["result", "chunk"] {
                if !operation[key].is_null() {
                    check_schema(&operation[key], &format!("{key} of {id}.{name}"));
                }
            }
        }
    }
}

fn check_schema(schema: &Json, what: &str) {
    let dialect = schema["$schema"].as_str();
    assert_eq!(dialect, Some("https://json-schema.org/draft/2020-12/schema"), "{what}");
    if let Err(error) = jsonschema::meta::validate(schema) {
        panic!("{what}: {error}");
    }
}

#[test]
fn the_command_line_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.json");
    let config = config(1, &json!({"python": {"modules": ["spb_plainmod"]}}));
    std::fs::write(&file, config.to_string()).unwrap();
    let spb = |words: &[&str]| -> Json {
        let given = [&["schema"], words, &["--config", file.to_str().unwrap()]].concat();
        serde_json::from_str(&output(env!("CARGO_BIN_EXE_spb"), &given)).unwrap()
    };
    let one = spb(&["python"]);
    let whole = spb(&["--full"]);
    assert_eq!(whole["pools"]["default"]["frameworks"]["python"], one);
    let many = &one["operations"]["many"];
    assert_eq!(many["doc"], "Takes any further texts.");
    let first = &many["parameters"]["properties"]["first"];
    assert_eq!(first, &json!({"type": "string", "description": "The one that is needed."}));
    let countdown = &one["operations"]["countdown"];
    assert_eq!(countdown["chunk"]["additionalProperties"]["type"], "integer");
    assert_eq!(countdown["result"]["items"]["type"], "string");
    assert_eq!(countdown["parameters"]["properties"]["fail_at"]["default"], Json::Null);
}
