//! The shared examples of `tests/vectors/variables.json` as a handler in a real worker runs them.

use serde_json::json;

use super::support::{call, close, config, open, root, session};

#[test]
fn python_stores_and_is_refused_what_the_examples_say() {
    let mut config = config(1, 4);
    config["pools"]["default"]["frameworks"]["python"]["modules"] = json!(["spb_variables"]);
    let platform = open(&config);
    let path = root().join("tests/vectors/variables.json");
    let report = call(&session(&platform), "run_variables", json!({ "path": path })).unwrap();
    assert_eq!(report["differences"], json!([]));
    let count = |key: &str| report[key].as_u64().unwrap();
    assert!(count("accepted") > 60 && count("refused") > 150, "{report}");
    // Only where the package `ml_dtypes` is not installed.
    let skipped = report["skipped"].as_array().unwrap();
    assert!(skipped.len() <= 4 && skipped.iter().all(|dtype| dtype == "bfloat16"), "{report}");
    close(&platform);
}
