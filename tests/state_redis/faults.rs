//! A server that fails: nothing is written twice, nothing acknowledged is lost, and whoever cannot
//! be served is told so in time, and whether anything happened.

use std::time::Duration;

use snakepit_bridge::core::Status;
use snakepit_bridge::state::{Access, Command, RedisOptions, RedisStore, Update};
use tokio::runtime::Handle;

use crate::server::RedisServer;
use crate::support::{
    ask, get, impatient, joined, number, one, opened, register, set, subject, with,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgot_its_scripts_is_given_them_again() {
    let server = RedisServer::start();
    let here = subject(server.url()).await;
    let session = opened(&here).await;
    register(&here, &session, "n").await;
    for version in 2..6 {
        server.command(&["SCRIPT", "FLUSH"]).unwrap();
        assert_eq!(one(&here, &session, set("n", version)).await.unwrap().version, version);
        server.command(&["SCRIPT", "FLUSH"]).unwrap();
        assert_eq!(get(&here, &session, "n").await.version, version);
    }
}

/// Killed in the middle of writes: each acknowledged one is there, each unknown one at most once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_nothing_acknowledged() {
    let mut server = RedisServer::start();
    let here = subject(server.url()).await;
    let session = opened(&here).await;
    register(&here, &session, "n").await;
    here.told.listen(session.incarnation);
    here.backend.follow(&session, true).resolve().await.unwrap();
    let (writer, key) = (here.clone(), session.clone());
    let (said, mut heard) = tokio::sync::mpsc::channel(1024);
    let writing = tokio::spawn(async move {
        for value in 1..=300 {
            one(&writer, &key, set("n", value)).await.unwrap();
            said.send(value).await.unwrap();
        }
    });
    for kill_at in [40, 120, 200] {
        while heard.recv().await.unwrap() < kill_at {}
        server.kill();
        server.restart();
    }
    while heard.recv().await.is_some() {}
    writing.await.unwrap();
    // Every write was made, and none twice, although answers were lost.
    let variable = get(&here, &session, "n").await;
    assert_eq!((variable.version, variable.value), (301, number(300)));
    // Whoever watches knows that it may have missed something, and hears what comes then.
    let incarnation = session.incarnation;
    here.told.wait(incarnation, |heard| heard.gaps > 0).await.unwrap();
    here.backend.follow(&session, true).resolve().await.unwrap();
    one(&here, &session, set("n", 7)).await.unwrap();
    let is_there = |heard: &snakepit_bridge::state::conformance::Heard| {
        heard.changes.last().is_some_and(|change| change.version == 302)
    };
    here.told.wait(incarnation, is_there).await.unwrap();
}

