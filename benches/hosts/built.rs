//! How each host's program is built: optimised, over the library that cargo built along with this
//! benchmark, laid out as `scripts/install.sh` does it, the way that the language's people build.
//!
//! It must not know what the programs are asked.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where everything is built and installed.
pub struct Workshop {
    folder: PathBuf,
    prefix: PathBuf,
}

impl Workshop {
    /// Lays out the library, its headers, the guard and the pkg-config file below `folder`.
    pub fn open(folder: PathBuf) -> Workshop {
        let prefix = folder.join("installed");
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
        Workshop { folder, prefix }
    }

    pub fn guard(&self) -> PathBuf {
        self.prefix.join("libexec/snakepit-guard")
    }

    /// Builds the program of a host; what it gives starts it.
    pub fn build(&self, host: &str) -> Command {
        let program = self.folder.join(format!("host-{host}"));
        match host {
            "c" => self.compile("cc", "-std=c11", "bench.c", &program),
            "cpp" => self.compile("c++", "-std=c++17", "bench.cpp", &program),
            "go" => self.build_go(&program),
            "elixir" => self.build_elixir(&program),
            other => panic!("no host {other:?}"),
        }
    }

    fn compile(&self, compiler: &str, standard: &str, source: &str, program: &Path) -> Command {
        let libraries = self.prefix.join("lib");
        let mut compile = command(compiler);
        compile.args([standard, "-D_POSIX_C_SOURCE=200809L", "-O2", "-Wall", "-Wextra", "-Werror"]);
        compile.arg("-I").arg(self.prefix.join("include")).arg("-o").arg(program);
        compile.arg(sources().join(source)).arg("-L").arg(&libraries);
        compile.arg("-lsnakepit_bridge").arg("-lpthread");
        compile.arg(format!("-Wl,-rpath,{}", libraries.display()));
        done(&mut compile);
        command(program)
    }

    fn build_go(&self, program: &Path) -> Command {
        let mut build = command("go");
        build.current_dir(sources().join("go")).args(["build", "-o"]).arg(program).arg(".");
        build.env("PKG_CONFIG_PATH", self.prefix.join("lib/pkgconfig"));
        // Go's cache does not see what pkg-config answers, and may know another prefix.
        build.env("CGO_LDFLAGS", format!("-L{}", self.prefix.join("lib").display()));
        done(&mut build);
        let mut start = command(program);
        start.env("LD_LIBRARY_PATH", self.prefix.join("lib"));
        start
    }

    fn build_elixir(&self, build: &Path) -> Command {
        let mix = || {
            let mut mix = command("mix");
            mix.current_dir(root().join("bindings/elixir"));
            mix.env("MIX_ENV", "prod").env("MIX_BUILD_PATH", build);
            mix.env("SNAKEPIT_BRIDGE_LIB", self.prefix.join("lib"));
            mix
        };
        done(mix().arg("compile"));
        let mut start = mix();
        start.args(["run", "--no-compile", "--no-deps-check"]).arg(sources().join("bench.exs"));
        start
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
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

fn sources() -> PathBuf {
    root().join("benches/hosts")
}

/// A program of its own environment: cargo's library path would find what an earlier build left.
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_remove("LD_LIBRARY_PATH");
    command
}

fn done(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&text));
}
