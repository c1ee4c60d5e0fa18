//! Whether the kernel's out-of-memory killer was at work where a worker lives, about when it was
//! killed.
//!
//! The counter is one for a whole group, so a rise says nothing of whom it has hit: only one seen
//! between the last looks at it counts.

use std::path::PathBuf;

use super::super::os::{self, Cgroups};

/// A counter, and what it said the last two times.
pub(super) struct OomWatch {
    file: PathBuf,
    older: u64,
    newer: u64,
}

impl OomWatch {
    /// Of the group that `worker` lives in.
    pub fn begin(worker: u32) -> Option<OomWatch> {
        let file = Cgroups::of(worker).oom_file()?;
        let now = os::oom_kills(&file)?;
        Some(OomWatch { file, older: now, newer: now })
    }

    /// Time has passed.
    pub fn look(&mut self) {
        // Twice removed: a kill may be counted before its victim's end is heard of.
        self.older = self.newer;
        self.newer = os::oom_kills(&self.file).unwrap_or(self.newer);
    }

    /// Whether somebody was killed since the look before the last.
    pub fn has_struck(&self) -> bool {
        os::oom_kills(&self.file).is_some_and(|now| now > self.older)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_recent_rise_counts() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let count =
            |kills: u64| std::fs::write(file.path(), format!("oom_kill {kills}\n")).unwrap();
        count(4);
        let mut watch = OomWatch { file: file.path().to_owned(), older: 4, newer: 4 };
        assert!(!watch.has_struck());
        count(5);
        assert!(watch.has_struck());
        watch.look();
        assert!(watch.has_struck(), "it may have been ours: its end is not heard of yet");
        watch.look();
        assert!(!watch.has_struck());
    }
}
