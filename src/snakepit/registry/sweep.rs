//! At a start: cleans what instances left behind whose owner was killed.
//!
//! An instance is dead when nobody holds the lock on its directory; no process id is asked. A
//! living one is not touched, nor one that is just being made: that has its lock before its name.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::directory::Directory;
use super::hunt::{Bag, Quarry};
use super::mark::Mark;
use super::notes::{GuardNote, HostNote, boot};
use super::processes;

/// Sweeps all dead instances of our user below `base`, each within `limit`. What cannot be cleaned
/// is left for the next start, with a word in the log.
pub(super) fn sweep(base: &Path, user: u32, limit: Duration) {
    for path in candidates(base, &format!("spb-{user}-")) {
        match Directory::open(&path).and_then(|directory| clean(&directory, limit)) {
            Ok(None) => {}
            Ok(Some(bag)) => report(&path, &bag),
            // Another was faster, or it is no directory of ours: nothing to do.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot sweep a run directory");
            }
        }
    }
    for path in candidates(base, &format!(".spb-{user}-")) {
        if !maker_lives(&path) {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

/// `None` if it has an owner, or is gone.
fn clean(directory: &Directory, limit: Duration) -> io::Result<Option<Bag>> {
    // Held until the directory is gone, so that no two sweep the same.
    if !directory.try_lock()? || !directory.is_in_place()? {
        return Ok(None);
    }
    let bag = match HostNote::read(directory) {
        Ok(host) if host.boot == boot()? => {
            let guards = GuardNote::read_all(directory)?;
            Quarry::new(Mark::Instance(host.marker.clone()), guards, &host)?.hunt(limit)?
        }
        // Of an earlier life of the system, or without a note, which was there from the beginning:
        // somebody has begun to remove it.
        _ => Bag::default(),
    };
    if bag.left == 0 {
        directory.remove()?;
    }
    Ok(Some(bag))
}

fn report(path: &Path, Bag { killed, left }: &Bag) {
    let path = path.display();
    if *left > 0 {
        tracing::warn!(%path, killed, left, "a dead instance's processes do not end");
    } else {
        tracing::info!(%path, killed, "swept what a dead instance had left");
    }
}

fn candidates(base: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(base) else { return Vec::new() };
    let named = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)));
    named.map(|entry| entry.path()).collect()
}

/// Whether the process that a draft's name tells of is still making it.
fn maker_lives(draft: &Path) -> bool {
    let name = draft.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut parts = name.split('-').skip(2);
    let maker = parts.next().and_then(|pid| pid.parse().ok()).and_then(processes::find);
    let started = parts.next().and_then(|ticks| ticks.parse::<u64>().ok());
    maker.is_some_and(|maker| Some(maker.started_ticks) == started)
}
