//! How each host's program is built: optimised, over the library as it is installed, the way that
//! the language's people build.
//!
//! It must not know what the programs are asked.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::installed::{Installed, command, done, root};

/// Where everything is built.
pub struct Workshop {
    folder: PathBuf,
    installed: Installed,
}

impl Workshop {
    /// Lays out the library below `folder`.
    pub fn open(folder: PathBuf) -> Workshop {
        let installed = Installed::lay_out(folder.join("installed"));
        Workshop { folder, installed }
    }

    pub fn guard(&self) -> PathBuf {
        self.installed.guard()
    }

    /// Builds the program of a host; what it gives starts it.
    pub fn build(&self, host: &str) -> Command {
        let program = self.folder.join(format!("host-{host}"));
        match host {
            "c" => self.installed.build_c(&sources().join("bench.c"), &program),
            "cpp" => self.installed.build_cpp(&sources().join("bench.cpp"), &program),
            "go" => self.build_go(&program),
            "elixir" => self.build_elixir(&program),
            other => panic!("no host {other:?}"),
        }
    }

    fn build_go(&self, program: &Path) -> Command {
        let libraries = self.installed.libraries();
        let mut build = command("go");
        build.current_dir(sources().join("go")).args(["build", "-o"]).arg(program).arg(".");
        build.env("PKG_CONFIG_PATH", libraries.join("pkgconfig"));
        // Go's cache does not see what pkg-config answers, and may know another prefix.
        build.env("CGO_LDFLAGS", format!("-L{}", libraries.display()));
        done(&mut build);
        let mut start = command(program);
        start.env("LD_LIBRARY_PATH", libraries);
        start
    }

    fn build_elixir(&self, build: &Path) -> Command {
        let mix = || {
            let mut mix = command("mix");
            mix.current_dir(root().join("bindings/elixir"));
            mix.env("MIX_ENV", "prod").env("MIX_BUILD_PATH", build);
            mix.env("SNAKEPIT_BRIDGE_LIB", self.installed.libraries());
            mix
        };
        done(mix().arg("compile"));
        let mut start = mix();
        start.args(["run", "--no-compile", "--no-deps-check"]).arg(sources().join("bench.exs"));
        start
    }
}

fn sources() -> PathBuf {
    root().join("benches/hosts")
}
