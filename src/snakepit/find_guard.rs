//! Where the guard program is: named, or beside the library that uses it.

use std::path::{Path, PathBuf};

use super::error::Failure;

/// The guard's path: `configured` if it is given, otherwise beside the library or in the `libexec`
/// next to its directory. The failure lists every place that was looked at.
pub fn find_guard(
    configured: Option<&Path>,
    library_dir: Option<&Path>,
) -> Result<PathBuf, Failure> {
    let places = match (configured, library_dir) {
        (Some(path), _) => vec![path.to_path_buf()],
        (None, Some(dir)) => vec![dir.join(PROGRAM), dir.join("../libexec").join(PROGRAM)],
        (None, None) => Vec::new(),
    };
    if let Some(found) = places.iter().find(|place| is_program(place)) {
        return Ok(found.clone());
    }
    let looked: Vec<String> = places.iter().map(|place| format!("{}", place.display())).collect();
    let looked = if looked.is_empty() { "nowhere to look".to_owned() } else { looked.join(", ") };
    Err(Failure::new(format!("{PROGRAM} is not there or not executable; looked at: {looked}")))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

const PROGRAM: &str = "snakepit-guard";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_nearest_place_wins_and_a_configured_path_has_no_substitute() {
        let root = tempfile::tempdir().unwrap();
        let lib = root.path().join("lib");
        let libexec = root.path().join("libexec");
        std::fs::create_dir_all(&lib).unwrap();
        std::fs::create_dir_all(&libexec).unwrap();

        let error = find_guard(None, Some(&lib)).unwrap_err().to_string();
        for place in ["lib/snakepit-guard", "lib/../libexec/snakepit-guard"] {
            assert!(error.contains(place), "{error}");
        }
        let program = |path: &Path| {
            std::fs::write(path, "").unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        program(&libexec.join(PROGRAM));
        assert_eq!(find_guard(None, Some(&lib)).unwrap(), lib.join("../libexec").join(PROGRAM));
        program(&lib.join(PROGRAM));
        assert_eq!(find_guard(None, Some(&lib)).unwrap(), lib.join(PROGRAM));

        let absent = root.path().join("absent");
        let error = find_guard(Some(&absent), Some(&lib)).unwrap_err().to_string();
        assert!(error.contains("absent") && !error.contains("libexec"), "{error}");
        assert!(find_guard(None, None).is_err());
        // There, but not executable.
        std::fs::write(&absent, "").unwrap();
        assert!(find_guard(Some(&absent), None).is_err());
    }
}
