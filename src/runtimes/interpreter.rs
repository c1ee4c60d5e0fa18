//! Which Python a pool runs: a path as it is given, or a name looked up in the host's `PATH`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::core::{Error, Result, Status};

/// The interpreter's path. `Unavailable` names where it was looked for.
pub fn find(configured: &str, search_path: Option<&OsStr>) -> Result<PathBuf> {
    if configured.contains('/') {
        return existing(Path::new(configured))
            .ok_or_else(|| missing(configured, "no such executable file"));
    }
    let directories = std::env::split_paths(search_path.unwrap_or_default());
    directories
        .filter_map(|directory| existing(&directory.join(configured)))
        .next()
        .ok_or_else(|| missing(configured, "not in any directory of PATH"))
}

fn existing(path: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let facts = std::fs::metadata(path).ok()?;
    (facts.is_file() && facts.permissions().mode() & 0o111 != 0).then(|| path.to_path_buf())
}

fn missing(configured: &str, why: &str) -> Error {
    let message = format!("python interpreter {configured:?}: {why}");
    Error::new(Status::Unavailable, message).with("field", "python").retryable(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_and_a_path_is_taken() {
        assert_eq!(find("/bin/sh", None).unwrap(), Path::new("/bin/sh"));
        let found = find("sh", Some(OsStr::new("/nowhere:/bin"))).unwrap();
        assert_eq!(found, Path::new("/bin/sh"));
        for (name, path) in [("/bin/nope", None), ("sh", Some("/nowhere")), ("sh", None)] {
            let error = find(name, path.map(OsStr::new)).unwrap_err();
            assert_eq!(error.status(), Status::Unavailable);
        }
    }
}