/// The server stands still for longer than an answer may take, several times over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_executes_each_write_once() {
    let server = RedisServer::start();
    let patient = RedisOptions {
        answer_timeout: Duration::from_millis(300),
        ..RedisOptions::new(server.url())
    };
    let here = with(patient).await;
    let session = opened(&here).await;
    register(&here, &session, "n").await;
    server.pause();
    let writers: Vec<_> = (1..=8)
        .map(|value| {
            let (here, session) = (here.clone(), session.clone());
            tokio::spawn(async move { one(&here, &session, set("n", value)).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(5)).await;
    server.resume();
    let mut versions = Vec::new();
    for writer in writers {
        versions.push(writer.await.unwrap().unwrap().version);
    }
    versions.sort_unstable();
    assert_eq!(versions, (2..=9).collect::<Vec<_>>());
    assert_eq!(get(&here, &session, "n").await.version, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_without_an_answer_in_time_has_an_unknown_outcome() {
    let server = RedisServer::start();
    let here = with(impatient(server.url())).await;
    let session = opened(&here).await;
    register(&here, &session, "n").await;
    server.pause();
    let error = ask(&here, &session, set("n", 1)).await.unwrap_err();
    assert_eq!((error.status(), error.is_retryable()), (Status::Store, false), "{error:?}");
    assert_eq!(error.details()["outcome"], "unknown");
    let error = ask(&here, &session, Command::Get { name: "n" }).await.unwrap_err();
    assert_eq!((error.status(), error.is_retryable()), (Status::Unavailable, true), "{error:?}");
    server.resume();
    let version = get(&here, &session, "n").await.version;
    assert!(version == 1 || version == 2, "{version}");
    assert_eq!(one(&here, &session, set("n", 2)).await.unwrap().version, version + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_only_reads_takes_writes_again_when_it_may() {
    let server = RedisServer::start();
    let here = with(impatient(server.url())).await;
    let session = opened(&here).await;
    register(&here, &session, "n").await;
    let waiting = with(RedisOptions::new(server.url())).await;
    let key = joined(&waiting, &session.id).await;
    server.command(&["REPLICAOF", "127.0.0.1", "1"]).unwrap();
    let error = ask(&here, &session, set("n", 1)).await.unwrap_err();
    assert_eq!((error.status(), error.is_retryable()), (Status::Unavailable, true), "{error:?}");
    assert_eq!(error.details()["cause"], "READONLY");
    assert_eq!(error.details()["outcome"], "none");
    // Reading goes on.
    assert_eq!(get(&here, &session, "n").await.version, 1);
    let writing = tokio::spawn(async move { one(&waiting, &key, set("n", 2)).await });
    server.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    assert_eq!(writing.await.unwrap().unwrap().version, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_runs_a_long_script_is_waited_for() {
    let server = RedisServer::start_with(&["--busy-reply-threshold", "50"]);
    let here = with(impatient(server.url())).await;
    let session = opened(&here).await;
    register(&here, &session, "n").await;
    let url = server.url();
    let blocking = std::thread::spawn(move || {
        let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
        redis::cmd("EVAL").arg("while true do end").arg(0).query::<redis::Value>(&mut connection)
    });
    while !server.command(&["GET", "x"]).is_err_and(|error| error.contains("busy")) {}
    // Only the first attempt may have been taken in before the server began to say BUSY.
    let error = ask(&here, &session, set("n", 1)).await.unwrap_err();
    assert_eq!((error.status(), error.is_retryable()), (Status::Unavailable, true), "{error:?}");
    assert_eq!(error.details()["cause"], "BUSY");
    server.command(&["SCRIPT", "KILL"]).unwrap();
    assert!(blocking.join().unwrap().is_err());
    assert_eq!(one(&here, &session, set("n", 2)).await.unwrap().version, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_memory_refuses_writes_and_loses_nothing() {
    let server = RedisServer::start();
    let here = with(impatient(server.url())).await;
    let session = opened(&here).await;
    register(&here, &session, "n").await;
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let error = ask(&here, &session, set("n", 1)).await.unwrap_err();
    assert_eq!(error.status(), Status::Unavailable, "{error:?}");
    assert_eq!(error.details()["cause"], "OOM");
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    assert_eq!(one(&here, &session, set("n", 2)).await.unwrap().version, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_lost_with_the_server_is_not_mistaken_for_what_comes_then() {
    let mut server = RedisServer::start_with(&["--appendonly", "no"]);
    let here = subject(server.url()).await;
    let before = opened(&here).await;
    here.told.listen(before.incarnation);
    register(&here, &before, "n").await;
    server.kill();
    server.restart();
    let error = ask(&here, &before, set("n", 1)).await.unwrap_err();
    assert_eq!(error.status(), Status::Closed);
    let after = opened(&here).await;
    assert!(after.incarnation > before.incarnation && after.lease > before.lease);
    register(&here, &after, "n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reckoning_over_what_another_host_changed_begins_again() {
    let server = RedisServer::start();
    let (here, there) = (subject(server.url()).await, subject(server.url()).await);
    let mine = opened(&here).await;
    register(&here, &mine, "n").await;
    let theirs = joined(&there, &mine.id).await;
    // What this host remembers is outdated by a write, then by another variable of the same name.
    one(&there, &theirs, set("n", 5)).await.unwrap();
    let update = Update::parse(&value(r#"{"add":1}"#)).unwrap();
    let updating = Command::Update { name: "n", update: &update, access: Access::ANY };
    assert_eq!(one(&here, &mine, updating.clone()).await.unwrap().version, 3);
    let delete = Command::Delete { name: "n", access: Access::ANY };
    ask(&there, &theirs, delete).await.unwrap();
    let mut text = crate::support::integer("n", 0);
    text.rule = snakepit_bridge::state::Rule::new("string", &Default::default()).unwrap();
    text.value = value("\"a\"");
    one(&there, &theirs, Command::Register(text)).await.unwrap();
    let refused = ask(&here, &mine, updating).await.unwrap_err();
    assert_eq!(refused.status(), Status::TypeMismatch);
    let write = Command::Set { name: "n", value: value("\"b\""), access: Access::at(1) };
    assert_eq!(one(&here, &mine, write).await.unwrap().version, 2);
}

#[tokio::test]
async fn whoever_cannot_be_reached_is_named_without_a_secret() {
    let server = RedisServer::start_with(&["--requirepass", "right"]);
    let wrong = RedisOptions { password: Some("wrong".into()), ..impatient(server.url()) };
    let connect = |options| {
        RedisStore::connect(
            options,
            snakepit_bridge::state::conformance::LIMITS,
            std::sync::Arc::new(()),
            Handle::current(),
        )
    };
    for options in [wrong, impatient(server.url())] {
        let error = connect(options).await.map(drop).unwrap_err();
        assert_eq!(
            (error.status(), &error.details()["field"]),
            (Status::InvalidArgument, &"password".into())
        );
        assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
    }
    let right = RedisOptions { password: Some("right".into()), ..impatient(server.url()) };
    opened(&with(right).await).await;
    let nobody = impatient("redis+unix:///nowhere/redis.sock");
    let error = connect(nobody).await.map(drop).unwrap_err();
    assert_eq!((error.status(), error.is_retryable()), (Status::Unavailable, true), "{error:?}");
}

fn value(document: &'static str) -> snakepit_bridge::core::Value {
    snakepit_bridge::core::Value::from_json(document).unwrap()
}
