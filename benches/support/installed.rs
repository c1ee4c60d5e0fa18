//! The library that cargo built along with this benchmark, laid out as `scripts/install.sh` does
//! it, and C programs over it: optimised, linked the way that a user's build links them.
//!
//! It must not know what the programs do.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A prefix with the library, its headers, the guard and the pkg-config file.
pub struct Installed {
    prefix: PathBuf,
}

impl Installed {
    pub fn lay_out(prefix: PathBuf) -> Installed {
        let library = library();
        link(&library, &prefix.join("lib/libsnakepit_bridge.so"));
        link(&library, &prefix.join("lib/libsnakepit_bridge.so.0"));
        link(
            Path::new(env!("CARGO_BIN_EXE_snakepit-guard")),
            &prefix.join("libexec/snakepit-guard"),
        );
        for header in ["include/snakepit_bridge.h", "bindings/cpp/include/snakepit_bridge.hpp"] {
            let header = root().join(header);
            link(&header, &prefix.join("include").join(header.file_name().expect("a name")));
        }
        let template = read(&root().join("bindings/c/snakepit_bridge.pc.in"));
        let filled = template.replace("@PREFIX@", &prefix.display().to_string());
        let filled = filled.replace("@VERSION@", env!("CARGO_PKG_VERSION"));
        place(&prefix.join("lib/pkgconfig/snakepit_bridge.pc"), |path| {
            std::fs::write(path, filled)
        });
        Installed { prefix }
    }

    pub fn guard(&self) -> PathBuf {
        self.prefix.join("libexec/snakepit-guard")
    }

    pub fn libraries(&self) -> PathBuf {
        self.prefix.join("lib")
    }

    /// Builds one source file of C over the library; what it gives starts the program.
    pub fn build_c(&self, source: &Path, program: &Path) -> Command {
        self.build("cc", "-std=c11", source, program)
    }

    pub fn build_cpp(&self, source: &Path, program: &Path) -> Command {
        self.build("c++", "-std=c++17", source, program)
    }

    fn build(&self, compiler: &str, standard: &str, source: &Path, program: &Path) -> Command {
        let libraries = self.libraries();
        let mut compile = command(compiler);
        compile.args([standard, "-D_POSIX_C_SOURCE=200809L", "-O2", "-Wall", "-Wextra", "-Werror"]);
        compile.arg("-I").arg(self.prefix.join("include")).arg("-o").arg(program);
        compile.arg(source).arg("-L").arg(&libraries);
        compile.arg("-lsnakepit_bridge").arg("-lpthread");
        compile.arg(format!("-Wl,-rpath,{}", libraries.display()));
        done(&mut compile);
        command(program)
    }
}

/// The interpreter of the worker: of `SPB_PYTHON`, or else of `.venv`.
pub fn python() -> PathBuf {
    let named = std::env::var_os("SPB_PYTHON").map(PathBuf::from);
    named.unwrap_or_else(|| root().join(".venv/bin/python"))
}

/// This checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A program of its own environment: cargo's library path would find what an earlier build left.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_remove("LD_LIBRARY_PATH");
    command
}

/// Runs it; what it prints is shown where it fails.
pub fn done(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&text));
}

/// Cargo puts it beside its benchmarks, or a folder higher.
fn library() -> PathBuf {
    let bench = std::env::current_exe().expect("this program");
    let folders = bench.ancestors().skip(1).take(2);
    let candidates = folders.map(|folder| folder.join("libsnakepit_bridge.so"));
    let newest = candidates
        .filter(|path| path.exists())
        .max_by_key(|path| path.metadata().and_then(|data| data.modified()).expect("its time"));
    newest.expect("a library beside this program")
}

fn link(target: &Path, path: &Path) {
    place(path, |path| std::os::unix::fs::symlink(target, path));
}

/// Makes a file in place of what is there, and the folders that it needs.
fn place(path: &Path, make: impl FnOnce(&Path) -> std::io::Result<()>) {
    let made = std::fs::create_dir_all(path.parent().expect("a folder")).and_then(|()| {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _gone => make(path),
        }
    });
    made.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
