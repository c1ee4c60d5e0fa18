//! The documents in an instance's directory: who its host is, and which guards there are. Data for
//! a later start to read; nothing is decided by them alone.

use std::io;

use super::directory::Directory;
use super::processes::{self, Process};

/// `instance.json`: the host.
#[derive(serde::Deserialize, serde::Serialize)]
pub(super) struct HostNote {
    pub marker: String,
    pub pid: i32,
    /// In ticks since the system's start, as the kernel counts it.
    pub started_ticks: u64,
    /// The host's sid and process group: others than workers are in them.
    pub sid: i32,
    pub group: i32,
    /// After another start of the system no process is the same any more.
    pub boot: String,
}

/// `guard-<number>.json`: a guard.
#[derive(serde::Deserialize, serde::Serialize)]
pub(super) struct GuardNote {
    /// `<marker>/<pool>/<worker>`, for people.
    pub worker: String,
    pub pid: i32,
    pub started_ticks: u64,
}

impl HostNote {
    /// Of this process.
    pub fn own(marker: &str) -> io::Result<HostNote> {
        let Process { pid, group, sid, started_ticks, .. } = processes::own()?;
        let boot = boot()?;
        Ok(HostNote { marker: marker.to_owned(), pid, started_ticks, sid, group, boot })
    }

    pub fn write(&self, directory: &Directory) -> io::Result<()> {
        directory.write(HOST, &serde_json::to_vec(self)?)
    }

    pub fn read(directory: &Directory) -> io::Result<HostNote> {
        Ok(serde_json::from_slice(&directory.read(HOST)?)?)
    }
}

impl GuardNote {
    /// Of the process `pid`, which must be a child that is not yet waited for, or held otherwise.
    pub fn new(worker: String, pid: u32) -> io::Result<GuardNote> {
        let pid = i32::try_from(pid).map_err(io::Error::other)?;
        let guard = processes::find(pid).ok_or_else(|| io::Error::other("the guard has ended"))?;
        Ok(GuardNote { worker, pid, started_ticks: guard.started_ticks })
    }

    pub fn write(&self, directory: &Directory, number: u64) -> io::Result<()> {
        directory.write(&file_name(number), &serde_json::to_vec(self)?)
    }

    pub fn remove(directory: &Directory, number: u64) {
        directory.remove_file(&file_name(number));
    }

    /// All in `directory`. One that was not finished being written is left out: its guard never got
    /// anything to start.
    pub fn read_all(directory: &Directory) -> io::Result<Vec<GuardNote>> {
        let names = directory.names()?;
        let guards = names.iter().filter(|name| name.starts_with(GUARD));
        let notes = guards.filter_map(|name| directory.read(name).ok());
        Ok(notes.filter_map(|bytes| serde_json::from_slice(&bytes).ok()).collect())
    }
}

/// Differs after each start of the system.
pub(super) fn boot() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

fn file_name(number: u64) -> String {
    format!("{GUARD}{number}.json")
}

const HOST: &str = "instance.json";
const GUARD: &str = "guard-";
