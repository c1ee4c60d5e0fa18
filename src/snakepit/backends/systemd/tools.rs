//! The programs that systemd is spoken to with, and what is said: start this, stop that.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::geteuid;

use super::super::super::error::Failure;
use super::super::super::os::{
    GuardProcess, Reaper, own_process, receive_descriptor, send_message, spawn_program,
};

/// Where they are, and whom they reach.
#[derive(Clone)]
pub(super) struct Tools {
    run: PathBuf,
    control: PathBuf,
    manager: &'static str,
    /// What they need to find the user's own systemd.
    env: Vec<(OsString, OsString)>,
}

impl Tools {
    /// Fails where there is no systemd, with what was looked for.
    pub fn find() -> Result<Tools, Failure> {
        let env = std::env::var_os(USERS_PLACE).map(|place| (USERS_PLACE.into(), place));
        let tools = Tools {
            run: program("systemd-run")?,
            control: program("systemctl")?,
            manager: if geteuid().is_root() { "--system" } else { "--user" },
            env: env.into_iter().collect(),
        };
        tools.check()?;
        Ok(tools)
    }

    fn check(&self) -> Result<(), Failure> {
        let place = match (self.manager, self.env.first()) {
            ("--system", _) => PathBuf::from("/run/systemd/system"),
            (_, Some((_, directory))) => Path::new(directory).join("systemd/private"),
            (_, None) => {
                let message = format!("no systemd of the user's to talk to: no {USERS_PLACE}");
                return Err(Failure::new(message));
            }
        };
        if place.exists() {
            return Ok(());
        }
        Err(Failure::new(format!("no systemd to talk to: {} is not there", place.display())))
    }

    /// What starts a service with a guard, given `systemd-run`'s arguments. Blocks until the guard
    /// has answered.
    pub fn start(
        &self,
        args: Vec<OsString>,
    ) -> impl FnOnce() -> Result<GuardProcess, Failure> + Send + 'static {
        let Tools { run, manager, env, .. } = self.clone();
        move || {
            let mut all: Vec<&OsStr> = vec![manager.as_ref()];
            all.extend(args.iter().map(OsString::as_os_str));
            let failed = |error: std::io::Error| Failure::system("systemd-run", &error);
            let mut started = spawn_program(&run, &all, &env).map_err(failed)?;
            let answer = greet(&started.control);
            // It would go on waiting for the service's end, which is not its business.
            started.reaper.end();
            match answer {
                Ok(guard) => {
                    started.reaper = guard;
                    Ok(started)
                }
                Err(error) => Err(match last_words(started.stderr) {
                    Some(words) => Failure::new(format!("systemd-run: {words}")),
                    None => failed(error),
                }),
            }
        }
    }

    /// Ends the service `unit`, and waits for it. One that has ended already is fine.
    pub async fn stop(&self, unit: &str) -> Result<(), Failure> {
        let said = |error: std::io::Error| Failure::new(format!("systemctl: {error}"));
        let args = [self.manager, "stop", "--quiet", "--", unit].map(OsStr::new);
        let stopping = spawn_program(&self.control, &args, &self.env).map_err(said)?;
        stopping.reaper.ended().await.map_err(said)
    }
}

/// Host and guard tell each other who they are: by descriptors, which cannot be mistaken.
fn greet(control: &OwnedFd) -> std::io::Result<Reaper> {
    send_message(control, b"h", &[own_process()?.as_fd()])?;
    let mut fds = [PollFd::new(control, PollFlags::IN)];
    let limit = Timespec { tv_sec: i64::try_from(ANSWER_LIMIT.as_secs()).unwrap_or(1), tv_nsec: 0 };
    if poll(&mut fds, Some(&limit))? == 0 {
        return Err(std::io::Error::other("no guard has answered in time"));
    }
    Reaper::from_descriptor(receive_descriptor(control)?)
}

/// Of a program that has ended.
fn last_words(stderr: OwnedFd) -> Option<String> {
    rustix::io::ioctl_fionbio(&stderr, true).ok()?;
    let mut bytes = Vec::new();
    // A guard may have the other end open; what is there by now is enough.
    let _ = std::fs::File::from(stderr).take(WORDS_BYTES_MAX).read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).trim().replace('\n', "; ");
    (!text.is_empty()).then_some(text)
}

fn program(name: &str) -> Result<PathBuf, Failure> {
    let mut places = DIRECTORIES.iter().map(|directory| Path::new(directory).join(name));
    let found = places.find(|path| path.is_file());
    found.ok_or_else(|| {
        Failure::new(format!("{name} is not installed; looked in {}", DIRECTORIES.join(", ")))
    })
}

const DIRECTORIES: [&str; 3] = ["/usr/bin", "/bin", "/run/current-system/sw/bin"];
const USERS_PLACE: &str = "XDG_RUNTIME_DIR";
/// A loaded machine takes a tenth of a second.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// A whole start, with the end of what was begun.
pub(super) const START_LIMIT: Duration = Duration::from_secs(15);
const WORDS_BYTES_MAX: u64 = 2048;
