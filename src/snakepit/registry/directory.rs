//! A directory that is our user's alone and has one owner, who holds a lock on it: the kernel gives
//! the lock back when the owner dies, however it dies.
//!
//! Everything in it goes through its descriptor, so that a path that was exchanged meanwhile leads
//! nowhere. The lock is on the directory itself, which also keeps systemd-tmpfiles from cleaning
//! it. A child that the owner forked without exec holds it, too.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags, Stat, fchmod, flock,
    fstat, openat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

/// An open one.
pub(super) struct Directory {
    path: PathBuf,
    fd: OwnedFd,
}

impl Directory {
    /// Makes `draft`, locks it, has it filled and then gives it the name `path`: under that name it
    /// is never seen without its lock and its first contents.
    pub fn create(
        draft: &Path,
        path: &Path,
        fill: impl FnOnce(&Directory) -> io::Result<()>,
    ) -> io::Result<Directory> {
        rustix::fs::mkdir(draft, Mode::RWXU)?;
        let made = Directory::found(draft, path, fill);
        if made.is_err() {
            // It may hold one file by now, if it is still there.
            let _ = std::fs::remove_dir_all(draft);
        }
        made
    }

    fn found(
        draft: &Path,
        path: &Path,
        fill: impl FnOnce(&Directory) -> io::Result<()>,
    ) -> io::Result<Directory> {
        let mut directory = Directory { path: draft.to_owned(), fd: open(draft)? };
        // Whatever the umask has left of the mode.
        fchmod(&directory.fd, Mode::RWXU)?;
        directory.check()?;
        if !directory.try_lock()? {
            return Err(io::Error::other("somebody else has locked it"));
        }
        fill(&directory)?;
        renameat_with(CWD, draft, CWD, path, RenameFlags::NOREPLACE)?;
        path.clone_into(&mut directory.path);
        Ok(directory)
    }

    /// Opens the one at `path`. Fails for what is not a directory of ours alone, or a link.
    pub fn open(path: &Path) -> io::Result<Directory> {
        let directory = Directory { path: path.to_owned(), fd: open(path)? };
        directory.check()?;
        Ok(directory)
    }

    /// False if another holds the lock. It is given back when the last copy of the descriptor is
    /// closed.
    pub fn try_lock(&self) -> io::Result<bool> {
        match flock(&self.fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the file `name`. It must not be there.
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)?;
        File::from(file).write_all(bytes)
    }

    /// The file `name`, if it is no longer than a note may be.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.fd, name, flags, Mode::empty())?;
        let mut bytes = Vec::new();
        File::from(file).take(NOTE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// One that is gone already is fine.
    pub fn remove_file(&self, name: &str) {
        if let Err(error) = unlinkat(&self.fd, name, AtFlags::empty())
            && error != Errno::NOENT
        {
            tracing::warn!(path = %self.path.display(), name, %error, "cannot remove a file");
        }
    }

    /// The names in it. Those that are no text are left out.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            if let Ok(name) = entry?.file_name().to_str()
                && name != "."
                && name != ".."
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Removes its files and itself. One that somebody has removed or replaced is left as it is.
    pub fn remove(&self) -> io::Result<()> {
        for name in self.names()? {
            self.remove_file(&name);
        }
        if self.is_in_place()? {
            rustix::fs::rmdir(&self.path)?;
        }
        Ok(())
    }

    /// False if the path leads elsewhere by now.
    pub fn is_in_place(&self) -> io::Result<bool> {
        let (own, there) = (fstat(&self.fd)?, statat(CWD, &self.path, AtFlags::SYMLINK_NOFOLLOW));
        Ok(there.is_ok_and(|there| there.st_dev == own.st_dev && there.st_ino == own.st_ino))
    }

    fn check(&self) -> io::Result<()> {
        if is_ours_alone(&fstat(&self.fd)?) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not ours alone"))
    }
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(CWD, path, flags, Mode::empty())?)
}

fn is_ours_alone(facts: &Stat) -> bool {
    let ours = facts.st_uid == rustix::process::geteuid().as_raw();
    let mode = Mode::from_raw_mode(facts.st_mode);
    let kind = FileType::from_raw_mode(facts.st_mode);
    ours && kind == FileType::Directory && mode.bits() & 0o777 == 0o700
}

/// Far above what is ever written.
const NOTE_BYTES_MAX: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn made(base: &Path) -> Directory {
        let fill = |directory: &Directory| directory.write("note", b"text");
        Directory::create(&base.join(".draft"), &base.join("own"), fill).unwrap()
    }

    #[test]
    fn it_appears_locked_and_filled_and_goes_with_all_its_files() {
        let base = tempfile::tempdir().unwrap();
        let directory = made(base.path());
        let mode = base.path().join("own").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
        assert_eq!(directory.read("note").unwrap(), b"text");
        assert!(directory.write("note", b"other").is_err(), "a file is never overwritten");
        let other = Directory::open(&base.path().join("own")).unwrap();
        assert!(!other.try_lock().unwrap());
        directory.remove().unwrap();
        assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 0);
        assert!(directory.write("late", b"").is_err());
        drop(directory);
        assert!(other.try_lock().unwrap(), "the lock goes with its owner");
        assert!(!other.is_in_place().unwrap());
        other.remove().unwrap();
    }

    #[test]
    fn a_name_that_is_taken_leaves_no_draft() {
        let base = tempfile::tempdir().unwrap();
        let _first = made(base.path());
        let second =
            Directory::create(&base.path().join(".b"), &base.path().join("own"), |_| Ok(()));
        assert!(second.is_err());
        assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_ours_alone_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("own");
        let directory = made(base.path());
        std::os::unix::fs::symlink(&path, base.path().join("link")).unwrap();
        assert!(Directory::open(&base.path().join("link")).is_err());
        std::fs::write(base.path().join("file"), "").unwrap();
        assert!(Directory::open(&base.path().join("file")).is_err());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o750)).unwrap();
        assert!(Directory::open(&path).is_err());
        // Replaced by another of the same name: that one is not touched.
        std::fs::rename(&path, base.path().join("moved")).unwrap();
        std::fs::create_dir(&path).unwrap();
        directory.remove().unwrap();
        assert!(path.is_dir() && base.path().join("moved").is_dir());
    }
}
