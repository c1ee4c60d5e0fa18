//! A C program of `tests/c`, compiled as a strict C11 host of the built shared object, and ways to
//! run it.

use std::path::{Path, PathBuf};

use super::built::{NAME, library, output};

/// A compiled host, with the library beside it.
pub struct Program {
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Program {
    pub fn build(name: &str) -> Program {
        Program::build_with(name, &[])
    }

    /// Watched by the compiler's sanitizers: leaks, wrong accesses and double frees across the
    /// boundary show, because both sides use the same malloc. For what valgrind cannot run, such as
    /// pidfds.
    pub fn build_sanitized(name: &str) -> Program {
        let program = Program::build_with(name, &["-fsanitize=address,undefined"]);
        let symbols = output("nm", &["-D", program.path.to_str().unwrap()]);
        assert!(symbols.contains("__asan_init"), "the sanitizer is not in the program");
        program
    }

    /// With more to say to the compiler.
    pub fn build_with(name: &str, flags: &[&str]) -> Program {
        let directory = tempfile::tempdir().unwrap();
        library_directory(directory.path());
        let path = directory.path().join(name);
        compile(name, flags, directory.path(), &path);
        Program { path, _directory: directory }
    }

    pub fn run(&self, arguments: &[&str]) {
        self.printed(arguments);
    }

    /// What it prints; it has to succeed.
    pub fn printed(&self, arguments: &[&str]) -> String {
        output(self.path.to_str().unwrap(), arguments)
    }

    /// What it prints in an environment that has these, each `NAME=value`, as well.
    pub fn printed_with(&self, environment: &[String], arguments: &[&str]) -> String {
        let environment = environment.iter().map(String::as_str);
        let program = [self.path.to_str().unwrap()];
        let words = environment.chain(program).chain(arguments.iter().copied());
        output("env", &words.collect::<Vec<_>>())
    }

    /// Memory that nobody refers to any more is an error, and so is every wrong access.
    pub fn run_under_valgrind(&self, arguments: &[&str]) {
        let options = [
            "--quiet",
            "--error-exitcode=99",
            "--leak-check=full",
            "--errors-for-leak-kinds=definite",
            "--show-leak-kinds=definite",
            "--undef-value-errors=no",
            self.path.to_str().unwrap(),
        ];
        output("valgrind", &[&options, arguments].concat());
    }
}

/// A directory with the library under the name that programs look for.
fn library_directory(directory: &Path) {
    for name in [NAME, "libsnakepit_bridge.so.0"] {
        std::os::unix::fs::symlink(library(), directory.join(name)).unwrap();
    }
}

fn compile(name: &str, flags: &[&str], libraries: &Path, program: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = root.join("tests/c").join(name).with_extension("c");
    let include = root.join("include");
    let libraries = libraries.to_str().unwrap();
    let strict = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-g", "-O1"];
    let warnings = ["-Wall", "-Wextra", "-pedantic", "-Werror"];
    let files = ["-I", include.to_str().unwrap(), source.to_str().unwrap()];
    let linked = ["-L", libraries, "-lsnakepit_bridge", "-lcjson", "-lpthread", "-ldl", "-lm"];
    let placed = ["-Wl,-rpath", libraries, "-o", program.to_str().unwrap()];
    output("cc", &[strict.as_slice(), flags, &warnings, &files, &linked, &placed].concat());
}
