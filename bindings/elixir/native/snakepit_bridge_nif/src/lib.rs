//! The NIF library of SnakepitBridge: terms on one side, the C ABI of snakepit_bridge on the other.
//!
//! Owns: what `SnakepitBridge.Native` declares, one Rust function per Elixir function in `nifs`.
//! Must not know: processes of the API above, DSPy, anything of the library but its header.
//!
//! Every NIF only submits, reads what is there, or is marked dirty. Messages are sent by one thread
//! per platform (`dispatcher`). `unsafe` is only in `ffi`.

mod ffi;

mod codec;

mod address;
mod dispatcher;
mod home;
mod options;
mod resources;
mod submission;

mod nifs;

rustler::init!("Elixir.SnakepitBridge.Native", load = load);

fn load(_env: rustler::Env, _info: rustler::Term) -> bool {
    ffi::is_understood()
}
