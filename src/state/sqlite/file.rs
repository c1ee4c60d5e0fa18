//! The file of an SQLite store: made with its schema, or opened when it is ours and nobody has it.
//!
//! The lock on it is the kernel's: it goes with the process, however that ends. What the tables
//! mean is known to `rows` and `rolls`.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::core::limits::SQLITE_LOG_BYTES_MAX;
use crate::core::{Error, Result, Status};

use super::trouble::told;

/// The path that never depends on where the process stands later.
pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| unopened(path, &error))
}

/// Opens or makes the file at an absolute path, and owns it until the connection is dropped. `Busy`
/// when somebody has it, `Unsupported` for a schema of another version, `Store` for what is no
/// store. `pages_max` limits its size.
pub(super) fn open(path: &Path, pages_max: Option<u32>) -> Result<Connection> {
    make(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|error| told(path, &error))?;
    own(&connection, path)?;
    prepare(&connection, pages_max).map_err(|error| told(path, &error))?;
    let mode: String = connection
        .query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))
        .map_err(|error| told(path, &error))?;
    if mode == "wal" {
        return Ok(connection);
    }
    let message = format!("store {path:?}: journal mode is {mode:?}, expected \"wal\"");
    Err(Error::new(Status::Store, message))
}

/// Writes what is there already, as a transaction of its own.
pub(super) fn touch(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!("PRAGMA user_version={VERSION}"))
}

/// An empty file that only this user can read. One that is there is not touched: closing it would
/// give back the locks of another store of this process.
fn make(path: &Path) -> Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(unopened(path, &error)),
    }
}

/// Takes the lock and makes the schema, or finds that the file has it.
fn own(connection: &Connection, path: &Path) -> Result<()> {
    let failed = |error| told(path, &error);
    connection.busy_timeout(std::time::Duration::ZERO).map_err(failed)?;
    connection.execute_batch("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE;").map_err(failed)?;
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id").map_err(failed)?;
    let version = number("PRAGMA user_version").map_err(failed)?;
    let tables = number("SELECT count(*) FROM sqlite_schema").map_err(failed)?;
    match (application, version, tables) {
        (0, 0, 0) => connection.execute_batch(SCHEMA).map_err(failed)?,
        (APPLICATION, VERSION, _) => {}
        (APPLICATION, ..) => {
            let message = format!(
                "store {path:?} has schema version {version}, this build reads version {VERSION}"
            );
            let error = Error::new(Status::Unsupported, message);
            return Err(error.with("version", version).with("supported", VERSION));
        }
        _ => {
            let message = format!("store {path:?} is a database of another application");
            return Err(Error::new(Status::Store, message));
        }
    }
    connection.execute_batch("COMMIT").map_err(failed)
}

fn prepare(connection: &Connection, pages_max: Option<u32>) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // FULL: a commit returns when the log is on the disk, so it outlasts a loss of power as well.
    connection.execute_batch(&format!(
        "PRAGMA synchronous=FULL; PRAGMA cache_size=-{PAGE_CACHE_KIB}; PRAGMA temp_store=MEMORY;
         PRAGMA journal_size_limit={SQLITE_LOG_BYTES_MAX}; PRAGMA trusted_schema=OFF;"
    ))?;
    match pages_max {
        Some(pages) => connection.execute_batch(&format!("PRAGMA max_page_count={pages}")),
        None => Ok(()),
    }
}

fn unopened(path: &Path, error: &std::io::Error) -> Error {
    let status = match Status::of_io(error) {
        Status::ResourceExhausted => Status::ResourceExhausted,
        _ => Status::Store,
    };
    Error::new(status, format!("store {path:?}: the file cannot be opened ({error})"))
        .with("path", path.display().to_string())
}

/// "spb1": says whose file it is, to `file` as well as to us.
const APPLICATION: i64 = 0x7370_6231;
/// Of the tables below; a change of them is a new number.
const VERSION: i64 = 1;
/// All that the store has, and some.
const STATEMENTS_MAX: usize = 64;
/// Pages of the file that are kept in memory.
const PAGE_CACHE_KIB: u32 = 16 * 1024;

/// Contents hold each value that is kept, the current one and earlier ones: a write adds a row and
/// moves none. What is looked at most stands first in a row, blobs last, so that they are not read
/// on the way.
const SCHEMA: &str = "
PRAGMA application_id=1936745009;
PRAGMA user_version=1;
CREATE TABLE sessions (
    incarnation INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    ttl_ms INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    variables INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    affinity TEXT NOT NULL,
    metadata BLOB NOT NULL
) STRICT;
CREATE TABLE variables (
    incarnation INTEGER NOT NULL,
    name TEXT NOT NULL,
    id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    type TEXT NOT NULL,
    constraints BLOB NOT NULL,
    metadata BLOB NOT NULL,
    PRIMARY KEY (incarnation, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE contents (
    incarnation INTEGER NOT NULL,
    id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    attachments INTEGER NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (incarnation, id, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE attachments (
    incarnation INTEGER NOT NULL,
    id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    number INTEGER NOT NULL,
    dtype TEXT,
    shape TEXT,
    data BLOB NOT NULL,
    PRIMARY KEY (incarnation, id, version, number)
) STRICT, WITHOUT ROWID;
";
