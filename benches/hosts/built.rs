//! How each host's program is built: optimised, over the library as `scripts/install.sh` installs
//! it, the way that the language's people build programs.
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
    /// Installs the library, optimised, with headers, guard and pkg-config file, below `folder`.
    pub fn open(folder: PathBuf) -> Workshop {
        let prefix = folder.join("installed");
        let mut install = command(root().join("scripts/install.sh"));
        install.env("PREFIX", &prefix).env("PROFILE", "release").env_remove("DESTDIR");
        done(&mut install);
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
