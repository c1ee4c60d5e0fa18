//! The name that a process carries in its environment to say whose it is:
//! `<instance>/<pool>/<worker>`. Pure text; who is asked for it, and what follows, is decided
//! elsewhere.

use std::ffi::OsString;
use std::fmt::Display;

/// Whose processes are meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Mark {
    /// All of an instance.
    Instance(String),
    /// Those of one worker.
    Worker(String),
}

impl Mark {
    /// True for an environment, NUL-terminated entries as the kernel shows them.
    pub fn is_in(&self, environment: &[u8]) -> bool {
        let prefix = [VARIABLE.as_bytes(), b"="].concat();
        let mut entries = environment.split(|byte| *byte == 0);
        entries.any(|entry| entry.strip_prefix(&*prefix).is_some_and(|value| self.is(value)))
    }

    /// True for a command line with the mark's instance in one of its arguments: a guard's.
    pub fn is_on(&self, command_line: &[u8]) -> bool {
        command_line.split(|byte| *byte == 0).any(|argument| self.is(argument))
    }

    fn is(&self, name: &[u8]) -> bool {
        match self {
            Mark::Instance(instance) => {
                name.strip_prefix(instance.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"))
            }
            Mark::Worker(worker) => name == worker.as_bytes(),
        }
    }
}

/// What a worker of `pool`, or another process of it, is called.
pub(super) fn name(instance: &str, pool: &str, process: impl Display) -> String {
    format!("{instance}/{pool}/{process}")
}

/// Puts `name` into an environment, in the place of any other.
pub(super) fn write_into(environment: &mut Vec<(OsString, OsString)>, name: String) {
    environment.retain(|(key, _)| key != VARIABLE);
    environment.push((VARIABLE.into(), name.into()));
}

const VARIABLE: &str = "SNAKEPIT_MARKER";

#[cfg(test)]
mod tests {
    use super::super::super::ids::WorkerId;
    use super::*;

    #[test]
    fn a_similar_mark_is_another_mark() {
        let worker = |slot, generation| name("f00d", "main", WorkerId { slot, generation });
        let one = Mark::Worker(worker(0, 1));
        let all = Mark::Instance("f00d".to_owned());
        let environment = |value: &str| format!("PATH=/bin\0SNAKEPIT_MARKER={value}\0A=b\0");
        let cases = [
            ("f00d/main/0.1", true, true),
            ("f00d/main/0.10", false, true),
            ("f00d/other/0.1", false, true),
            ("f00dd/main/0.1", false, false),
            ("f00d", false, false),
            ("0f00d/main/0.1", false, false),
        ];
        for (value, is_one, is_all) in cases {
            let environment = environment(value);
            assert_eq!(one.is_in(environment.as_bytes()), is_one, "{value}");
            assert_eq!(all.is_in(environment.as_bytes()), is_all, "{value}");
        }
        // The right value under another name.
        assert!(!all.is_in(b"XSNAKEPIT_MARKER=f00d/main/0.1\0NOTE=f00d/main/0.1\0"));
        assert!(all.is_on(b"snakepit-guard\0f00d/main\0" as &[u8]));
        assert!(!all.is_on(b"grep\0SNAKEPIT_MARKER=f00d/main\0" as &[u8]));
    }

    #[test]
    fn an_inherited_mark_is_replaced() {
        let pair = |key: &str, value: &str| (OsString::from(key), OsString::from(value));
        let mut environment = vec![pair("SNAKEPIT_MARKER", "outer/p/0.1"), pair("A", "b")];
        write_into(&mut environment, "inner/p/0.1".to_owned());
        assert_eq!(environment, [pair("A", "b"), pair("SNAKEPIT_MARKER", "inner/p/0.1")]);
    }
}
