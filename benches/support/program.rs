//! A program that is alive for the whole benchmark and does what it is asked: a line to its
//! standard input, a line of JSON back. Hosts and peers are such programs.
//!
//! It must not know what the commands mean. Every wait has a limit.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use serde_json::Value as Json;

/// A running program; when it is dropped its input ends, and so does it.
pub struct Program {
    name: String,
    child: Child,
    commands: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Program {
    /// Starts it; whatever it needs is ready when this returns.
    pub fn start(name: &str, command: &mut Command) -> Program {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, answers) = sync_channel(1);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let commands = child.stdin.take();
        let program = Program { name: name.to_owned(), child, commands, answers };
        let ready = program.answer("its start");
        assert_eq!(ready["ready"], true, "{name} says {ready}");
        program
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn ask(&mut self, command: &str) -> Json {
        let commands = self.commands.as_mut().expect("open until dropped");
        writeln!(commands, "{command}").expect("a program that reads");
        self.answer(command)
    }

    fn answer(&self, what: &str) -> Json {
        let line = match self.answers.recv_timeout(ANSWER_MAX) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("{what}: {} is silent", self.name),
            Err(RecvTimeoutError::Disconnected) => panic!("{what}: {} ended", self.name),
        };
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{what}: {error}: {line}"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.commands = None;
        let end = self.answers.recv_timeout(END_MAX);
        if end != Err(RecvTimeoutError::Disconnected) {
            eprintln!("{} does not end: {end:?}", self.name);
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// Far more than any command takes.
const ANSWER_MAX: Duration = Duration::from_secs(60);
const END_MAX: Duration = Duration::from_secs(15);
