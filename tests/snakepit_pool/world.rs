//! What is there outside: processes that carry a mark, descriptors, threads.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A mark that no other test's processes carry.
pub fn fresh_mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}{}.", mark_of(std::process::id()), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What all marks made by a process begin with.
pub fn mark_of(pid: u32) -> String {
    format!("snakepit-test-{pid}-")
}

/// The living processes with `mark` in their environment or on their command line, this one
/// excepted.
pub fn marked(mark: &str) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        if pid == std::process::id() {
            continue;
        }
        let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let command = read("cmdline");
        let text = [read("environ"), command.clone()].concat();
        if text.windows(mark.len()).any(|part| part == mark.as_bytes()) {
            found.push((pid, String::from_utf8_lossy(&command).replace('\0', " ")));
        }
    }
    found
}

/// Waits until no process carries `mark`; how long that took.
pub fn wait_clean(mark: &str, limit: Duration) -> Duration {
    let began = Instant::now();
    loop {
        let left = marked(mark);
        if left.is_empty() {
            return began.elapsed();
        }
        assert!(began.elapsed() < limit, "still there after {limit:?}: {left:?}");
        std::thread::yield_now();
    }
}

/// Waits until `condition` holds.
pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Descriptors, threads and children of this process.
#[derive(Debug, Eq, PartialEq)]
pub struct World {
    fds: Vec<PathBuf>,
    threads: usize,
    children: String,
}

impl World {
    pub fn now() -> World {
        let count = |path: &str| std::fs::read_dir(path).unwrap().count();
        let mut fds: Vec<PathBuf> = std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .flatten()
            .filter_map(|entry| std::fs::read_link(entry.path()).ok())
            // The descriptor of this very listing.
            .filter(|target| !target.to_string_lossy().starts_with("/proc/"))
            .collect();
        fds.sort();
        let own = std::process::id();
        let children = std::fs::read_to_string(format!("/proc/self/task/{own}/children")).unwrap();
        World { fds, threads: count("/proc/self/task"), children }
    }
}

/// A set of signals from `/proc/self/status`.
pub fn signals(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}
