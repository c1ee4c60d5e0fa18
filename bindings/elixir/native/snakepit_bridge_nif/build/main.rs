//! Links the C library and turns its header into declarations, `sys.rs` in OUT_DIR.
//!
//! SNAKEPIT_BRIDGE_LIB and SNAKEPIT_BRIDGE_INCLUDE are directories; mix.exs finds and sets them.
//! The declarations are made of the very header that came with the library, on every build:
//! they cannot drift from it, and nobody who installs the package needs libclang, as bindgen would.

mod header;

use std::path::PathBuf;

fn main() -> Result<(), String> {
    let library = directory("SNAKEPIT_BRIDGE_LIB")?;
    let include = directory("SNAKEPIT_BRIDGE_INCLUDE")?;
    let header = include.join("snakepit_bridge.h");
    println!("cargo:rustc-link-search=native={}", library.display());
    println!("cargo:rustc-link-lib=dylib=snakepit_bridge");
    // The library lies beside the NIF, and `mix release` takes both along.
    println!("cargo:rustc-link-arg-cdylib=-Wl,-rpath,$ORIGIN");
    println!("cargo:rerun-if-changed={}", header.display());
    println!("cargo:rerun-if-changed=build");

    let text = std::fs::read_to_string(&header)
        .map_err(|error| format!("{}: {error}", header.display()))?;
    let out = PathBuf::from(std::env::var("OUT_DIR").map_err(|error| error.to_string())?);
    std::fs::write(out.join("sys.rs"), header::declarations(&text)?).map_err(|e| e.to_string())
}

fn directory(variable: &str) -> Result<PathBuf, String> {
    println!("cargo:rerun-if-env-changed={variable}");
    std::env::var_os(variable).map(PathBuf::from).ok_or_else(|| {
        format!("{variable} is not set: build with `mix compile`, which finds the library")
    })
}
