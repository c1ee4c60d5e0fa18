//! Platforms whose every process can be found again from outside: workers carry the mark in their
//! environment, guards on their command line.

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use crate::{support, world};

/// The mark of a new platform, of letters, digits and dashes.
pub fn fresh_mark() -> String {
    world::fresh_mark().replace('.', "-")
}

/// Real Python workers that know `spb_testmod` and `spb_diemod`.
pub fn python(mark: &str, workers: usize, calls_per_worker: usize) -> Json {
    let mut config = support::config(workers, calls_per_worker);
    config["guard_path"] = json!(guard(mark));
    let pool = &mut config["pools"]["default"];
    pool["env"] = json!({"SNAKEPIT_MARK": mark});
    pool["concurrent_starts"] = json!(workers);
    pool["frameworks"]["python"]["modules"] = json!(["spb_testmod", "spb_diemod"]);
    config
}

/// The guard by a name that holds the mark. It goes with the scenario's directory.
fn guard(mark: &str) -> PathBuf {
    let path = std::env::temp_dir().join(mark);
    if !path.exists() {
        std::os::unix::fs::symlink(support::guard(), &path).unwrap();
    }
    path
}
