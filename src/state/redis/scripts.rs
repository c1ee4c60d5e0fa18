//! The scripts that Redis runs: one for each verb, each with what it shares in front. Their text is
//! in `lua/`; what they are given and answer stands on top of each.

use redis::Script as Hashed;

/// One script with the name that Redis knows it by.
#[derive(Debug)]
pub struct Script {
    /// For messages.
    pub name: &'static str,
    pub code: String,
    pub sha: String,
    /// Whether it matters to the caller that it may have been run.
    pub is_write: bool,
    /// Whether it may answer with all that a session holds.
    pub is_bulk: bool,
}

/// All of them.
#[derive(Debug)]
pub struct Scripts {
    pub load: Script,
    pub get: Script,
    pub set: Script,
    pub delete: Script,
    pub lock: Script,
    pub list: Script,
    pub history: Script,
    pub measure: Script,
    pub touch: Script,
    pub close: Script,
    pub expire: Script,
    pub open: Script,
    pub join: Script,
    pub sessions: Script,
    pub lease: Script,
    pub renew: Script,
    pub release: Script,
}

impl Scripts {
    pub fn new() -> Self {
        let read = |name, code: &str| script(name, &[PRELUDE, code], false);
        let write = |name, code: &str| script(name, &[PRELUDE, code], true);
        let plain = |name, code: &str| script(name, &[code], false);
        let numbering = |name, code: &str| script(name, &[COUNTER, code], false);
        Scripts {
            load: write("load", include_str!("lua/load.lua")),
            get: read("get", include_str!("lua/get.lua")),
            set: write("set", include_str!("lua/set.lua")),
            delete: write("delete", include_str!("lua/delete.lua")),
            lock: write("lock", include_str!("lua/lock.lua")),
            list: Script { is_bulk: true, ..read("list", include_str!("lua/list.lua")) },
            history: read("history", include_str!("lua/history.lua")),
            measure: read("measure", include_str!("lua/measure.lua")),
            touch: read("touch", include_str!("lua/touch.lua")),
            close: read("close", include_str!("lua/close.lua")),
            expire: read("expire", include_str!("lua/expire.lua")),
            open: Script { is_write: true, ..numbering("open", include_str!("lua/open.lua")) },
            join: plain("join", include_str!("lua/join.lua")),
            sessions: plain("sessions", include_str!("lua/sessions.lua")),
            lease: numbering("lease", include_str!("lua/lease.lua")),
            renew: plain("renew", include_str!("lua/renew.lua")),
            release: plain("release", include_str!("lua/release.lua")),
        }
    }
}

fn script(name: &'static str, parts: &[&str], is_write: bool) -> Script {
    let code = parts.concat();
    let sha = Hashed::new(&code).get_hash().to_owned();
    Script { name, code, sha, is_write, is_bulk: false }
}

const PRELUDE: &str = include_str!("lua/prelude.lua");
const COUNTER: &str = include_str!("lua/counter.lua");
