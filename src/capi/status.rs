//! The status numbers as the header shows them. They repeat `core::status`, because a header
//! generator reads numbers and not the enum; a test holds the two together.

/// How a call ended: SPB_OK or one of SPB_E_*. Numbers are stable and never reused.
pub type spb_status = i32;

/// Done.
pub const SPB_OK: i32 = 0;
/// Not yet: nothing came in the time given, or the other side is behind.
pub const SPB_E_AGAIN: i32 = 1;
/// An argument is wrong; the message names it.
pub const SPB_E_INVALID_ARGUMENT: i32 = 2;
/// A pointer that has to point somewhere is NULL.
pub const SPB_E_NULL_ARGUMENT: i32 = 3;
/// The handle is 0, stale, of another kind or invented.
pub const SPB_E_HANDLE: i32 = 4;
/// Text is not UTF-8.
pub const SPB_E_UTF8: i32 = 5;
/// The call does not fit the state of its object.
pub const SPB_E_STATE: i32 = 6;
/// Somebody else is using it.
pub const SPB_E_BUSY: i32 = 7;
/// It was closed, or there is no more.
pub const SPB_E_CLOSED: i32 = 8;
/// Cancelled.
pub const SPB_E_CANCELLED: i32 = 9;
/// The deadline passed.
pub const SPB_E_DEADLINE: i32 = 10;
/// No such thing; the message offers the nearest name.
pub const SPB_E_NOT_FOUND: i32 = 11;
/// The name is taken.
pub const SPB_E_ALREADY_EXISTS: i32 = 12;
/// It was answered or taken before.
pub const SPB_E_ALREADY_COMPLETED: i32 = 13;
/// The variable has another version than expected.
pub const SPB_E_VERSION_CONFLICT: i32 = 14;
/// The value is of another type than asked for or declared.
pub const SPB_E_TYPE_MISMATCH: i32 = 15;
/// The value breaks a constraint or schema.
pub const SPB_E_CONSTRAINT: i32 = 16;
/// A limit was reached.
pub const SPB_E_RESOURCE_EXHAUSTED: i32 = 17;
/// No worker can take it now.
pub const SPB_E_UNAVAILABLE: i32 = 18;
/// The worker died while it had the call.
pub const SPB_E_WORKER_LOST: i32 = 19;
/// Python raised; the error has type and traceback.
pub const SPB_E_PYTHON_EXCEPTION: i32 = 20;
/// A host tool failed.
pub const SPB_E_TOOL_FAILED: i32 = 21;
/// A worker broke the protocol.
pub const SPB_E_PROTOCOL: i32 = 22;
/// This build does not know the option, kind or field.
pub const SPB_E_UNSUPPORTED: i32 = 23;
/// Header and library are of different ABI majors.
pub const SPB_E_ABI_MISMATCH: i32 = 24;
/// The process is a forked child of the one that opened the platform.
pub const SPB_E_FORKED: i32 = 25;
/// A blocking call inside a callback.
pub const SPB_E_WOULD_DEADLOCK: i32 = 26;
/// The library panicked: its defect. Other calls go on.
pub const SPB_E_PANIC: i32 = 27;
/// Something in the library failed.
pub const SPB_E_INTERNAL: i32 = 28;
/// The worker did not answer its heartbeat and was replaced.
pub const SPB_E_WORKER_HUNG: i32 = 29;
/// The worker that the session is bound to is gone.
pub const SPB_E_SESSION_WORKER_UNAVAILABLE: i32 = 30;
/// The state store failed.
pub const SPB_E_STORE: i32 = 31;
/// This host was silent for longer than its lease on a shared store: others may have gone on.
pub const SPB_E_LEASE_LOST: i32 = 32;

#[cfg(test)]
mod tests {
    use crate::core::Status;

    #[test]
    fn the_header_repeats_the_core() {
        let mut rest = include_str!("status.rs");
        for status in Status::ALL {
            let prefix = if status == Status::Ok { "SPB_" } else { "SPB_E_" };
            let line = format!("pub const {prefix}{}: i32 = {};", status.name(), status.code());
            let at = rest.find(&line).unwrap_or_else(|| panic!("missing or out of order: {line}"));
            rest = &rest[at + line.len()..];
        }
    }
}
