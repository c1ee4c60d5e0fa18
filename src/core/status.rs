//! The stable status codes: the numbers that cross the C ABI and the wire.
//!
//! A number is given once and never reused; a retired one stays here as a comment. Names and
//! one-line meanings live beside the numbers so that the header, the logs and the docs cannot
//! disagree.

/// How a call ended. `Ok` is 0; everything else is a failure of the named kind.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(i32)]
pub enum Status {
    Ok = 0,
    Again = 1,
    InvalidArgument = 2,
    NullArgument = 3,
    Handle = 4,
    Utf8 = 5,
    State = 6,
    Busy = 7,
    Closed = 8,
    Cancelled = 9,
    Deadline = 10,
    NotFound = 11,
    AlreadyExists = 12,
    AlreadyCompleted = 13,
    VersionConflict = 14,
    TypeMismatch = 15,
    Constraint = 16,
    ResourceExhausted = 17,
    Unavailable = 18,
    WorkerLost = 19,
    PythonException = 20,
    ToolFailed = 21,
    Protocol = 22,
    Unsupported = 23,
    AbiMismatch = 24,
    Forked = 25,
    WouldDeadlock = 26,
    Panic = 27,
    Internal = 28,
    WorkerHung = 29,
    SessionWorkerUnavailable = 30,
    Store = 31,
    LeaseLost = 32,
}

impl Status {
    /// Every status, in the order of its number.
    pub const ALL: [Status; 33] = [
        Status::Ok,
        Status::Again,
        Status::InvalidArgument,
        Status::NullArgument,
        Status::Handle,
        Status::Utf8,
        Status::State,
        Status::Busy,
        Status::Closed,
        Status::Cancelled,
        Status::Deadline,
        Status::NotFound,
        Status::AlreadyExists,
        Status::AlreadyCompleted,
        Status::VersionConflict,
        Status::TypeMismatch,
        Status::Constraint,
        Status::ResourceExhausted,
        Status::Unavailable,
        Status::WorkerLost,
        Status::PythonException,
        Status::ToolFailed,
        Status::Protocol,
        Status::Unsupported,
        Status::AbiMismatch,
        Status::Forked,
        Status::WouldDeadlock,
        Status::Panic,
        Status::Internal,
        Status::WorkerHung,
        Status::SessionWorkerUnavailable,
        Status::Store,
        Status::LeaseLost,
    ];

    /// The number that crosses the ABI and the wire.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The status of a number, or `Internal` for one that this build does not know.
    pub fn from_code(code: i32) -> Status {
        let known = usize::try_from(code).ok().and_then(|index| Status::ALL.get(index));
        known.copied().unwrap_or(Status::Internal)
    }

    /// The status of something that the system refused: a resource that has run out, or anything
    /// else.
    pub fn of_io(error: &std::io::Error) -> Status {
        use std::io::ErrorKind::{OutOfMemory, QuotaExceeded, StorageFull};
        let is_out = matches!(error.kind(), OutOfMemory | QuotaExceeded | StorageFull)
            || matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE));
        if is_out { Status::ResourceExhausted } else { Status::Unavailable }
    }

    /// The name that logs and `spb_status_name` show.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::Again => "AGAIN",
            Status::InvalidArgument => "INVALID_ARGUMENT",
            Status::NullArgument => "NULL_ARGUMENT",
            Status::Handle => "HANDLE",
            Status::Utf8 => "UTF8",
            Status::State => "STATE",
            Status::Busy => "BUSY",
            Status::Closed => "CLOSED",
            Status::Cancelled => "CANCELLED",
            Status::Deadline => "DEADLINE",
            Status::NotFound => "NOT_FOUND",
            Status::AlreadyExists => "ALREADY_EXISTS",
            Status::AlreadyCompleted => "ALREADY_COMPLETED",
            Status::VersionConflict => "VERSION_CONFLICT",
            Status::TypeMismatch => "TYPE_MISMATCH",
            Status::Constraint => "CONSTRAINT",
            Status::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Status::Unavailable => "UNAVAILABLE",
            Status::WorkerLost => "WORKER_LOST",
            Status::PythonException => "PYTHON_EXCEPTION",
            Status::ToolFailed => "TOOL_FAILED",
            Status::Protocol => "PROTOCOL",
            Status::Unsupported => "UNSUPPORTED",
            Status::AbiMismatch => "ABI_MISMATCH",
            Status::Forked => "FORKED",
            Status::WouldDeadlock => "WOULD_DEADLOCK",
            Status::Panic => "PANIC",
            Status::Internal => "INTERNAL",
            Status::WorkerHung => "WORKER_HUNG",
            Status::SessionWorkerUnavailable => "SESSION_WORKER_UNAVAILABLE",
            Status::Store => "STORE",
            Status::LeaseLost => "LEASE_LOST",
        }
    }

    /// Whether the same call may succeed later without a change by the caller. An operation that
    /// already ran in part (`WorkerLost`, `WorkerHung`) is not in this list: only its owner knows
    /// if it may run twice.
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Status::Again | Status::Busy | Status::ResourceExhausted | Status::Unavailable
        )
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_their_own_index_and_names_are_unique() {
        let mut names = std::collections::HashSet::new();
        for (index, status) in Status::ALL.iter().enumerate() {
            assert_eq!(status.code(), i32::try_from(index).unwrap());
            assert_eq!(Status::from_code(status.code()), *status);
            assert!(names.insert(status.name()));
        }
    }

    #[test]
    fn an_unknown_number_is_internal() {
        for code in [-1, 33, i32::MAX, i32::MIN] {
            assert_eq!(Status::from_code(code), Status::Internal);
        }
    }
}
