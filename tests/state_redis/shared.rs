//! Two hosts on one server, and a host that was away for too long.

use std::time::Duration;

use snakepit_bridge::core::Status;
use snakepit_bridge::state::conformance::shared;
use snakepit_bridge::state::{Command, RedisOptions, SessionCommand, SessionLoss};

use crate::server::RedisServer;
use crate::support::{ask, get, joined, one, opened, register, set, subject, with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_see_each_other() {
    let server = RedisServer::start();
    let (here, there) = (subject(server.url()).await, subject(server.url()).await);
    shared::check(&here, &there).await.unwrap();
}

/// The lease is taken away as if this host had not renewed it in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_lease_is_over_writes_nothing() {
    let server = RedisServer::start();
    let (here, there) = (subject(server.url()).await, subject(server.url()).await);
    let mine = opened(&here).await;
    here.told.listen(mine.incarnation);
    register(&here, &mine, "n").await;
    let theirs = joined(&there, &mine.id).await;
    assert_ne!(mine.lease, theirs.lease);
    server.command(&["DEL", &format!("{{spb}}:host:{}", mine.lease)]).unwrap();
    for command in [set("n", 1), Command::Get { name: "n" }] {
        let error = ask(&here, &mine, command).await.unwrap_err();
        assert_eq!(error.status(), Status::LeaseLost, "{error:?}");
    }
    let close = SessionCommand::Close { session: &mine };
    let error = here.backend.session(close).resolve().await.unwrap_err();
    assert_eq!(error.status(), Status::LeaseLost);
    let heard = here.told.wait(mine.incarnation, |heard| !heard.losses.is_empty()).await.unwrap();
    assert_eq!(heard.losses, [SessionLoss::LeaseLost]);
    // The other host goes on, and this one may join again, under a new lease.
    assert_eq!(one(&there, &theirs, set("n", 2)).await.unwrap().version, 2);
    let again = joined(&here, &mine.id).await;
    assert!(again.lease > mine.lease && again.incarnation == mine.incarnation);
    assert_eq!(one(&here, &again, set("n", 3)).await.unwrap().version, 3);
    let error = ask(&here, &mine, set("n", 4)).await.unwrap_err();
    assert_eq!(error.status(), Status::LeaseLost);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_host_is_told_of_its_lost_lease_and_renews_one_it_has() {
    let server = RedisServer::start();
    let options =
        RedisOptions { lease: Duration::from_millis(600), ..RedisOptions::new(server.url()) };
    let here = with(options).await;
    let session = opened(&here).await;
    here.told.listen(session.incarnation);
    register(&here, &session, "n").await;
    // Several times as long as the lease, on the server's clock.
    let start = server_ms(&server);
    while server_ms(&server) < start + 2000 {}
    assert_eq!(get(&here, &session, "n").await.version, 1);
    server.command(&["DEL", &format!("{{spb}}:host:{}", session.lease)]).unwrap();
    let is_lost = |heard: &snakepit_bridge::state::conformance::Heard| !heard.losses.is_empty();
    let heard = here.told.wait(session.incarnation, is_lost).await.unwrap();
    assert_eq!(heard.losses, [SessionLoss::LeaseLost]);
}

/// A closing that nobody heard, because the listening connection was down, is found afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closing_that_was_not_heard_is_found_later() {
    let mut server = RedisServer::start();
    let here = subject(server.url()).await;
    let session = opened(&here).await;
    here.told.listen(session.incarnation);
    here.backend.follow(&session, true).resolve().await.unwrap();
    server.kill();
    server.restart();
    // As another host would have left it.
    server.command(&["DEL", &format!("{{spb}}:session:{}", session.id)]).unwrap();
    let is_lost = |heard: &snakepit_bridge::state::conformance::Heard| !heard.losses.is_empty();
    let heard = here.told.wait(session.incarnation, is_lost).await.unwrap();
    assert_eq!(heard.losses, [SessionLoss::Ended]);
    assert!(heard.gaps > 0);
}

fn server_ms(server: &RedisServer) -> u64 {
    let time: (u64, u64) = redis::from_redis_value(server.command(&["TIME"]).unwrap()).unwrap();
    time.0 * 1000 + time.1 / 1000
}
