//! Answers that get lost on their way: a relay in front of the server passes every command on and
//! sometimes breaks the connection instead of passing the answer back. The write has happened then,
//! and asking again must find its outcome.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use parking_lot::Mutex;
use snakepit_bridge::core::{SessionId, Status};
use snakepit_bridge::state::{Access, Command, RedisOptions, Reply, SessionCommand, Write};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::server::RedisServer;
use crate::support::{
    about, ask, get, integer, joined, key_of, number, one, opened, set, subject, with,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_asked_for_again() {
    let server = RedisServer::start();
    let relay = Relay::start(&server);
    let here = subject(relay.url()).await;
    let session = opened(&here).await;
    relay.lose_next();
    let registered = one(&here, &session, Command::Register(integer("n", 0))).await.unwrap();
    assert_eq!(registered.version, 1);
    for version in 2..30 {
        relay.lose_next();
        let written = one(&here, &session, set("n", version)).await.unwrap();
        assert_eq!((written.version, written.value), (version, number(version)));
    }
    relay.lose_next();
    let writes = ["n"].map(|name| Write {
        name: name.to_owned(),
        value: number(1),
        expected_version: Some(29),
    });
    let batch = Command::SetMany { writes: writes.to_vec(), owner: None };
    let Reply::Variables(written) = ask(&here, &session, batch).await.unwrap() else { panic!() };
    assert_eq!(written[0].version, 30);
    relay.lose_next();
    let ttl = Duration::from_secs(60);
    let locked = one(&here, &session, Command::Lock { name: "n", owner: "o", ttl }).await.unwrap();
    assert_eq!((locked.version, locked.value), (30, number(1)));
    relay.lose_next();
    ask(&here, &session, Command::Unlock { name: "n", owner: "o" }).await.unwrap();
    relay.lose_next();
    assert_eq!(get(&here, &session, "n").await.version, 30);
    relay.lose_next();
    let delete = Command::Delete { name: "n", access: Access::at(30) };
    ask(&here, &session, delete).await.unwrap();
    relay.lose_next();
    let id = SessionId::generate().unwrap();
    let open = SessionCommand::Open { id: &id, about: about(ttl) };
    let other = key_of(here.backend.session(open).resolve().await);
    relay.lose_next();
    let close = SessionCommand::Close { session: &other };
    here.backend.session(close).resolve().await.unwrap();
    assert_eq!(relay.lost(), 36);
}

/// A copy of a write that was held up on its way comes when nobody waits for it any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_copy_of_a_write_does_nothing() {
    let server = RedisServer::start();
    let relay = Relay::start(&server);
    let timeout = Duration::from_millis(200);
    let here =
        with(RedisOptions { answer_timeout: timeout, ..RedisOptions::new(relay.url()) }).await;
    let session = opened(&here).await;
    one(&here, &session, Command::Register(integer("n", 0))).await.unwrap();
    // The second attempt was successful; it is remembered until another write says otherwise.
    relay.hold_next();
    assert_eq!(one(&here, &session, set("n", 2)).await.unwrap().version, 2);
    let first = relay.held();
    assert!(sent_late(&server, &first).contains("OK"));
    assert_eq!(one(&here, &session, set("n", 3)).await.unwrap().version, 3);
    assert!(sent_late(&server, &first).contains("STALE"));
    // The second attempt was refused, and what it was refused for is over.
    let there = subject(server.url()).await;
    let theirs = joined(&there, &session.id).await;
    let lock = Command::Lock { name: "n", owner: "o", ttl: Duration::from_secs(60) };
    one(&there, &theirs, lock).await.unwrap();
    relay.hold_next();
    let error = ask(&here, &session, set("n", 4)).await.unwrap_err();
    assert_eq!(error.status(), Status::Busy);
    ask(&there, &theirs, Command::Unlock { name: "n", owner: "o" }).await.unwrap();
    assert!(sent_late(&server, &relay.held()).contains("STALE"));
    let variable = get(&here, &session, "n").await;
    assert_eq!((variable.version, variable.value), (3, number(3)));
}

