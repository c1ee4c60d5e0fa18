//! Where the control groups of a process lie, and how often the kernel's out-of-memory killer has
//! been at work there.
//!
//! It reads; groups are made and removed by the guard.

use std::fs;
use std::path::{Path, PathBuf};

/// The directories of one process's groups, as far as they are mounted where we can see them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Cgroups {
    /// Of version 2, which has one hierarchy for everything.
    pub unified: Option<PathBuf>,
    /// Of version 1: a controller's name and its directory.
    pub controllers: Vec<(String, PathBuf)>,
}

impl Cgroups {
    /// Those of the process `pid`.
    pub fn of(pid: u32) -> Cgroups {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Cgroups::parse(&groups, &mounts)
    }

    /// The directory where `controller` is governed by version 1.
    pub fn controller(&self, controller: &str) -> Option<&Path> {
        let mut known = self.controllers.iter();
        known.find(|(name, _)| name == controller).map(|(_, path)| path.as_path())
    }

    /// The file that counts whom the out-of-memory killer has killed here; where the group does
    /// not say, in the whole system.
    pub fn oom_file(&self) -> Option<PathBuf> {
        let files = [
            self.controller("memory").map(|path| path.join("memory.oom_control")),
            self.unified.as_ref().map(|path| path.join("memory.events.local")),
            self.unified.as_ref().map(|path| path.join("memory.events")),
            Some(PathBuf::from("/proc/vmstat")),
        ];
        files.into_iter().flatten().find(|path| oom_kills(path).is_some())
    }

    fn parse(groups: &str, mounts: &str) -> Cgroups {
        let mut found = Cgroups::default();
        for line in groups.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
            if controllers.is_empty() {
                found.unified = directory(mounts, "cgroup2", None, path);
                continue;
            }
            for controller in controllers.split(',') {
                if let Some(path) = directory(mounts, "cgroup", Some(controller), path) {
                    found.controllers.push((controller.to_owned(), path));
                }
            }
        }
        found
    }
}

/// The count in such a file; `None` if it is gone, or the kernel does not count.
pub fn oom_kills(file: &Path) -> Option<u64> {
    counter(&fs::read_to_string(file).ok()?, "oom_kill")
}

/// The number behind `name` in a file of names and numbers.
fn counter(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(key, _)| *key == name)?.1.trim().parse().ok()
}

/// Where the group `path` lies in the file system.
fn directory(mounts: &str, kind: &str, controller: Option<&str>, path: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        // "36 35 0:29 /root /mount/point options … - type source options"
        let (mount, system) = line.split_once(" - ")?;
        let mut system = system.split(' ');
        let options = (system.next() == Some(kind)).then(|| system.nth(1).unwrap_or_default())?;
        if controller.is_some_and(|name| !options.split(',').any(|option| option == name)) {
            return None;
        }
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?);
        // A group above what is mounted, as in a container, cannot be reached.
        let inside = Path::new(path).strip_prefix(root).ok()?;
        (!path.contains("/..")).then(|| Path::new(point).join(inside))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 /docker/ab /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
23 1 0:20 / /proc rw - proc proc rw";

    #[test]
    fn groups_are_found_where_they_are_mounted() {
        let groups = "9:memory:/a/b\n8:pids:/docker/ab/c\n7:cpu,cpuacct:/\n6:blkio:/x\n0::/u/v\n";
        let found = Cgroups::parse(groups, MOUNTS);
        assert_eq!(found.unified.as_deref(), Some(Path::new("/sys/fs/cgroup/unified/u/v")));
        let expected = [
            ("memory", "/sys/fs/cgroup/memory/a/b"),
            ("pids", "/sys/fs/cgroup/pids/c"),
            ("cpu", "/sys/fs/cgroup/cpu,cpuacct"),
            ("cpuacct", "/sys/fs/cgroup/cpu,cpuacct"),
        ];
        assert_eq!(found.controllers.len(), expected.len());
        for (name, path) in expected {
            // Components are compared: a path that ends in a slash names the same directory.
            assert_eq!(found.controller(name), Some(Path::new(path)), "{name}");
        }
    }

    #[test]
    fn a_group_out_of_reach_is_none() {
        for groups in ["8:pids:/elsewhere\n0::/../x", "", "nonsense"] {
            assert_eq!(Cgroups::parse(groups, MOUNTS), Cgroups::default(), "{groups}");
        }
    }

    #[test]
    fn kills_are_counted() {
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(counter(control, "oom_kill"), Some(3));
        assert_eq!(counter("low 0\n", "oom_kill"), None);
        let file = Cgroups::of(std::process::id()).oom_file().unwrap();
        assert!(oom_kills(&file).is_some());
    }
}
