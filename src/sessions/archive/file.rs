//! The file of an archive: a zip file without compression that holds `session.json`, the document;
//! `attachments.json`, an array of `{"kind": "blob"}` and `{"kind": "tensor", "dtype", "shape"}`;
//! and the bytes of attachment N as `attachments/N`. Any tool that reads zip files reads it.
//!
//! A file is read as if an enemy had written it: whatever it says of itself, no more is read than
//! it has bytes, and nothing is taken that an archive does not have.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::core::limits::ARCHIVE_ATTACHMENTS_MAX;
use crate::core::{Attachment, DType, Error, Result, SessionId, Status, Tensor};

use super::{Archive, document, fault};

pub fn write(archive: &Archive, path: &Path) -> Result<()> {
    let (document, attachments) = document::write(archive)?;
    if attachments.len() > ARCHIVE_ATTACHMENTS_MAX {
        let given = attachments.len();
        let message = format!(
            "session has {given} attachments, an archive has at most {ARCHIVE_ATTACHMENTS_MAX}"
        );
        return Err(Error::new(Status::ResourceExhausted, message).retryable(false));
    }
    let aside = aside(path)?;
    let written = write_aside(&aside, &document, &attachments)
        .and_then(|()| std::fs::rename(&aside, path))
        .and_then(|()| sync_folder(path));
    written.map_err(|error| {
        // It is there only if something failed before the renaming.
        let _ = std::fs::remove_file(&aside);
        io_fault("written", path, &error)
    })
}

pub fn read(path: &Path, bytes_max: u64) -> Result<Archive> {
    let unreadable = |error| io_fault("read", path, &error);
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() {
        return Err(fault("it is not a regular file"));
    }
    let bytes = about.len();
    if bytes > bytes_max {
        let message = format!("session archive has {bytes} bytes, the limit is {bytes_max}");
        let error = Error::new(Status::ResourceExhausted, message).retryable(false);
        return Err(error.with("bytes", bytes).with("limit", bytes_max));
    }
    let file = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut contents = Contents { zip: ZipArchive::new(file).map_err(fault)?, bytes_left: bytes };
    contents.check_entries()?;
    let rows: Vec<Row> = serde_json::from_slice(&contents.take(ROWS)?).map_err(fault)?;
    if contents.zip.len() != rows.len() + 2 {
        let have = contents.zip.len();
        return Err(fault(format!("{ROWS} has {} rows, the file {have} entries", rows.len())));
    }
    let mut attachments = Vec::with_capacity(rows.len());
    for (number, row) in rows.into_iter().enumerate() {
        attachments.push(row.attachment(contents.take(&entry_name(number))?)?);
    }
    document::read(&contents.take(DOCUMENT)?, &attachments)
}

/// A name beside `path` that nobody has.
fn aside(path: &Path) -> Result<PathBuf> {
    let Some(name) = path.file_name() else {
        let message = format!("path {path:?} names no file");
        return Err(Error::invalid(message).with("field", "path"));
    };
    let mut aside = std::ffi::OsString::from(".");
    aside.push(name);
    aside.push(format!(".{}", SessionId::generate()?));
    Ok(path.with_file_name(aside))
}

fn write_aside(path: &Path, document: &[u8], attachments: &[Attachment]) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path)?;
    let mut zip = ZipWriter::new(BufWriter::new(file));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .unix_permissions(OWNER_ONLY);
    let mut put = |name: &str, bytes: &[u8]| {
        zip.start_file(name, options.large_file(bytes.len() >= LARGE_BYTES))?;
        zip.write_all(bytes)
    };
    put(DOCUMENT, document)?;
    let rows: Vec<Row> = attachments.iter().map(Row::of).collect();
    put(ROWS, &serde_json::to_vec(&rows)?)?;
    for (number, attachment) in attachments.iter().enumerate() {
        put(&entry_name(number), attachment.bytes())?;
    }
    let file = zip.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.sync_all()
}

/// The new name is on disk as well.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

struct Contents {
    zip: ZipArchive<BufReader<File>>,
    /// What entries that are still to be read can hold together, unless they share bytes.
    bytes_left: u64,
}

impl Contents {
    fn check_entries(&mut self) -> Result<()> {
        if self.zip.len() > ARCHIVE_ATTACHMENTS_MAX + 2 {
            let message = format!("it has more than {ARCHIVE_ATTACHMENTS_MAX} attachments");
            return Err(fault(message));
        }
        if self.zip.has_overlapping_entries().map_err(fault)? {
            return Err(fault("entries of it share bytes"));
        }
        Ok(())
    }

    /// An entry's bytes.
    fn take(&mut self, name: &str) -> Result<Vec<u8>> {
        let mut entry =
            self.zip.by_name(name).map_err(|error| fault(format!("{name}: {error}")))?;
        let size = entry.size();
        if entry.compression() != CompressionMethod::Stored || entry.compressed_size() != size {
            return Err(fault(format!("{name} is compressed")));
        }
        self.bytes_left = self.bytes_left.checked_sub(size).ok_or_else(|| {
            fault(format!("{name} is said to have more bytes than the file has left"))
        })?;
        let length = usize::try_from(size).map_err(fault)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|_| {
            Error::new(Status::ResourceExhausted, format!("no memory for {size} bytes of {name}"))
        })?;
        let read = entry.by_ref().take(size + 1).read_to_end(&mut bytes);
        read.map_err(|error| fault(format!("{name}: {error}")))?;
        if bytes.len() == length {
            return Ok(bytes);
        }
        Err(fault(format!("{name} has {} bytes, expected {length}", bytes.len())))
    }
}

/// What an attachment's bytes are.
#[derive(Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Row {
    Blob {},
    Tensor { dtype: String, shape: Vec<i64> },
}

impl Row {
    fn of(attachment: &Attachment) -> Self {
        match attachment {
            Attachment::Blob(_) => Row::Blob {},
            Attachment::Tensor(tensor) => Row::Tensor {
                dtype: tensor.dtype().name().to_owned(),
                shape: tensor.shape().to_vec(),
            },
        }
    }

    fn attachment(self, bytes: Vec<u8>) -> Result<Attachment> {
        match self {
            Row::Blob {} => Ok(Attachment::Blob(bytes.into())),
            Row::Tensor { dtype, shape } => {
                let known = DType::from_name(&dtype);
                let dtype = known.ok_or_else(|| fault(format!("no dtype {dtype:?} is known")))?;
                Tensor::new(dtype, shape, bytes).map(Attachment::Tensor)
            }
        }
    }
}

fn entry_name(number: usize) -> String {
    format!("attachments/{number}")
}

fn io_fault(done: &str, path: &Path, error: &std::io::Error) -> Error {
    let message = format!("session archive {path:?} cannot be {done}: {error}");
    Error::new(Status::of_io(error), message).with("field", "path")
}

const DOCUMENT: &str = "session.json";
const ROWS: &str = "attachments.json";
const OWNER_ONLY: u32 = 0o600;
/// From here on sizes need the long form.
const LARGE_BYTES: usize = u32::MAX as usize;
