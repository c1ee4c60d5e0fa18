//! The fake template: says that it is ready, and forks fake workers under guards of their own. The
//! shape of a real one, without anything to prepare.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, getppid, pidfd_open,
    set_parent_process_death_signal, setpgid, waitpid,
};
use serde::Deserialize;
use snakepit_bridge::snakepit::os::{receive_message, send_message};

use crate::worker;

#[derive(Deserialize)]
struct Request {
    id: u64,
    guard: String,
    labels: Vec<String>,
}

/// Obeys the lines of its handoff, then serves forks.
#[expect(unsafe_code, reason = "takes its socket by its number")]
pub fn run() {
    // SAFETY: the host's socket, which nobody else in this program knows of.
    let socket = unsafe { OwnedFd::from_raw_fd(4) };
    let first: Vec<String> =
        serde_json::from_reader(File::open("/proc/self/fd/3").unwrap()).unwrap();
    for line in &first {
        match line.as_str() {
            "thread" => drop(std::thread::Builder::new().name("spinner".to_owned()).spawn(|| {
                loop {
                    std::thread::park();
                }
            })),
            line => worker::obey(line, &mut None),
        }
    }
    send_message(&socket, b"\"ready\"", &[]).unwrap();
    loop {
        let (bytes, descriptors) = receive_message(&socket).unwrap();
        while let Ok(Some(_)) = waitpid(None, WaitOptions::NOHANG) {}
        if bytes.is_empty() {
            return;
        }
        let request: Request = serde_json::from_slice(&bytes).unwrap();
        let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
        if threads > 1 {
            let error = format!("{} other threads live in it", threads - 1);
            let reply = serde_json::json!({"refused": {"id": request.id, "error": error}});
            send_message(&socket, reply.to_string().as_bytes(), &[]).unwrap();
            continue;
        }
        let guard = match fork() {
            None => become_guard(&request, descriptors, socket),
            Some(guard) => guard,
        };
        let pid = guard.as_raw_nonzero().get();
        let reply = serde_json::json!({"forked": {"id": request.id, "pid": pid}});
        let guard = pidfd_open(guard, PidfdFlags::empty()).unwrap();
        send_message(&socket, reply.to_string().as_bytes(), &[guard.as_fd()]).unwrap();
    }
}

/// Forks the worker and executes the guard; in the worker it never returns either.
fn become_guard(request: &Request, descriptors: Vec<OwnedFd>, requests: OwnedFd) -> ! {
    drop(requests);
    let [control, stdout, stderr, host] = <[OwnedFd; 4]>::try_from(descriptors).unwrap();
    let flags = SocketFlags::CLOEXEC;
    let (go, wait) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    let place =
        |from: OwnedFd, to: RawFd| move_to(rustix::io::fcntl_dupfd_cloexec(from, 10).unwrap(), to);
    place(stdout, 1);
    place(stderr, 2);
    let own = getpid();
    let Some(worker) = fork() else {
        drop((go, control, host));
        become_worker(own, wait);
        std::process::exit(0);
    };
    drop(wait);
    let (go, host, control) = (
        rustix::io::fcntl_dupfd_cloexec(go, 10).unwrap(),
        rustix::io::fcntl_dupfd_cloexec(host, 10).unwrap(),
        rustix::io::fcntl_dupfd_cloexec(control, 10).unwrap(),
    );
    move_to(control, 0);
    move_to(go, 3);
    move_to(host, 4);
    let worker = worker.as_raw_nonzero().to_string();
    let mut command = Command::new(&request.guard);
    let error = command.args(["--adopt", &worker]).args(&request.labels).env_clear().exec();
    panic!("{}: {error}", request.guard);
}

fn become_worker(guard: Pid, wait: OwnedFd) {
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    setpgid(None, None).unwrap();
    assert_eq!(getppid(), Some(guard), "the guard has died");
    let (message, files) = receive_message(&wait).unwrap();
    drop(wait);
    assert!(!message.is_empty(), "the guard has nothing to say");
    let mut texts = files.into_iter().map(|file| {
        let mut text = String::new();
        File::from(file).read_to_string(&mut text).unwrap();
        text
    });
    let handoff = texts.next().unwrap();
    set_environment(&texts.next().unwrap());
    if message.len() > 1 {
        let directory = std::str::from_utf8(&message[1..]).unwrap();
        rustix::process::chdir(directory).unwrap();
    }
    worker::serve(&serde_json::from_str(&handoff).unwrap());
}

#[expect(unsafe_code, reason = "changes the environment")]
fn set_environment(text: &str) {
    for (name, _) in std::env::vars() {
        // SAFETY: this process has one thread.
        unsafe { std::env::remove_var(name) };
    }
    for pair in text.split_terminator('\0') {
        let (name, value) = pair.split_once('=').unwrap();
        // SAFETY: as above.
        unsafe { std::env::set_var(name, value) };
    }
}

/// `None` in the child.
#[expect(unsafe_code, reason = "a template forks")]
fn fork() -> Option<Pid> {
    // SAFETY: this process has one thread.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    Pid::from_raw(pid)
}

/// As `to`, to be inherited.
#[expect(unsafe_code, reason = "dup2 to a chosen number")]
fn move_to(from: OwnedFd, to: RawFd) {
    // SAFETY: what was at `to` is given up on purpose; nobody here owns it.
    assert_eq!(unsafe { libc::dup2(from.as_raw_fd(), to) }, to);
}
