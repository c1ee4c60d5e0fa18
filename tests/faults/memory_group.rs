//! A memory control group for a scenario, in whichever of the two hierarchies the machine lets us
//! write; none where it lets us write neither.

use std::path::PathBuf;

use rustix::process::Pid;

/// Removed when it is dropped; its processes have to be gone by then.
pub struct Group {
    directory: PathBuf,
}

impl Group {
    /// A new group with this limit.
    pub fn new(bytes: u64) -> Option<Group> {
        let name = format!("snakepit-test-{}", std::process::id());
        let places = [("memory", "memory.limit_in_bytes"), ("unified", "memory.max")];
        let found = places.into_iter().find_map(|(hierarchy, limit)| {
            let directory = PathBuf::from("/sys/fs/cgroup").join(hierarchy).join(&name);
            std::fs::create_dir(&directory).ok()?;
            let group = Group { directory };
            std::fs::write(group.directory.join(limit), bytes.to_string()).ok()?;
            Some(group)
        });
        if found.is_none() {
            println!("skipped: no memory control group can be made here");
        }
        found
    }

    /// Moves a process into it. What it has taken before does not count.
    pub fn add(&self, process: Pid) {
        let number = process.as_raw_nonzero().to_string();
        std::fs::write(self.directory.join("cgroup.procs"), number).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while std::fs::remove_dir(&self.directory).is_err() {
            assert!(std::time::Instant::now() < deadline, "{:?} stays", self.directory);
            std::thread::yield_now();
        }
    }
}
