//! Link arguments of the shared library: the name that programs record, and that it is never
//! unloaded. It must not generate code: the header is made and compared by tests/abi.rs.

fn main() {
    // The number is the ABI's major (src/capi/library.rs); rustc sets no SONAME by itself.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libsnakepit_bridge.so.0");
    // Threads and thread-local destructors of the library would dangle after dlclose.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rerun-if-changed=build.rs");
}
