//! The worker's own control group: made below the host's, with the limits that the description
//! asks for, and removed when the tree is gone.
//!
//! Version 1 and 2, whichever governs a controller here. The guard itself stays outside, so that no
//! limit of the worker's can stop it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::super::os::Cgroups;
use super::super::spec::{CgroupLimits, ResourceLimits};

/// The directories of one worker's group. Dropping it removes them; they must be empty by then.
pub(super) struct Group {
    directories: Vec<PathBuf>,
}

impl Group {
    /// The group that `limits` ask for; `None` if they ask for none, or it cannot be had and need
    /// not be, which is noted in the worker's standard error. Otherwise what failed, in words.
    pub fn make(limits: &ResourceLimits) -> Result<Option<Group>, String> {
        let Some(wanted) = &limits.cgroup else { return Ok(None) };
        let mut group = Group { directories: Vec::new() };
        match group.build(&Cgroups::of(std::process::id()), wanted) {
            Ok(()) => Ok(Some(group)),
            Err(error) if wanted.required => Err(format!("control group: {error}")),
            Err(error) => {
                eprintln!("snakepit-guard: the worker runs without a control group: {error}");
                Ok(None)
            }
        }
    }

    /// Open files; a process that writes `0` into each is a member.
    pub fn doors(&self) -> io::Result<Vec<OwnedFd>> {
        let door = |directory: &PathBuf| {
            let file = OpenOptions::new().write(true).open(directory.join(MEMBERS));
            file.map(OwnedFd::from)
        };
        self.directories.iter().map(door).collect()
    }

    /// Takes in a process that runs already, with what it starts from now on.
    pub fn adopt(&self, pid: u32) -> Result<(), String> {
        let mut members = self.directories.iter().map(|directory| directory.join(MEMBERS));
        members.try_for_each(|file| write(&file, &pid.to_string()))
    }

    /// Kills every member at once, where the kernel can.
    pub fn kill(&self) {
        for directory in &self.directories {
            let _ = write(&directory.join("cgroup.kill"), "1");
        }
    }

    /// Whether the out-of-memory killer has killed a member.
    pub fn has_oom_kills(&self) -> bool {
        let files = ["memory.oom_control", "memory.events.local", "memory.events"];
        let mut all = self.directories.iter().flat_map(|at| files.map(|name| at.join(name)));
        all.any(|file| super::super::os::oom_kills(&file).is_some_and(|kills| kills > 0))
    }

    fn build(&mut self, own: &Cgroups, wanted: &CgroupLimits) -> Result<(), String> {
        // Also without a controller: its members can be killed at once.
        let unified = own.unified.as_deref().map(|parent| {
            let _ = write(&parent.join("cgroup.subtree_control"), "+memory +pids +cpu");
            self.directory(parent)
        });
        for setting in settings(wanted) {
            let (file, value) = match (own.controller(setting.controller), &unified) {
                (Some(parent), _) => (self.directory(parent)?.join(setting.old_file), setting.old),
                (None, Some(Ok(group))) => (group.join(setting.file), setting.value),
                (None, Some(Err(error))) => return Err(error.clone()),
                (None, None) => return Err(format!("no {} controller", setting.controller)),
            };
            write(&file, &value)?;
        }
        // Memory that may be swapped out instead is no limit; not every kernel accounts for it.
        if let Some(bytes) = wanted.memory_bytes {
            for directory in &self.directories {
                let _ = write(&directory.join("memory.memsw.limit_in_bytes"), &bytes.to_string());
                let _ = write(&directory.join("memory.swap.max"), "0");
            }
        }
        Ok(())
    }

    /// Our directory below `parent`, made if it is not there yet.
    fn directory(&mut self, parent: &Path) -> Result<PathBuf, String> {
        let own = parent.join(format!("{PREFIX}{}", std::process::id()));
        if self.directories.contains(&own) {
            return Ok(own);
        }
        sweep(parent);
        fs::create_dir(&own).map_err(|error| format!("make {}: {error}", own.display()))?;
        self.directories.push(own.clone());
        Ok(own)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for directory in &self.directories {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// One limit in the words of both versions.
struct Setting {
    controller: &'static str,
    file: &'static str,
    value: String,
    old_file: &'static str,
    old: String,
}

fn settings(wanted: &CgroupLimits) -> Vec<Setting> {
    let setting = |controller, file, value: String, old_file, old| Setting {
        controller,
        file,
        value,
        old_file,
        old,
    };
    let memory = wanted.memory_bytes.map(|bytes| {
        let bytes = bytes.to_string();
        setting("memory", "memory.max", bytes.clone(), "memory.limit_in_bytes", bytes)
    });
    let pids = wanted
        .processes
        .map(|count| setting("pids", "pids.max", count.to_string(), "pids.max", count.to_string()));
    let cpu = wanted.cpu_percent.map(|percent| {
        let quota = u64::from(percent) * CPU_PERIOD_US / 100;
        let both = format!("{quota} {CPU_PERIOD_US}");
        setting("cpu", "cpu.max", both, "cpu.cfs_quota_us", quota.to_string())
    });
    [memory, pids, cpu].into_iter().flatten().collect()
}

/// Removes what killed guards have left: only groups without a member can be removed.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        let own = std::process::id();
        if pid.is_some_and(|pid| pid == own || !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let written = File::options().write(true).open(path).and_then(|mut file| {
        use std::io::Write;
        file.write_all(text.as_bytes())
    });
    written.map_err(|error| format!("write {text:?} to {}: {error}", path.display()))
}

const MEMBERS: &str = "cgroup.procs";
/// Followed by the guard's process id.
const PREFIX: &str = "snakepit-";
/// The kernel's own period, in both versions.
const CPU_PERIOD_US: u64 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_said_in_the_words_of_both_versions() {
        let wanted = CgroupLimits {
            memory_bytes: Some(1 << 20),
            processes: Some(64),
            cpu_percent: Some(150),
            required: true,
        };
        let said: Vec<_> = settings(&wanted)
            .into_iter()
            .map(|s| format!("{}={} {}={}", s.file, s.value, s.old_file, s.old))
            .collect();
        let expected = [
            "memory.max=1048576 memory.limit_in_bytes=1048576",
            "pids.max=64 pids.max=64",
            "cpu.max=150000 100000 cpu.cfs_quota_us=150000",
        ];
        assert_eq!(said, expected);
        assert!(settings(&CgroupLimits::default()).is_empty());
    }
}
