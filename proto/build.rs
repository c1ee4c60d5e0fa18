//! Compiles `ml_bridge.proto` with protox (pure Rust), so that building needs no protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=ml_bridge.proto");
    let descriptors = protox::compile(["ml_bridge.proto"], ["."])?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
