//! What `/proc` says of processes: their children, their parents, their memory.
//!
//! Every answer is of a moment that has passed when it is read; callers who need more ask again, or
//! hold the process by a pidfd.

use std::fs;

/// The children of `pid`, zombies included. The list may miss some while they come and go.
pub fn children_of(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let mut children = Vec::new();
    for thread in threads.flatten() {
        match fs::read_to_string(thread.path().join("children")) {
            Ok(list) => children.extend(list.split_ascii_whitespace().filter_map(number)),
            // A thread that has just ended, or a kernel that keeps no such list.
            Err(_) if !thread.path().exists() => {}
            Err(_) => return children_by_parent(pid),
        }
    }
    children
}

/// Everything below `pid`, itself not included.
pub fn descendants_of(pid: u32) -> Vec<u32> {
    let mut found = children_of(pid);
    let mut seen = 0;
    while let Some(next) = found.get(seen).copied() {
        seen += 1;
        // A number that is reused while we look must not lead us round in circles.
        let new: Vec<u32> =
            children_of(next).into_iter().filter(|child| !found.contains(child)).collect();
        found.extend(new);
    }
    found
}

/// Whether `pid` is `ancestor` or descends from it. False for processes that are not there.
pub fn is_of_family(pid: u32, ancestor: u32) -> bool {
    let mut at = Some(pid);
    for _ in 0..DEPTH_MAX {
        match at {
            Some(number) if number == ancestor => return true,
            Some(number) if number > 1 => at = parent_of(number),
            _ => return false,
        }
    }
    false
}

/// Memory that `pid` has in RAM, pages that it shares with others counted in full. One short file.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// As `resident_bytes`, with shared pages divided among those who share them. The kernel walks the
/// whole address space for it: milliseconds for a process of gigabytes.
pub fn proportional_bytes(pid: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn children_by_parent(parent: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter_map(|name| number(&name)).filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; what follows the last one is a state and the parent.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

/// Far more than scripts start each other; it ends a walk through numbers that change owners.
const DEPTH_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_of_its_own_and_of_its_parents_family_only() {
        let own = std::process::id();
        let parent = parent_of(own).unwrap();
        assert!(is_of_family(own, own));
        assert!(is_of_family(own, parent));
        assert!(is_of_family(own, 1) || parent == 0);
        assert!(!is_of_family(parent, own));
        assert!(!is_of_family(u32::MAX, own));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test needs children of its own")]
    fn a_family_is_found_whole_both_ways() {
        let script = "sleep 60 & sleep 60 & echo; wait";
        let mut shell = std::process::Command::new("sh")
            .args(["-c", script])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = [0; 1];
        std::io::Read::read_exact(shell.stdout.as_mut().unwrap(), &mut line).unwrap();
        let below = descendants_of(shell.id());
        assert_eq!(below.len(), 2, "{below:?}");
        assert!(children_of(std::process::id()).contains(&shell.id()));
        let mut sorted = children_by_parent(shell.id());
        sorted.sort_unstable();
        assert_eq!(sorted, below);
        let resident = resident_bytes(shell.id()).unwrap();
        let proportional = proportional_bytes(shell.id()).unwrap();
        assert!(proportional > 0 && proportional <= resident, "{proportional} of {resident}");
        for pid in below {
            let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        shell.wait().unwrap();
        assert_eq!(resident_bytes(shell.id()), None);
        assert!(descendants_of(shell.id()).is_empty());
    }
}
