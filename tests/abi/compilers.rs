//! The compilers of this machine, each taken strictly.

use std::path::Path;

use super::built::{output, run};

/// The compilers for "c" or "cc" (C++) that this machine has.
pub fn compilers(language: &str) -> Vec<String> {
    let names = if language == "c" { ["gcc", "clang"] } else { ["g++", "clang++"] };
    let has = |name: &&str| run(name, &["--version"]).is_ok_and(|output| output.status.success());
    let found: Vec<String> = names.into_iter().filter(has).map(str::to_owned).collect();
    assert!(!found.is_empty(), "no compiler for {language}");
    found
}

/// Compiles one file, without a warning.
pub fn compile(compiler: &str, flags: &[&str], source: &Path, object: &Path) {
    let include = concat!("-I", env!("CARGO_MANIFEST_DIR"), "/include");
    let strict = ["-Wall", "-Wextra", "-pedantic", "-Werror", include, "-c"];
    let files = [source.to_str().unwrap(), "-o", object.to_str().unwrap()];
    output(compiler, &[&strict, flags, &files].concat());
}