/// The answer of the server itself, as text.
fn sent_late(server: &RedisServer, command: &[u8]) -> String {
    use std::io::{Read, Write};
    let mut stream = std::os::unix::net::UnixStream::connect(server.socket()).unwrap();
    stream.write_all(command).unwrap();
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// Many writers whose answers get lost now and then: none of their increments is lost or doubled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn increments_are_exact_although_answers_are_lost() {
    let server = RedisServer::start();
    let relay = Relay::start(&server);
    let here = subject(relay.url()).await;
    let session = opened(&here).await;
    one(&here, &session, Command::Register(integer("n", 0))).await.unwrap();
    relay.lose_each(20);
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (here, session) = (here.clone(), session.clone());
            tokio::spawn(async move {
                for _ in 0..INCREMENTS {
                    increment(&here, &session).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    relay.lose_each(0);
    let variable = get(&here, &session, "n").await;
    assert_eq!(variable.value, number(WRITERS * INCREMENTS));
    assert_eq!(variable.version, 1 + WRITERS * INCREMENTS);
    assert!(relay.lost() > 3, "only {} answers were lost", relay.lost());
}

async fn increment(
    here: &snakepit_bridge::state::conformance::Subject,
    session: &snakepit_bridge::state::SessionKey,
) {
    loop {
        let before = get(here, session, "n").await;
        let count = before.value.to_document().unwrap().as_u64().unwrap();
        let access = Access::at(before.version);
        let write = Command::Set { name: "n", value: number(count + 1), access };
        match ask(here, session, write).await {
            Ok(_) => return,
            Err(error) => {
                let expected = snakepit_bridge::core::Status::VersionConflict;
                assert_eq!(error.status(), expected, "{error:?}");
            }
        }
    }
}

/// Between a store and its server.
struct Relay {
    folder: TempDir,
    state: Arc<State>,
}

/// Counts answers to scripts.
#[derive(Default)]
struct State {
    /// The next one gets lost.
    wanted: AtomicBool,
    /// Each of this number gets lost; 0 is none.
    each: AtomicUsize,
    passed: AtomicUsize,
    lost: AtomicUsize,
    /// The next script is kept back.
    holds: AtomicBool,
    held: Mutex<Vec<u8>>,
}

impl State {
    fn is_lost(&self) -> bool {
        let each = self.each.load(SeqCst);
        let is_due = each > 0 && self.passed.fetch_add(1, SeqCst) % each == each - 1;
        let is_lost = self.wanted.swap(false, SeqCst) || is_due;
        self.lost.fetch_add(usize::from(is_lost), SeqCst);
        is_lost
    }
}

impl Relay {
    fn start(server: &RedisServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("relay.sock")).unwrap();
        let (state, target) = (Arc::new(State::default()), server.socket());
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&target).await.unwrap();
                tokio::spawn(relay(client, server, shared.clone()));
            }
        });
        Relay { folder, state }
    }

    fn url(&self) -> String {
        format!("redis+unix://{}", self.folder.path().join("relay.sock").display())
    }

    /// The answer to the next script gets lost.
    fn lose_next(&self) {
        self.state.wanted.store(true, SeqCst);
    }

    /// From now on.
    fn lose_each(&self, count: usize) {
        self.state.each.store(count, SeqCst);
    }

    /// The next script does not get to the server.
    fn hold_next(&self) {
        self.state.holds.store(true, SeqCst);
    }

    fn held(&self) -> Vec<u8> {
        std::mem::take(&mut *self.state.held.lock())
    }

    fn lost(&self) -> usize {
        self.state.lost.load(SeqCst)
    }
}

async fn relay(mut client: UnixStream, mut server: UnixStream, state: Arc<State>) {
    let (mut from_client, mut from_server) = (vec![0; 65536], vec![0; 65536]);
    let mut is_script = false;
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let Ok(length @ 1..) = read else { return };
                let sent = &from_client[..length];
                is_script = sent.windows(7).any(|word| word == b"EVALSHA");
                if is_script && state.holds.swap(false, SeqCst) {
                    state.held.lock().extend_from_slice(sent);
                } else {
                    server.write_all(sent).await.unwrap();
                }
            }
            read = server.read(&mut from_server) => {
                let Ok(length @ 1..) = read else { return };
                let answer = &from_server[..length];
                // What was refused for want of the script has not happened.
                let is_outcome = is_script && !answer.starts_with(b"-NOSCRIPT");
                if is_outcome && state.is_lost() {
                    return;
                }
                if client.write_all(answer).await.is_err() {
                    return;
                }
            }
        }
    }
}

const WRITERS: u64 = 4;
const INCREMENTS: u64 = 100;
