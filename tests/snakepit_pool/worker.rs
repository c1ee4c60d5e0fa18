//! The fake worker: reads its handoff from descriptor 3, dials home, and does what it is told, line
//! by line.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};

/// What the worker is told at its start.
#[derive(Clone, Deserialize, Serialize)]
pub struct Handoff {
    pub socket: String,
    pub worker: String,
    /// Lines to obey before it dials home.
    pub first: Vec<String>,
}

pub fn run() {
    serve(&serde_json::from_reader(File::open("/proc/self/fd/3").unwrap()).unwrap());
}

/// Dials home and obeys.
pub fn serve(told: &Handoff) {
    let mut home = None;
    for line in &told.first {
        obey(line, &mut home);
    }
    let stream = UnixStream::connect(&told.socket).unwrap();
    writeln!(&stream, "{}", told.worker).unwrap();
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    home = Some(stream);
    for line in lines {
        obey(&line.unwrap(), &mut home);
    }
}

/// Does what one line says. Some verbs need the connection to `home`.
pub fn obey(line: &str, home: &mut Option<UnixStream>) {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    match verb {
        "ping" => writeln!(home.as_ref().unwrap(), "pong").unwrap(),
        "drain" if CRASHES.load(Ordering::Relaxed) => obey("signal 11", home),
        "drain" => std::process::exit(0),
        "fragile" => CRASHES.store(true, Ordering::Relaxed),
        "exit" => std::process::exit(rest.parse().unwrap()),
        "abort" => std::process::abort(),
        "signal" => {
            let signal = Signal::from_named_raw(rest.parse().unwrap()).unwrap();
            // Rust's own handler for SEGV only steps aside the first time.
            loop {
                kill_process(getpid(), signal).unwrap();
            }
        }
        "out" => println!("{rest}"),
        "err" => eprintln!("{rest}"),
        "secret" => {}
        "environment" => std::env::vars().for_each(|(name, value)| println!("{name}={value}")),
        "descriptors" => list_descriptors(),
        "hang" => loop {
            std::thread::park();
        },
        // As `hang`, and does not die of ABRT either.
        "mute" => {
            ignore(Signal::ABORT);
            obey("hang", home);
        }
        "stop" => kill_process(getpid(), Signal::STOP).unwrap(),
        // Breaks the link and lives on.
        "unlink" => {
            let home = home.as_ref().unwrap();
            home.shutdown(std::net::Shutdown::Both).unwrap();
            obey("hang", &mut None);
        }
        "eat" => eat(rest.parse().unwrap()),
        "explode" => explode(),
        // Programs that fork and leave for ever, and leave a trace of it.
        "rabbits" => {
            let rabbit = format!("f() {{ echo >> {rest}; f & }}; f");
            (0..4).for_each(|_| shell(&format!("setsid -f sh -c '{rabbit}'")));
        }
        _ => match brood(verb) {
            Some(script) => shell(script),
            None => panic!("unknown order {line:?}"),
        },
    }
}

/// Memory that is really there, kept for ever.
fn eat(mebibytes: usize) {
    std::mem::forget(std::hint::black_box(vec![1_u8; mebibytes << 20]));
}

/// Forks for ever, and nobody waits.
fn explode() -> ! {
    loop {
        drop(Command::new("sleep").arg("600").spawn());
    }
}

/// Orders to bring forth processes that stay.
fn brood(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "bare" => BARE,
        "bomb" => "f() { sleep 600 & f & sleep 600; }; f &",
        "daemon" => DAEMON,
        "deaf" => "(trap '' TERM; exec sleep 600) &",
        "hoarder" => HOARDER,
        "lone" => LONE,
        _ => return None,
    })
}

fn ignore(signal: Signal) {
    #[expect(unsafe_code, reason = "a worker that is deaf to a signal")]
    // SAFETY: no handler is installed, the signal is only ignored.
    unsafe {
        libc::signal(signal.as_raw(), libc::SIG_IGN)
    };
}

fn list_descriptors() {
    for entry in std::fs::read_dir("/proc/self/fd").unwrap().flatten() {
        let target = std::fs::read_link(entry.path());
        println!("{} {target:?}", entry.file_name().display());
    }
    println!("end");
}

fn shell(script: &str) {
    assert!(Command::new("sh").args(["-c", script]).status().unwrap().success());
}

/// One that gave up its environment, in a session that a marked one has made. Its name tells whose
/// it was.
const BARE: &str = "setsid -f sh -c \
    'env -i tail -f /dev/null \"$SNAKEPIT_MARK\" <&- >/dev/null 2>&1 & exec sleep 600'";
/// The same, with nobody beside it.
const LONE: &str = "setsid -f env -i tail -f /dev/null \"$SNAKEPIT_MARK\" <&- >/dev/null 2>&1";
/// Own group and terminal, parent gone, no descriptors, deaf to polite signals.
const DAEMON: &str = "setsid -f sh -c \
    'trap \"\" TERM HUP INT; exec <&- >&- 2>&-; while :; do sleep 600; done'";

/// A daemon that keeps 64 MiB.
const HOARDER: &str = "setsid -f sh -c \
    'kept=$(head -c 67108864 /dev/zero | tr \"\\0\" k); while :; do sleep 600; done'";

static CRASHES: AtomicBool = AtomicBool::new(false);
