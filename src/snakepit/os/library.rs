//! Where this library's own file lies, which is where its helper programs are looked for.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The directory of the shared object (or program) that this code was loaded from; `None` if the
/// loader cannot tell.
#[expect(unsafe_code, reason = "the dynamic loader is asked in C")]
pub fn library_dir() -> Option<PathBuf> {
    // SAFETY: all-zero is a valid `Dl_info`, a struct of plain pointers.
    let mut facts: libc::Dl_info = unsafe { std::mem::zeroed() };
    let symbol: fn() -> Option<PathBuf> = library_dir;
    // SAFETY: the address is one of our own code, and `facts` is valid for the write.
    let found = unsafe { libc::dladdr(symbol as *const libc::c_void, &raw mut facts) };
    if found == 0 || facts.dli_fname.is_null() {
        return None;
    }
    // SAFETY: the loader's name of a loaded object is NUL-terminated, and lives as long as the
    // object, which holds the code that runs here.
    let name = unsafe { CStr::from_ptr(facts.dli_fname) };
    let path = Path::new(OsStr::from_bytes(name.to_bytes()));
    // A program started by a relative name is known to the loader by that name only.
    let path = path.canonicalize().ok().or_else(|| std::env::current_exe().ok())?;
    path.parent().map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_directory_is_the_test_programs_own() {
        let own = std::env::current_exe().unwrap().canonicalize().unwrap();
        assert_eq!(super::library_dir().as_deref(), own.parent());
    }
}
