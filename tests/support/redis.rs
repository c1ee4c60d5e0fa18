//! A `redis-server` of a test's own, on a Unix socket in a folder of its own, with every write on
//! disk before it is answered. Ends with its owner. Knows nothing of the store.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A server that can be killed, stopped and started anew.
pub struct RedisServer {
    folder: TempDir,
    args: Vec<String>,
    child: Child,
}

impl RedisServer {
    /// Serving, and empty.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With settings besides, as on the command line of `redis-server`. `{}` in them stands for the
    /// server's folder.
    pub fn start_with(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder, args)
    }

    /// In a folder that holds files for it.
    pub fn start_in(folder: TempDir, args: &[&str]) -> Self {
        let path = folder.path().to_str().unwrap();
        let args: Vec<String> = args.iter().map(|arg| arg.replace("{}", path)).collect();
        let child = spawned(&folder, &args);
        RedisServer { folder, args, child }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Loses what was not on disk.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// With everything that was on disk.
    pub fn restart(&mut self) {
        self.child = spawned(&self.folder, &self.args);
    }

    /// Stands still with everything it has, connections included.
    pub fn pause(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    pub fn resume(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    /// A command as an administrator would give it; the answer or the error's text.
    pub fn command(&self, parts: &[&str]) -> Result<redis::Value, String> {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_connection().map_err(|error| error.to_string())?;
        let mut command = redis::Cmd::new();
        parts.iter().for_each(|part| {
            command.arg(part);
        });
        command.query(&mut connection).map_err(|error| error.to_string())
    }

    /// The keys that match, sorted.
    pub fn keys(&self, pattern: &str) -> Vec<String> {
        let answer = self.command(&["KEYS", pattern]).unwrap();
        let mut keys: Vec<String> = redis::from_redis_value(answer).unwrap();
        keys.sort_unstable();
        keys
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have ended before.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Started, and past the line that says it accepts connections.
fn spawned(folder: &TempDir, args: &[String]) -> Child {
    let socket = folder.path().join("redis.sock");
    let mut child = Command::new("redis-server")
        .args(["--port", "0", "--unixsocket"])
        .arg(socket)
        .args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""])
        .args(args)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-server starts; scripts/setup.sh test installs it");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = Vec::new();
    loop {
        let line = lines.next().unwrap_or_else(|| panic!("redis-server ended: {seen:#?}")).unwrap();
        let is_ready = line.to_lowercase().contains("ready to accept connections");
        seen.push(line);
        if is_ready {
            break;
        }
    }
    // It must never wait for a full pipe.
    std::thread::spawn(move || lines.for_each(drop));
    child
}
