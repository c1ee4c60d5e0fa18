//! Why a command on the file did not go through, and how SQLite's failures are told to callers.
//! Which command it was is not known here.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::core::{Error, Status};

/// What ends a command.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The command's own answer: it changed nothing, and others go on.
    Refused(Error),
    /// The file failed: the transaction is rolled back.
    Broken(rusqlite::Error),
}

/// What a command on the file comes to.
pub(super) type Outcome<T> = std::result::Result<T, Trouble>;

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Refused(error)
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Trouble::Broken(error)
    }
}

/// The failure as callers see it; nothing of the command has happened.
pub(super) fn told(path: &Path, error: &rusqlite::Error) -> Error {
    let (status, retryable, what) = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (Status::ResourceExhausted, true, "the disk is full"),
        Some(ErrorCode::OutOfMemory) => (Status::ResourceExhausted, true, "no memory is left"),
        Some(ErrorCode::TooBig) => (Status::ResourceExhausted, false, "a value is too large"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (Status::Busy, true, "another platform has it")
        }
        Some(ErrorCode::DatabaseCorrupt) => (Status::Store, false, "the file is damaged"),
        Some(ErrorCode::NotADatabase) => (Status::Store, false, "the file is not a database"),
        Some(ErrorCode::ReadOnly) => (Status::Store, false, "the file cannot be written"),
        Some(ErrorCode::CannotOpen) => (Status::Store, false, "the file cannot be opened"),
        Some(ErrorCode::SystemIoFailure) => (Status::Store, true, "the disk failed"),
        _ => (Status::Store, false, "SQLite refused a statement"),
    };
    Error::new(status, format!("store {path:?}: {what} ({error})"))
        .retryable(retryable)
        .with("path", path.display().to_string())
}

/// Whether a commit that failed so may be found done after a crash.
pub(super) fn leaves_doubt(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

/// Something in the file that this store would not have written.
pub(super) fn unreadable(what: &str) -> Error {
    Error::new(Status::Store, format!("the store's file holds {what} that cannot be read"))
}
