//! Sessions of platforms without workers, on each store: opened, joined, listed, lost, carried from
//! one store to another, and what a platform's close leaves.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use crate::api::TakeOutcome;
use crate::api::{Archive, Operation, Platform, RegisterVariable, Session, SessionOptions};
use crate::core::{Result, Status, Value};
use crate::state::{Backend, ChangeSink, MemoryStore, SessionCommand, SessionLoss, SessionReply};
use crate::tools::{Invocation, ToolSink, ToolSpec};

const LONG: Duration = Duration::from_secs(60);

fn open(state: &Json, sessions: &Json) -> Arc<Platform> {
    let config = json!({"pools": {}, "state": state, "sessions": sessions});
    Platform::open(config.to_string().as_bytes()).unwrap()
}

fn memory() -> Arc<Platform> {
    open(&json!({}), &json!({}))
}

fn finish(operation: &Arc<Operation>) -> Result<Value> {
    operation.start(None);
    assert!(operation.wait(Some(LONG)));
    match operation.take_outcome() {
        TakeOutcome::Outcome(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn close(platform: &Arc<Platform>) {
    finish(&platform.shutdown(None)).unwrap();
}

fn named(id: &str) -> SessionOptions {
    SessionOptions { id: Some(id.to_owned()), ..SessionOptions::default() }
}

fn add(session: &Session, name: &str, value: &str) {
    let variable = RegisterVariable {
        name: name.to_owned(),
        type_name: "json".to_owned(),
        initial: Value::from_json(value.to_owned()).unwrap(),
        constraints: None,
        metadata: None,
    };
    session.register_variable(variable).unwrap();
}

fn set(session: &Session, name: &str, value: &str) {
    session.set_variable(name, Value::from_json(value.to_owned()).unwrap(), None).unwrap();
}

fn text(session: &Session, name: &str) -> (String, u64) {
    let (value, version) = session.get_variable(name).unwrap();
    (String::from_utf8(value.json().to_vec()).unwrap(), version)
}

fn ids(list: &Json) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = std::time::SystemTime::now() + LONG;
    while !condition() {
        assert!(std::time::SystemTime::now() < until, "never came true: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

#[test]
fn sessions_are_found_listed_in_pages_measured_and_closed_once() {
    let platform = memory();
    for id in ["b", "a", "c"] {
        platform.open_session(named(id)).unwrap();
    }
    assert_eq!(ids(&platform.list_sessions(None, 0).unwrap()), ["a", "b", "c"]);
    assert_eq!(ids(&platform.list_sessions(None, 2).unwrap()), ["a", "b"]);
    let rest = platform.list_sessions(Some("a"), 5).unwrap();
    assert_eq!(ids(&rest), ["b", "c"]);
    assert_eq!((&rest[0]["open"], &rest[0]["affinity"]), (&json!(true), &json!("none")));
    let session = platform.session("a").unwrap();
    add(&session, "x", "[1, 2]");
    set(&session, "x", "5");
    session.touch().unwrap();
    let info = session.info().unwrap();
    assert_eq!((&info["variables"], &info["revision"]), (&json!(1), &json!(2)));
    assert_eq!((&info["bytes"], &info["store"]), (&json!(1 + 2 + 2 + 1), &json!("memory")));
    assert_eq!(platform.session("d").map(drop).unwrap_err().status(), Status::NotFound);
    let again = platform.open_session(named("a")).map(drop).unwrap_err();
    assert_eq!(again.status(), Status::AlreadyExists);

    let closes = [session.close().unwrap(), session.close().unwrap()];
    closes.iter().for_each(|close| assert!(finish(close).is_ok()));
    for error in [session.info().map(drop), session.touch(), session.close().map(drop)] {
        assert_eq!(error.unwrap_err().status(), Status::Closed);
    }
    assert_eq!(ids(&platform.list_sessions(None, 0).unwrap()), ["b", "c"]);
    let anew = platform.open_session(named("a")).unwrap();
    assert_eq!(anew.info().unwrap()["variables"], 0);
    close(&platform);
    assert_eq!(anew.touch().unwrap_err().status(), Status::Closed);
}

#[test]
fn the_quota_counts_what_is_open_on_this_host() {
    let platform = open(&json!({}), &json!({"max": 1}));
    let first = platform.open_session(named("a")).unwrap();
    for refused in [platform.open_session(named("b")), first.clone_as(named("b"))] {
        assert_eq!(refused.map(drop).unwrap_err().status(), Status::ResourceExhausted);
    }
    finish(&first.close().unwrap()).unwrap();
    platform.open_session(named("b")).unwrap();
    close(&platform);
}

#[test]
fn a_clone_is_whole_and_its_own_or_does_not_come_into_being() {
    let platform = memory();
    let metadata = json!({"user": "ann"}).as_object().cloned();
    let first = platform.open_session(SessionOptions { metadata, ..named("a") }).unwrap();
    add(&first, "x", "1");
    set(&first, "x", r#"{"z": 1,  "a": 1.50}"#);
    let second = first.clone_as(SessionOptions::default()).unwrap();
    assert_eq!(text(&second, "x"), (r#"{"z": 1,  "a": 1.50}"#.to_owned(), 2));
    assert_eq!(second.info().unwrap()["metadata"], json!({"user": "ann"}));
    set(&second, "x", "3");
    assert_eq!(text(&first, "x").1, 2);
    let taken = first.clone_as(named("a")).map(drop).unwrap_err();
    assert_eq!(taken.status(), Status::AlreadyExists);

    // What another platform would have let in, this one refuses, and nothing is left of it.
    let small = open(&json!({}), &json!({"variables_max": 1}));
    add(&first, "y", "1");
    let refused = small.import_session(first.export().unwrap(), named("c")).map(drop);
    assert_eq!(refused.unwrap_err().status(), Status::ResourceExhausted);
    assert_eq!(ids(&small.list_sessions(None, 0).unwrap()), [""; 0]);
    let mut bad = first.export().unwrap();
    bad.variables[0].version = 1;
    let refused = platform.import_session(bad, named("c")).map(drop).unwrap_err();
    assert_eq!(refused.status(), Status::InvalidArgument);
    assert_eq!(platform.session("c").map(drop).unwrap_err().status(), Status::NotFound);
    close(&small);
    close(&platform);
}

#[test]
fn an_export_travels_between_stores_and_sessions_outlive_their_platform() {
    let folder = tempfile::tempdir().unwrap();
    let state = json!({"store": "sqlite", "path": folder.path().join("state.db")});
    let (from, to) = (memory(), open(&state, &json!({})));
    let first = from.open_session(named("a")).unwrap();
    add(&first, "x", "1");
    set(&first, "x", " [1.0, 2] ");
    let file = folder.path().join("a.zip");
    first.export().unwrap().write_to(&file).unwrap();
    let archive = Archive::read_from(&file, to.archive_bytes_max()).unwrap();
    let second = to.import_session(archive, SessionOptions::default()).unwrap();
    assert_eq!(second.id().as_str(), "a");
    assert_eq!(text(&second, "x"), ("[1.0, 2]".to_owned(), 2));
    assert_eq!(second.info().unwrap()["store"], "sqlite");
    let value = second.export().unwrap().to_value().unwrap();
    let third = from.import_session(Archive::from_value(&value).unwrap(), named("b")).unwrap();
    assert_eq!(text(&third, "x"), ("[1.0, 2]".to_owned(), 2));
    let busy = Platform::open(json!({"pools": {}, "state": state}).to_string().as_bytes());
    assert_eq!(busy.map(drop).unwrap_err().status(), Status::Busy);
    close(&to);

    let restarted = open(&state, &json!({}));
    assert_eq!(restarted.list_sessions(None, 0).unwrap()[0]["open"], false);
    let taken = restarted.open_session(named("a")).map(drop).unwrap_err();
    assert_eq!(taken.status(), Status::AlreadyExists);
    let joined = restarted.session("a").unwrap();
    assert_eq!(text(&joined, "x"), ("[1.0, 2]".to_owned(), 2));
    assert_eq!(restarted.list_sessions(None, 0).unwrap()[0]["open"], true);
    finish(&joined.close().unwrap()).unwrap();
    assert_eq!(restarted.session("a").map(drop).unwrap_err().status(), Status::NotFound);
    close(&restarted);
    close(&from);
}

#[test]
fn a_store_that_is_not_there_opens_no_platform_and_says_which_key() {
    for (state, key) in [
        (json!({"store": "sqlite", "path": "/nowhere/at/all.db"}), "state.store"),
        (json!({"store": "redis", "url": "http://h"}), "state.url"),
        (
            json!({"store": "redis", "url": "redis+unix:///nowhere/at/all", "timeout_ms": 50}),
            "state.store",
        ),
    ] {
        let config = json!({"pools": {}, "state": state});
        let error = Platform::open(config.to_string().as_bytes()).map(drop).unwrap_err();
        assert_eq!(error.details()["field"], key, "{error:?}");
    }
}

/// A memory store whose sink and answers the test has in its hand.
struct Own {
    store: MemoryStore,
    shared: bool,
    told: Arc<Mutex<Vec<&'static str>>>,
    used_elsewhere: Arc<Mutex<bool>>,
}

impl Backend for Own {
    fn name(&self) -> &'static str {
        "own"
    }

    fn session(&self, command: SessionCommand<'_>) -> crate::state::Pending<Result<SessionReply>> {
        let expires = matches!(command, SessionCommand::Expire { .. });
        self.told.lock().push(match command {
            SessionCommand::Touch { .. } => "touch",
            SessionCommand::Expire { .. } => "expire",
            SessionCommand::Close { .. } => "close",
            _ => "other",
        });
        if expires && std::mem::take(&mut *self.used_elsewhere.lock()) {
            let alive = SessionReply::Alive(Duration::from_millis(30));
            return crate::state::Pending::Ready(Ok(alive));
        }
        let shared = self.shared;
        self.store.session(command).map(move |reply| {
            reply.map(|reply| match reply {
                SessionReply::Opened(mut row) => {
                    row.key.lease = u64::from(shared);
                    SessionReply::Opened(row)
                }
                other => other,
            })
        })
    }

    fn apply(
        &self,
        session: &crate::state::SessionKey,
        command: crate::state::Command<'_>,
    ) -> crate::state::Pending<Result<crate::state::Reply>> {
        self.store.apply(session, command)
    }
}

type Told = Arc<Mutex<Vec<&'static str>>>;

fn on_own_store() -> (Arc<Platform>, Arc<dyn ChangeSink>, Told, Arc<Mutex<bool>>) {
    let (told, used_elsewhere) = (Told::default(), Arc::new(Mutex::new(false)));
    let given: Arc<Mutex<Option<Arc<dyn ChangeSink>>>> = Arc::default();
    let platform = Platform::open_with_store(br#"{"pools": {}}"#, {
        let (told, used_elsewhere, given) = (told.clone(), used_elsewhere.clone(), given.clone());
        move |limits, sink, _| {
            *given.lock() = Some(sink.clone());
            let store = MemoryStore::new(limits, sink);
            Ok(Arc::new(Own { store, shared: true, told, used_elsewhere }) as Arc<dyn Backend>)
        }
    })
    .unwrap();
    let sink = given.lock().take().unwrap();
    (platform, sink, told, used_elsewhere)
}

#[test]
fn a_session_that_the_store_ends_ends_here_with_its_tools() {
    let (platform, sink, told, _) = on_own_store();
    let session = platform.open_session(named("a")).unwrap();
    assert_eq!(session.info().unwrap()["store"], "own");
    let incarnation = session.key().incarnation;
    platform.register_tool(Some(&session), spec("t"), Arc::new(Nobody)).unwrap();
    sink.lost(incarnation, SessionLoss::LeaseLost);
    assert_eq!(session.touch().unwrap_err().status(), Status::LeaseLost);
    let late = platform.register_tool(Some(&session), spec("u"), Arc::new(Nobody));
    assert_eq!(late.map(drop).unwrap_err().status(), Status::LeaseLost);
    eventually("its place is free", || platform.sessions.is_empty());
    assert_eq!(platform.services.tools.all().len(), 0);
    assert!(!told.lock().contains(&"close"), "it is not this host's any more");
    // The store still has it: this host may join it again, as another session of its own.
    let again = platform.session("a").unwrap();
    again.touch().unwrap();
    assert_eq!(session.touch().unwrap_err().status(), Status::LeaseLost);
    close(&platform);
}

#[test]
fn a_shared_session_is_told_of_uses_and_ends_only_when_the_store_says_so() {
    let (platform, _, told, used_elsewhere) = on_own_store();
    let ttl = Some(Duration::from_millis(60));
    let held = platform.open_session(SessionOptions { ttl, ..named("a") }).unwrap();
    let hold = held.session.hold();
    eventually("the store hears of the use", || {
        told.lock().iter().filter(|verb| **verb == "touch").count() > 2
    });
    assert!(!told.lock().contains(&"expire"));
    *used_elsewhere.lock() = true;
    drop(hold);
    eventually("the store is asked twice", || {
        told.lock().iter().filter(|verb| **verb == "expire").count() == 2
    });
    eventually("it is over", || platform.sessions.is_empty());
    assert_eq!(held.touch().unwrap_err().status(), Status::Closed);
    close(&platform);
}

#[test]
fn closing_expiring_and_shutting_down_end_a_session_once() {
    for _ in 0..50 {
        let platform = memory();
        let ttl = Some(Duration::from_millis(1));
        let session = platform.open_session(SessionOptions { ttl, ..named("a") }).unwrap();
        let closing = session.close();
        let shutdown = platform.shutdown(Some(Duration::ZERO));
        shutdown.start(None);
        if let Ok(closing) = closing {
            closing.start(None);
        }
        assert!(shutdown.wait(Some(LONG)));
        assert!(platform.sessions.is_empty());
        assert!(platform.live.read().is_empty());
        assert!(platform.metrics_text().contains("spb_sessions 0"), "ended once");
    }
}

#[test]
fn a_thread_of_a_runtime_is_refused_where_it_would_wait_and_served_where_it_would_not() {
    let folder = tempfile::tempdir().unwrap();
    let state = json!({"store": "sqlite", "path": folder.path().join("state.db")});
    let (fast, slow) = (memory(), open(&state, &json!({})));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        fast.open_session(named("a")).unwrap();
        let error = slow.open_session(named("a")).map(drop).unwrap_err();
        assert_eq!(error.status(), Status::WouldDeadlock);
    });
    close(&fast);
    close(&slow);
}

fn spec(name: &str) -> ToolSpec {
    ToolSpec { name: name.to_owned(), ..ToolSpec::default() }
}

struct Nobody;

impl ToolSink for Nobody {
    fn call(&self, _: Arc<Invocation>) {}

    fn cancel(&self, _: &Arc<Invocation>) {}
}
