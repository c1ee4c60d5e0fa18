//! Runs the unit tests of the link's engine, which knows nothing of Python, mounted on its own: the
//! extension itself can only be loaded by an interpreter, and is tested from there.

#[path = "../src/engine/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the extension uses what the tests do not")]
mod engine;
#[path = "../src/limits.rs"]
#[expect(dead_code, reason = "the extension uses what the tests do not")]
mod limits;
#[path = "../../src/transport/quiet_socket.rs"]
mod quiet_socket;
#[path = "../src/shared_memory.rs"]
mod shared_memory;
#[path = "../src/snakepit/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the extension uses what the tests do not")]
mod snakepit;
