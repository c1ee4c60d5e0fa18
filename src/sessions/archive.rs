//! A session on its way into another name, store or machine: what is kept about it and all its
//! variables with their history.
//!
//! One document describes it (`document`), as a value whose attachments are those of all variables,
//! or as a file (`file`) where it is larger than a value may be. Both are read as something that
//! anybody may have written. Locks, ids and times do not travel. Which store it comes from or goes
//! to is not known here.

mod document;
mod file;
mod tags;

use std::path::Path;

use serde_json::{Map, Value as Json};

use crate::core::{Error, Result, SessionId, Status, Value};
use crate::state::{SavedVariable, SessionAbout};

/// A session at one moment. Cloning shares the values' bytes.
#[derive(Clone, Debug)]
pub struct Archive {
    pub id: SessionId,
    pub about: SessionAbout,
    /// In the order of their names.
    pub variables: Vec<SavedVariable>,
}

impl Archive {
    /// The document with the attachments of all values. `ResourceExhausted` when that is more than
    /// a value may be, `InvalidArgument` when a variable's document is nested so deep that the
    /// archive's would be too deep: a file has neither limit.
    pub fn to_value(&self) -> Result<Value> {
        let (document, attachments) = document::write(self)?;
        Value::new(document, attachments)
    }

    /// Reads what `to_value` made. `InvalidArgument` names what is wrong; variables are held
    /// against their rules when they are loaded.
    pub fn from_value(value: &Value) -> Result<Self> {
        document::read(value.json(), value.attachments())
    }

    /// Writes the archive as a file that only its owner may read; one that is there is replaced,
    /// at one moment and only when everything is on disk. `Unavailable` or `ResourceExhausted` as
    /// the file system says.
    pub fn write_to(&self, path: &Path) -> Result<()> {
        file::write(self, path)
    }

    /// Reads a file that `write_to` made, or anybody else. `bytes_max` is the largest file that is
    /// read at all. `InvalidArgument` for one that is no archive, `ResourceExhausted` for one that
    /// is too large, `Unavailable` for one that cannot be read.
    pub fn read_from(path: &Path, bytes_max: u64) -> Result<Self> {
        file::read(path, bytes_max)
    }

    /// The session's metadata as a tree.
    pub fn metadata(&self) -> Result<Map<String, Json>> {
        serde_json::from_slice(&self.about.metadata)
            .map_err(|error| fault(format!("session.metadata is not an object: {error}")))
    }
}

/// Something that is no archive.
fn fault(what: impl std::fmt::Display) -> Error {
    Error::new(Status::InvalidArgument, format!("session archive: {what}"))
}

#[cfg(test)]
mod tests;
