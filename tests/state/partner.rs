//! The other host: a process of its own with a platform on the same Redis. It does what it reads
//! from its standard input, a word at a time, and prints what came of it, and what it is told.

use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use snakepit_bridge::api::{
    Access, Platform, Session, Watch, WatchEnd, WatchEvent, WatchObserver, WatchOptions,
    WatchQueue, Watcher,
};
use snakepit_bridge::core::{Result, Value};
use snakepit_bridge::state::SessionLoss;

/// In the environment of the process: where Redis is, and how long a lease is, if not as usual.
pub const URL: &str = "SPB_STATE_PARTNER_URL";
pub const LEASE_MS: &str = "SPB_STATE_PARTNER_LEASE_MS";

pub fn run() {
    let lease_ms = std::env::var(LEASE_MS).ok().map(|ms| ms.parse::<u64>().unwrap());
    let state = json!({"store": "redis", "url": std::env::var(URL).unwrap(), "lease_ms": lease_ms});
    let config = json!({"pools": {}, "state": state}).to_string();
    let platform = Platform::open(config.as_bytes()).unwrap();
    println!("up");
    let mut host = Host { platform, session: None, watch: None };
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        match host.carry_out(&words) {
            Ok(said) => println!("{said}"),
            Err(error) => println!("refused {}", error.status()),
        }
    }
}

struct Host {
    platform: Arc<Platform>,
    session: Option<Session>,
    watch: Option<Watch>,
}

impl Host {
    fn carry_out(&mut self, words: &[&str]) -> Result<String> {
        match words {
            ["join", id] => self.session = Some(self.platform.session(id)?),
            ["list"] => return Ok(self.platform.list_sessions(None, 0)?.to_string()),
            ["watch"] => {
                let options = WatchOptions { queue_max: 1000, ..WatchOptions::default() };
                self.watch = Some(self.session().watch([], options, Arc::new(Printer))?);
            }
            ["get", name] => {
                let (value, version) = self.session().get_variable(name)?;
                return Ok(format!("{} {version}", value.to_document()?));
            }
            ["set", name, value] => {
                return Ok(self.session().set_variable(name, json(value)?, None)?.to_string());
            }
            ["count", name, times] => {
                let (by, access) = (json(r#"{"add":1}"#)?, Access::ANY);
                for _ in 0..times.parse::<u64>().unwrap() {
                    let after = self.session().update_variable(name, &by, access)?;
                    println!("counted {}", after.version);
                }
            }
            ["lock", name] => {
                self.session().lock_variable(name, "partner", Duration::from_secs(60))?;
            }
            other => panic!("{other:?}"),
        }
        Ok("done".to_owned())
    }

    fn session(&self) -> &Session {
        self.session.as_ref().unwrap()
    }
}

struct Printer;

impl WatchObserver for Printer {
    fn ready(&self, _: &Arc<Watcher>, events: &mut WatchQueue) {
        while let Some(event) = events.pop() {
            match event {
                WatchEvent::Change(change) => println!("told {} {}", change.name, change.version),
                WatchEvent::End(WatchEnd::SessionLost(SessionLoss::Ended)) => {
                    println!("told the end");
                }
                WatchEvent::End(WatchEnd::SessionLost(SessionLoss::LeaseLost)) => {
                    println!("told the loss");
                }
                other => println!("told {other:?}"),
            }
        }
    }
}

fn json(text: &str) -> Result<Value> {
    Value::from_json(text.to_owned())
}
