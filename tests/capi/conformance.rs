//! The scenarios of `tests/conformance`, played by the C runner, which is watched by the compiler's
//! sanitizers. The other hosts' runners are in `bindings`; what a scenario is says
//! `tests/conformance/README.md`.

use std::path::PathBuf;

use super::program::Program;
use super::support::{guard, python, root};

#[test]
fn scenarios_have_their_traces() {
    let scenarios = scenarios();
    assert!(scenarios.len() >= 5, "scenarios are missing: {scenarios:?}");
    let paths: Vec<_> = scenarios.iter().map(|path| path.to_str().unwrap()).collect();
    Program::build_sanitized("conformance").printed_with(&surroundings(), &paths);
}

/// What the runner of every host finds in its environment.
pub fn surroundings() -> [String; 3] {
    let modules = root().join("tests/python");
    [("SPB_GUARD", guard().to_owned()), ("SPB_PYTHON", python()), ("SPB_TEST_MODULES", modules)]
        .map(|(name, value)| format!("{name}={}", value.display()))
}

fn scenarios() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("tests/conformance")).unwrap();
    let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths
}
