//! Sizes and offsets as Rust has them, rendered as assertions for a C compiler to check against the
//! header.

use std::fmt::Write as _;
use std::mem::{align_of, offset_of, size_of};

use snakepit_bridge::capi::event::spb_event;
use snakepit_bridge::capi::execute::spb_execute_options;
use snakepit_bridge::capi::handles::{
    spb_invocation, spb_operation, spb_platform, spb_pool, spb_queue, spb_session, spb_tool,
    spb_watch,
};
use snakepit_bridge::capi::invocation::spb_failure_options;
use snakepit_bridge::capi::log::spb_log_options;
use snakepit_bridge::capi::session::spb_session_options;
use snakepit_bridge::capi::sink::spb_sink;
use snakepit_bridge::capi::status::spb_status;
use snakepit_bridge::capi::tensor::spb_tensor_view;
use snakepit_bridge::capi::text_view::spb_str;
use snakepit_bridge::capi::tool::spb_tool_options;
use snakepit_bridge::capi::tool_call::spb_tool_call_options;
use snakepit_bridge::capi::value::spb_attachment;
use snakepit_bridge::capi::variable::spb_variable_options;
use snakepit_bridge::capi::variable_verbs::spb_write_options;
use snakepit_bridge::capi::variables::spb_variable_write;
use snakepit_bridge::capi::watch::spb_watch_options;

/// A C file that compiles only where C and Rust agree.
pub fn static_asserts() -> String {
    let mut file = String::from("#include \"snakepit_bridge.h\"\n");
    plain_types(&mut file);
    options(&mut file);
    options_of_state(&mut file);
    let type_at = offset_of!(spb_variable_options, r#type);
    assert_offset(&mut file, "spb_variable_options", "type", type_at);
    file.push_str("_Static_assert(sizeof(spb_event) == 64, \"events are 64 bytes for ever\");\n");
    file
}

macro_rules! layout {
    ($file:ident, $type:ident { $($field:ident),* }) => {
        let (name, size, align) = (stringify!($type), size_of::<$type>(), align_of::<$type>());
        let _ = writeln!($file, "_Static_assert(sizeof({name}) == {size}, \"size of {name}\");");
        let _ = writeln!($file, "_Static_assert(_Alignof({name}) == {align}, \"{name}\");");
        $(assert_offset($file, name, stringify!($field), offset_of!($type, $field));)*
    };
}

fn assert_offset(file: &mut String, name: &str, field: &str, offset: usize) {
    let expected = format!("offsetof({name}, {field}) == {offset}");
    let _ = writeln!(file, "_Static_assert({expected}, \"{name}.{field}\");");
}

fn plain_types(file: &mut String) {
    layout!(file, spb_status {});
    layout!(file, spb_str {});
    layout!(file, spb_platform {});
    layout!(file, spb_pool {});
    layout!(file, spb_session {});
    layout!(file, spb_operation {});
    layout!(file, spb_queue {});
    layout!(file, spb_tool {});
    layout!(file, spb_invocation {});
    layout!(file, spb_watch {});
    layout!(
        file,
        spb_event { kind, status, tag, operation, invocation, sequence, value, error, reserved }
    );
    layout!(file, spb_attachment { kind, dtype, data, len, shape, ndim });
}

fn options(file: &mut String) {
    layout!(
        file,
        spb_sink { struct_size, kind, reserved, queue, tag, callback, user_data, destroy }
    );
    layout!(
        file,
        spb_session_options { struct_size, id, metadata_json, ttl_ms, affinity, reserved }
    );
    layout!(
        file,
        spb_execute_options {
            struct_size,
            framework,
            operation,
            parameters,
            pool,
            timeout_ms,
            flags,
            stream_window,
            parent,
            traceparent,
            affinity,
            reserved
        }
    );
    layout!(
        file,
        spb_tool_options {
            struct_size,
            name,
            description,
            input_schema_json,
            output_schema_json,
            max_in_flight,
            flags,
            timeout_ms,
            chunk_schema_json
        }
    );
    layout!(
        file,
        spb_tool_call_options {
            struct_size,
            name,
            arguments,
            pool,
            timeout_ms,
            flags,
            stream_window,
            parent,
            traceparent
        }
    );
    layout!(
        file,
        spb_failure_options { struct_size, status, flags, message, details_json, reserved }
    );
    layout!(file, spb_log_options { struct_size, level, reserved, target_prefix });
}

fn options_of_state(file: &mut String) {
    layout!(file, spb_variable_options { struct_size, name, constraints_json, metadata_json });
    layout!(file, spb_write_options { struct_size, expected_version, owner });
    layout!(file, spb_variable_write { name, value, expected_version, reserved });
    layout!(file, spb_watch_options { struct_size, flags, reserved, queue_max });
    layout!(
        file,
        spb_tensor_view {
            struct_size,
            dtype,
            item_bytes,
            data,
            len,
            shape,
            strides,
            ndim,
            reserved
        }
    );
}
