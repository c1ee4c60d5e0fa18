//! The built shared object, and the programs that look at it.

use std::path::PathBuf;
use std::process::Command;

/// The shared object that cargo built along with this test.
pub fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let deps = test.parent().unwrap();
    let candidates = [deps.join(NAME), deps.parent().unwrap().join(NAME)];
    let newest = candidates
        .iter()
        .filter(|path| path.exists())
        .max_by_key(|path| path.metadata().and_then(|data| data.modified()).unwrap());
    newest.unwrap_or_else(|| panic!("none of {candidates:?}")).clone()
}

/// What a program prints; it has to succeed.
pub fn output(program: &str, arguments: &[&str]) -> String {
    let output = run(program, arguments).unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{text}{errors}", output.status);
    text
}

/// Runs a program to its end. Cargo's library path is taken away: it would find what an earlier
/// build left under the same name before the program's own runpath does.
#[expect(clippy::disallowed_methods, reason = "a test runs compilers; no worker is concerned")]
pub fn run(program: &str, arguments: &[&str]) -> std::io::Result<std::process::Output> {
    Command::new(program).args(arguments).env_remove("LD_LIBRARY_PATH").output()
}

/// The library's name where programs are linked; at run time its SONAME counts.
pub const NAME: &str = "libsnakepit_bridge.so";
