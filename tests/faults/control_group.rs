//! A control group for a scenario, in whichever of the two hierarchies the machine lets us write;
//! none where it lets us write neither. It is made from outside: the product is not asked.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Pid;

/// Removed when it is dropped; its processes have to be gone by then.
pub struct Group {
    directory: PathBuf,
}

/// Where a controller's directory and its limit are, in the first hierarchy and in the second.
type Places = [(&'static str, &'static str); 2];

pub const MEMORY_BYTES: Places = [("memory", "memory.limit_in_bytes"), ("unified", "memory.max")];
pub const CPU_SHARES: Places = [("cpu", "cpu.shares"), ("unified", "cpu.weight")];
pub const PROCESSES: Places = [("pids", "pids.max"), ("unified", "pids.max")];

impl Group {
    /// A new group with this limit.
    pub fn new(places: Places, limit: u64) -> Option<Group> {
        let name = format!("snakepit-test-{}", std::process::id());
        let found = places.into_iter().find_map(|(hierarchy, file)| {
            let directory = PathBuf::from("/sys/fs/cgroup").join(hierarchy).join(&name);
            std::fs::create_dir(&directory).ok()?;
            let group = Group { directory };
            std::fs::write(group.directory.join(file), limit.to_string()).ok()?;
            Some(group)
        });
        if found.is_none() {
            println!("skipped: no control group can be made here");
        }
        found
    }

    /// Moves a process into it. What it has taken before does not count.
    pub fn add(&self, process: Pid) {
        let number = process.as_raw_nonzero().to_string();
        std::fs::write(self.directory.join("cgroup.procs"), number).unwrap();
    }

    /// How many processes are in it.
    pub fn len(&self) -> usize {
        let list = std::fs::read_to_string(self.directory.join("cgroup.procs")).unwrap();
        list.lines().count()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while std::fs::remove_dir(&self.directory).is_err() {
            assert!(Instant::now() < deadline, "{:?} stays", self.directory);
            std::thread::yield_now();
        }
    }
}
