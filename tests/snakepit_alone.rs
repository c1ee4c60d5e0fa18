//! The pool mounted on its own: it compiles without the rest of the crate, so it knows nothing of
//! it, and its unit tests run here a second time.
//!
//! The moment it names another module of the crate, this file does not compile.

#[path = "../src/snakepit/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a mounted module has no users")]
mod snakepit;

#[test]
fn it_has_no_limits_of_its_own_and_needs_no_other_module() {
    // The types that its owners build on are all there.
    fn is_shared<T: Send + Sync>() {}
    is_shared::<snakepit::PoolConfig>();
    is_shared::<snakepit::PoolError>();
    is_shared::<snakepit::PoolStats>();
    is_shared::<snakepit::Exit>();
    is_shared::<snakepit::ProcessSpec>();
}
