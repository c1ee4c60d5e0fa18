//! The promises of every store, the reference model, and what a store leaves behind.

use std::time::Duration;

use snakepit_bridge::core::{SessionId, Status};
use snakepit_bridge::state::conformance::{self, kept};
use snakepit_bridge::state::{Command, RedisOptions, SessionCommand};

use crate::server::RedisServer;
use crate::support::ask;
use crate::support::{about, get, key_of, opened, register, set, subject, with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_every_promise_of_a_store() {
    let server = RedisServer::start();
    conformance::check(&subject(server.url()).await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_the_host_and_the_server() {
    let mut server = RedisServer::start();
    let before = subject(server.url()).await;
    let kept = kept::prepare(&before).await.unwrap();
    before.backend.close().await;
    server.kill();
    server.restart();
    kept.check(&subject(server.url()).await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_session_stays_behind() {
    let server = RedisServer::start();
    let here = subject(server.url()).await;
    let session = opened(&here).await;
    register(&here, &session, "a").await;
    ask(&here, &session, set("a", 1)).await.unwrap();
    // All of one slot of a cluster, and all of it bounded in time.
    for key in server.keys("*") {
        assert!(key.starts_with("{spb}:"), "{key}");
        let left: i64 = redis::from_redis_value(server.command(&["PTTL", &key]).unwrap()).unwrap();
        let is_of_the_store = key.ends_with(":sessions") || key.ends_with(":counter");
        assert_eq!(left > 0, !is_of_the_store, "{key} has {left} ms left");
    }
    let close = SessionCommand::Close { session: &session };
    here.backend.session(close).resolve().await.unwrap();
    let left = server.keys("*");
    assert!(left.len() == 2 && left[0] == "{spb}:counter", "{left:?}");
    here.backend.close().await;
    assert_eq!(server.keys("*"), ["{spb}:counter"]);
    let error = ask(&here, &session, Command::Snapshot).await.unwrap_err();
    assert_eq!(error.status(), Status::Closed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ended_by_itself_leaves_the_list() {
    let server = RedisServer::start();
    let here = subject(server.url()).await;
    let id = SessionId::new("short } {").unwrap();
    let open = SessionCommand::Open { id: &id, about: about(Duration::from_millis(1)) };
    let session = key_of(here.backend.session(open).resolve().await);
    // The server's own word that its time has passed.
    while server.keys("*:session:*") != [""; 0] {}
    assert_eq!(server.keys("*:sessions").len(), 1);
    here.backend.session(SessionCommand::Sweep).resolve().await.unwrap();
    assert_eq!(server.keys("*:sessions").len(), 0);
    let error = ask(&here, &session, Command::Snapshot).await.unwrap_err();
    assert_eq!(error.status(), Status::Closed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prefixes_and_databases_keep_stores_apart() {
    let server = RedisServer::start();
    let here = subject(server.url()).await;
    let session = opened(&here).await;
    register(&here, &session, "a").await;
    let other_prefix = RedisOptions { prefix: "other".into(), ..RedisOptions::new(server.url()) };
    let other_database = RedisOptions::new(format!("{}?db=3", server.url()));
    for options in [other_prefix, other_database] {
        let there = with(options).await;
        let join = SessionCommand::Join { id: &session.id };
        let error = there.backend.session(join).resolve().await.unwrap_err();
        assert_eq!(error.status(), Status::NotFound);
    }
    assert_eq!(get(&here, &session, "a").await.version, 1);
}
