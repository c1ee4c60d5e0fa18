//! The C ABI: the only `extern "C"` of the library, and the only place that knows what C looks
//! like.
//!
//! Each file of a noun has that noun's functions and nothing else; they check their arguments, ask
//! `crate::api` and hand over what they get. What they share stands above them: handles, the panic
//! boundary, text, options, events and sinks. `include/snakepit_bridge.h` is generated from these
//! files in this order (`tests/abi.rs`).

#![expect(unsafe_code, reason = "C's pointers are read and written here and nowhere else")]
#![expect(non_camel_case_types, reason = "the types are named as C names them")]
#![expect(
    clippy::missing_safety_doc,
    reason = "what C must keep is said once, in the header's rules and in each Ownership line"
)]

pub mod guard;
pub mod handle_table;
pub mod options;

pub mod library;
pub mod status;
pub mod text_view;
pub mod times;

pub mod error;
pub mod text;
pub mod value;
pub mod value_compose;
pub mod value_scalar;

pub mod arrow_export;
pub mod arrow_import;
pub mod arrow_layout;
pub mod dlpack;
pub mod dlpack_layout;
pub mod lent;
pub mod tensor;
pub mod tensor_file;

pub mod callback_pool;
pub mod callback_sink;
pub mod event;
pub mod eventfd;
pub mod handles;
pub mod home;
pub mod item;
pub mod log_feed;
pub mod queue_core;
pub mod sink;
pub mod target;

pub mod execute;
pub mod invocation;
pub mod log;
pub mod notice;
pub mod operation;
pub mod platform;
pub mod pool;
pub mod queue;
pub mod session;
pub mod session_archive;
pub mod tool;
pub mod tool_call;
pub mod uncancelled;
pub mod variable;
pub mod variable_verbs;
pub mod variables;
pub mod watch;
