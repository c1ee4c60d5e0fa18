//! The examples of `bindings/c/examples`: built as `bindings/c/Makefile` builds them, against an
//! installation, and held against what they are to print. They are watched by the compiler's
//! sanitizers, and those without a worker by valgrind as well.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::built::{NAME, library, output};
use super::support::{guard, python, root};

#[test]
fn sync() {
    Example::build("sync", SANITIZED).prints(&[]);
}

#[test]
fn poll_loop() {
    let example = Example::build("poll_loop", SANITIZED);
    let fed = "printf '3\\n0\\n5\\n' | \"$0\"";
    let printed = example.run(&["sh", "-c", fed, example.path()]);
    // Calls end in any order.
    assert_eq!(sorted_lines(&printed), sorted_lines(&expected("poll_loop")));
}

#[test]
fn streaming() {
    Example::build("streaming", SANITIZED).prints(&[]);
}

#[test]
fn tool_thread() {
    Example::build("tool_thread", SANITIZED).prints(&[]);
}

#[test]
fn variables() {
    Example::build("variables", SANITIZED).prints(&[]);
    Example::build("variables", PLAIN).prints_under_valgrind(&[]);
}

#[test]
fn tensor() {
    Example::build("tensor", SANITIZED).prints(&[]);
    Example::build("tensor", PLAIN).prints_under_valgrind(&[]);
}

#[test]
fn errors() {
    Example::build("errors", SANITIZED).prints(&[]);
}

#[test]
fn shutdown() {
    Example::build("shutdown", SANITIZED).prints(&[]);
}

#[test]
fn session() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ann.zip");
    let arguments = [file.to_str().unwrap()];
    Example::build("session", SANITIZED).prints(&arguments);
    Example::build("session", PLAIN).prints_under_valgrind(&arguments);
}

#[test]
fn pool() {
    Example::build("pool", SANITIZED).prints(&[]);
}

#[test]
fn desk() {
    let example = Example::build("desk", SANITIZED);
    let golden = fs::read_to_string(root().join("tests/conformance/desk.txt")).unwrap();
    assert_eq!(example.run(&[example.path()]), golden);
}

#[test]
fn every_example_is_built_by_the_makefile() {
    let installed = Installed::new();
    installed.make("all", PLAIN);
    let mut missing = Vec::new();
    for entry in fs::read_dir(root().join("bindings/c/examples")).unwrap() {
        let source = entry.unwrap().path();
        let is_program = fs::read_to_string(&source).is_ok_and(|text| text.contains("\nint main("));
        if is_program && !installed.program(source.file_stem().unwrap().to_str().unwrap()).exists()
        {
            missing.push(source);
        }
    }
    assert!(missing.is_empty(), "the Makefile does not build {missing:?}");
}

/// An example that was built against an installation of its own.
struct Example {
    name: &'static str,
    program: PathBuf,
    _installed: Installed,
}

impl Example {
    fn build(name: &'static str, flags: &str) -> Example {
        let installed = Installed::new();
        let program = installed.program(name);
        installed.make(program.to_str().unwrap(), flags);
        Example { name, program, _installed: installed }
    }

    fn path(&self) -> &str {
        self.program.to_str().unwrap()
    }

    fn prints(&self, arguments: &[&str]) {
        let command = [&[self.path()], arguments].concat();
        assert_eq!(self.run(&command), expected(self.name));
    }

    fn prints_under_valgrind(&self, arguments: &[&str]) {
        let options = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full"];
        let leaks = ["--errors-for-leak-kinds=definite", "--show-leak-kinds=definite"];
        let more = ["--undef-value-errors=no", self.path()];
        let command = [options.as_slice(), &leaks, &more, arguments].concat();
        assert_eq!(self.run(&command), expected(self.name));
    }

    /// What a command prints; it finds the interpreter.
    fn run(&self, command: &[&str]) -> String {
        let interpreter = format!("SPB_PYTHON={}", python().display());
        output("env", &[&[interpreter.as_str()], command].concat())
    }
}

/// What `scripts/install.sh` makes, of links to what cargo has built. The library is a hard link,
/// because it looks for the guard beside its real place.
struct Installed {
    prefix: tempfile::TempDir,
}

impl Installed {
    fn new() -> Installed {
        let prefix = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let at = |path: &str| prefix.path().join(path);
        fs::create_dir_all(at("lib/pkgconfig")).unwrap();
        fs::create_dir(at("libexec")).unwrap();
        symlink(root().join("include"), at("include")).unwrap();
        symlink(guard(), at("libexec/snakepit-guard")).unwrap();
        fs::hard_link(library(), at("lib").join(NAME)).unwrap();
        symlink(NAME, at("lib/libsnakepit_bridge.so.0")).unwrap();
        let template = root().join("bindings/c/snakepit_bridge.pc.in");
        fs::write(at("lib/pkgconfig/snakepit_bridge.pc"), filled(&template, prefix.path()))
            .unwrap();
        Installed { prefix }
    }

    fn program(&self, name: &str) -> PathBuf {
        self.prefix.path().join("out").join(name)
    }

    fn make(&self, target: &str, flags: &str) {
        let prefix = self.prefix.path().display();
        let packages = format!("PKG_CONFIG_PATH={prefix}/lib/pkgconfig");
        let (out, flags) = (format!("OUT={prefix}/out"), format!("CFLAGS={flags}"));
        let folder = root().join("bindings/c");
        let folder = folder.to_str().unwrap();
        output("env", &[&packages, "make", "--silent", "-C", folder, &out, &flags, target]);
    }
}

fn filled(template: &Path, prefix: &Path) -> String {
    let text = fs::read_to_string(template).unwrap();
    text.replace("@PREFIX@", prefix.to_str().unwrap()).replace("@VERSION@", "0")
}

fn sorted_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn expected(name: &str) -> String {
    let path = root().join("tests/c/examples").join(name).with_extension("txt");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const PLAIN: &str = "-O1 -g -Werror";
const SANITIZED: &str = "-O1 -g -fsanitize=address,undefined";
