//! Terms to values and back. `encode` walks a term and writes a document with attachments, `decode`
//! reads one. `failure` makes `%SnakepitBridge.Error{}`. They must not know what values
//! are for.

mod decode;
mod dtype;
mod encode;
mod failure;
mod given;
mod payload;
mod place;

pub use decode::decode;
pub use encode::{Limit, encode};
pub use failure::{answer, done, failed};
pub use given::{made_here, with_optional_value, with_value};
pub use payload::{SMALL_BYTES_MAX, ValueResource, optional_payload, payload};

/// Atoms of the values and errors.
pub mod atoms {
    rustler::atoms! {
        nil,
        r#true = "true",
        r#false = "false",
        ok,
        error,
        nan,
        infinity,
        neg_infinity,
        __struct__,
        __exception__,
        blob = "Elixir.SnakepitBridge.Blob",
        tensor = "Elixir.SnakepitBridge.Tensor",
        error_struct = "Elixir.SnakepitBridge.Error",
        data,
        dtype,
        shape,
        status,
        message,
        details,
        python_type,
        python_traceback,
        retryable,
        term,
        large,
    }
}
