//! What a guard was started for, as its command line says it.

use std::ffi::OsString;
use std::io;

use rustix::process::Pid;

/// How a guard comes to its worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    /// It executes the worker's program.
    Execute,
    /// The same, and its parent is not the host but a service manager.
    Service,
    /// The same, and what it guards forks workers under guards of their own, which outlive it.
    Template,
    /// The worker is a child of its own already, and waits to be let go.
    Adopt(Pid),
}

impl Mode {
    /// From the whole command line. What follows the mode are labels for people.
    pub fn parse(mut args: impl Iterator<Item = OsString>) -> io::Result<Mode> {
        let first = args.nth(1);
        match first.as_deref().and_then(|first| first.to_str()) {
            Some("--service") => Ok(Mode::Service),
            Some("--template") => Ok(Mode::Template),
            Some("--adopt") => {
                let pid = args.next().and_then(|pid| pid.to_str()?.parse().ok());
                let pid = pid.and_then(Pid::from_raw).map(Mode::Adopt);
                pid.ok_or_else(|| io::Error::other("--adopt is not followed by a process id"))
            }
            _ => Ok(Mode::Execute),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> io::Result<Mode> {
        Mode::parse(args.iter().map(OsString::from))
    }

    #[test]
    fn the_first_word_is_the_mode_and_the_rest_is_for_people() {
        assert_eq!(parse(&["guard"]).unwrap(), Mode::Execute);
        assert_eq!(parse(&["guard", "--", "--adopt", "1.1"]).unwrap(), Mode::Execute);
        assert_eq!(parse(&["guard", "pool", "1.1"]).unwrap(), Mode::Execute);
        assert_eq!(parse(&["guard", "--service", "pool", "1.1"]).unwrap(), Mode::Service);
        assert_eq!(parse(&["guard", "--template", "pool"]).unwrap(), Mode::Template);
        let worker = Pid::from_raw(77).unwrap();
        assert_eq!(parse(&["guard", "--adopt", "77", "pool"]).unwrap(), Mode::Adopt(worker));
        for wrong in [&["guard", "--adopt"][..], &["guard", "--adopt", "x"], &["g", "--adopt", "0"]]
        {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
