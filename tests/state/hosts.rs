//! Two hosts as two processes on one Redis: what one does, the other sees.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use serde_json::json;
use snakepit_bridge::api::{Platform, SessionOptions};
use snakepit_bridge::core::{Status, Value};
use snakepit_bridge::state::{Access, RegisterVariable};

use crate::partner;
use crate::redis_server::RedisServer;
use crate::stores::LONG;

pub fn see_each_other() {
    let server = RedisServer::start();
    let state = json!({"store": "redis", "url": server.url()});
    let config = json!({"pools": {}, "state": state}).to_string();
    let platform = Platform::open(config.as_bytes()).unwrap();
    let options = SessionOptions { id: Some("shared".to_owned()), ..SessionOptions::default() };
    let session = platform.open_session(options).unwrap();
    session.register_variable(integer("n")).unwrap();

    let mut partner = Partner::start(&server.url());
    assert!(partner.ask("list").contains("\"shared\""));
    assert_eq!(partner.ask("join shared"), "done");
    assert_eq!(partner.ask("get n"), "0 1");
    assert_eq!(partner.ask("watch"), "done");
    for version in 2..=50 {
        session.set_variable("n", number(version), None).unwrap();
        assert_eq!(partner.line(), format!("told n {version}"));
    }
    assert_eq!(partner.ask("get n"), "50 50");

    session.lock_variable("n", "here", LONG).unwrap();
    assert_eq!(partner.line(), "told n 50");
    assert_eq!(partner.ask("set n 1"), "refused BUSY");
    assert_eq!(partner.ask("lock n"), "refused BUSY");
    session.unlock_variable("n", "here").unwrap();
    assert_eq!(partner.line(), "told n 50");
    partner.tell("lock n");
    // Its answer and what it is told about it come in either order.
    assert_eq!(sorted([partner.line(), partner.line()]), ["done", "told n 50"]);
    let refused = session.set_variable("n", number(1), None).unwrap_err();
    assert_eq!(refused.status(), Status::Busy);
    let access = Access { owner: Some("partner"), expected_version: None };
    assert_eq!(session.set_variable_with("n", &number(51), access).unwrap().version, 51);
    assert_eq!(partner.line(), "told n 51");

    end(&session);
    assert_eq!(partner.line(), "told the end");
    assert_eq!(partner.ask("get n"), "refused CLOSED");
    assert_eq!(partner.ask("join shared"), "refused NOT_FOUND");
    drop(partner);
    let closing = platform.shutdown(None);
    closing.start(None);
    assert!(closing.wait(Some(LONG)));
}

fn end(session: &snakepit_bridge::api::Session) {
    let closing: Arc<_> = session.close().unwrap();
    closing.start(None);
    assert!(closing.wait(Some(LONG)));
}

/// The other process; killed when it is not needed any more.
struct Partner {
    process: Child,
    orders: ChildStdin,
    said: BufReader<ChildStdout>,
}

impl Partner {
    fn start(url: &str) -> Partner {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .env(partner::URL, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = process.stdin.take().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        let mut partner = Partner { process, orders, said };
        assert_eq!(partner.line(), "up");
        partner
    }

    fn ask(&mut self, order: &str) -> String {
        self.tell(order);
        self.line()
    }

    fn tell(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    /// The next line; without one, the process has ended, and the empty line fails the test.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn integer(name: &str) -> RegisterVariable {
    RegisterVariable {
        name: name.to_owned(),
        type_name: "integer".to_owned(),
        initial: number(0),
        constraints: None,
        metadata: None,
    }
}

fn number(number: u64) -> Value {
    Value::from_document(&number.into())
}

fn sorted(mut lines: [String; 2]) -> [String; 2] {
    lines.sort_unstable();
    lines
}
