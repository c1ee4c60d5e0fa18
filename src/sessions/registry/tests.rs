//! Opening, using, expiring, losing and closing, with the clock stopped.

use serde_json::json;

use super::*;
use crate::sessions::SessionEnd;
use crate::state::SessionKey;

fn named(id: &str) -> OpenSession {
    OpenSession { id: Some(id.to_owned()), ..OpenSession::default() }
}

fn ids(sessions: &[Arc<Session>]) -> Vec<&str> {
    sessions.iter().map(|session| session.id().as_str()).collect()
}

async fn pass(milliseconds: u64) {
    tokio::time::advance(Duration::from_millis(milliseconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_is_found_by_its_name_until_it_is_closed_once() {
    let sessions = Sessions::new(10, Duration::from_secs(1));
    let b = open(&sessions, named("b")).unwrap();
    let a = open(&sessions, named("a")).unwrap();
    let generated = open(&sessions, OpenSession::default()).unwrap();
    assert_eq!(ids(&sessions.list())[..2], ["a", "b"]);
    assert!(Arc::ptr_eq(&sessions.get(generated.id()).unwrap(), &generated));

    let error = open(&sessions, named("a")).unwrap_err();
    assert_eq!(error.status(), Status::AlreadyExists);
    assert!(close(&sessions, &a));
    assert!(a.is_closed() && !b.is_closed());
    assert!(!close(&sessions, &a));
    assert!(sessions.get(a.id()).is_none());
    let anew = open(&sessions, named("a")).unwrap();
    assert!(a.is_closed() && !anew.is_closed());
    assert_eq!(sessions.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_unused_session_expires_and_a_used_one_does_not() {
    let sessions = Sessions::new(10, Duration::from_millis(1000));
    let used = open(&sessions, named("used")).unwrap();
    let unused = open(&sessions, named("unused")).unwrap();
    let short = OpenSession { ttl: Some(Duration::from_millis(100)), ..named("short") };
    open(&sessions, short).unwrap();
    pass(600).await;
    assert_eq!(ids(&expired(&sessions)), ["short"]);
    used.touch();
    pass(399).await;
    assert!(expired(&sessions).is_empty());
    pass(1).await;
    assert_eq!(ids(&sessions.due(Instant::now())), ["unused"]);
    assert!(!unused.is_closed());
    assert_eq!(ids(&expired(&sessions)), ["unused"]);
    assert!(unused.is_closed());
    assert!(expired(&sessions).is_empty());
    assert_eq!(ids(&sessions.list()), ["used"]);
}

#[tokio::test(start_paused = true)]
async fn a_held_session_does_not_expire_and_its_time_starts_when_it_is_let_go() {
    let sessions = Sessions::new(10, Duration::from_millis(100));
    let session = open(&sessions, named("a")).unwrap();
    let (first, second) = (session.hold(), session.hold());
    pass(1000).await;
    drop(first);
    pass(1000).await;
    assert!(expired(&sessions).is_empty());
    drop(second);
    pass(99).await;
    assert!(expired(&sessions).is_empty());
    pass(1).await;
    assert_eq!(ids(&expired(&sessions)), ["a"]);

    let session = open(&sessions, named("a")).unwrap();
    let _held = session.hold();
    assert!(close(&sessions, &session));
}

#[tokio::test(start_paused = true)]
async fn info_tells_ages() {
    let sessions = Sessions::new(10, Duration::from_millis(1000));
    let metadata = json!({"user": "ann"}).as_object().cloned();
    let session = open(&sessions, OpenSession { metadata, ..named("a") }).unwrap();
    pass(300).await;
    session.touch();
    pass(200).await;
    let expected = json!({"id": "a", "metadata": {"user": "ann"}, "affinity": "none",
        "age_ms": 500, "idle_ms": 200, "ttl_ms": 1000, "expires_in_ms": 800, "closed": false});
    assert_eq!(session.info(), expected);
    let endless = OpenSession { ttl: Some(Duration::MAX), ..named("b") };
    let info = open(&sessions, endless).unwrap().info();
    assert_eq!((&info["ttl_ms"], &info["expires_in_ms"]), (&json!(null), &json!(null)));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_refused() {
    let sessions = Sessions::new(1, Duration::from_secs(1));
    let metadata = json!({"text": "x".repeat(METADATA_BYTES_MAX)}).as_object().cloned();
    for (options, field) in [
        (named(""), "session_id"),
        (OpenSession { metadata, ..named("a") }, "metadata"),
        (OpenSession { ttl: Some(Duration::ZERO), ..named("a") }, "ttl_ms"),
    ] {
        let error = open(&sessions, options).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
        assert_eq!(error.details()["field"], field);
    }
    assert!(sessions.is_empty());
    let first = open(&sessions, named("a")).unwrap();
    let error = open(&sessions, named("b")).unwrap_err();
    assert_eq!(error.status(), Status::ResourceExhausted);
    assert_eq!(open(&sessions, named("a")).unwrap_err().status(), Status::AlreadyExists);
    close(&sessions, &first);
    open(&sessions, named("b")).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_place_is_kept_until_all_is_over_and_given_back_when_nothing_came_of_it() {
    let sessions = Sessions::new(1, Duration::from_secs(1));
    let place = sessions.place().unwrap();
    assert_eq!(sessions.place().unwrap_err().status(), Status::ResourceExhausted);
    drop(place);
    let first = open(&sessions, named("a")).unwrap();
    assert!(first.end(SessionEnd::Closed) && !first.end(SessionEnd::Expired));
    assert_eq!(first.ended(), Some(SessionEnd::Closed));
    assert_eq!(sessions.place().unwrap_err().status(), Status::ResourceExhausted);
    sessions.remove(&first);
    open(&sessions, named("a")).unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_that_is_joined_twice_is_one() {
    let sessions = Sessions::new(10, Duration::from_secs(1));
    let row = row("a", 7);
    let Ok(Admitted::New(first)) = sessions.place().unwrap().admit(row.clone()) else { panic!() };
    let Ok(Admitted::Known(second)) = sessions.place().unwrap().admit(row.clone()) else {
        panic!()
    };
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(sessions.len(), 1);
    // A later one of the same name has to wait until the earlier one has gone.
    let mut later = row;
    later.key.incarnation = 8;
    let error = sessions.place().unwrap().admit(later.clone()).unwrap_err();
    assert_eq!(error.status(), Status::AlreadyExists);
    close(&sessions, &first);
    sessions.place().unwrap().admit(later).unwrap();
    // What the store says of the earlier one does not reach the later one.
    sessions.lose(7, SessionLoss::Ended);
    assert!(!sessions.get(first.id()).unwrap().is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_lost_session_ends_at_once_and_is_handed_out_once() {
    let sessions = Sessions::new(10, Duration::from_secs(1));
    let a = open(&sessions, named("a")).unwrap();
    let b = open(&sessions, named("b")).unwrap();
    sessions.lose(a.key().incarnation, SessionLoss::LeaseLost);
    sessions.lose(a.key().incarnation, SessionLoss::Ended);
    sessions.lose(12_345, SessionLoss::Ended);
    assert_eq!(a.ended(), Some(SessionEnd::LeaseLost));
    assert!(!b.is_closed());
    assert_eq!(ids(&sessions.lost().await), ["a"]);
    let second = tokio::time::timeout(Duration::from_secs(1), sessions.lost()).await;
    assert!(second.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_shared_store_is_told_of_uses_now_and_then_and_asked_before_the_end() {
    let sessions = Sessions::new(10, Duration::from_millis(800));
    let mut shared = row("a", 1);
    (shared.key.lease, shared.about.ttl) = (5, Duration::from_millis(800));
    let Ok(Admitted::New(shared)) = sessions.place().unwrap().admit(shared) else { panic!() };
    open(&sessions, named("own")).unwrap();
    assert_eq!(sessions.shortest_shared_ttl(), Some(Duration::from_millis(800)));
    shared.touch();
    assert!(sessions.used(Instant::now()).is_empty(), "the store knows of the opening");
    pass(100).await;
    shared.touch();
    assert_eq!(ids(&sessions.used(Instant::now())), ["a"]);
    assert!(sessions.used(Instant::now()).is_empty());
    pass(100).await;
    assert!(sessions.used(Instant::now()).is_empty(), "nobody has used it since");
    let held = shared.hold();
    assert_eq!(ids(&sessions.used(Instant::now())), ["a"]);
    drop(held);
    pass(800).await;
    assert!(shared.is_due(Instant::now()));
    shared.used_elsewhere(Instant::now(), Duration::from_millis(300));
    pass(299).await;
    assert!(!shared.is_due(Instant::now()));
    pass(1).await;
    assert!(shared.expire(Instant::now()) && !shared.expire(Instant::now()));
}

/// Eight threads close, expire and reopen the same name: each session is ended by one of them.
#[test]
fn a_session_is_ended_by_exactly_one() {
    let sessions = Sessions::new(10, Duration::from_nanos(1));
    let (opened, ended) = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let sessions = &sessions;
                scope.spawn(move || {
                    let (mut opened, mut ended) = (0, 0);
                    for _ in 0..500 {
                        opened += usize::from(open(sessions, named("a")).is_ok());
                        let found = sessions.get(&SessionId::new("a").unwrap());
                        ended += match (number % 2, found) {
                            (0, Some(session)) => usize::from(close(sessions, &session)),
                            (0, None) => 0,
                            _ => expired(sessions).len(),
                        };
                    }
                    (opened, ended)
                })
            })
            .collect();
        let sums = threads.into_iter().map(|thread| thread.join().unwrap());
        sums.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    });
    assert_eq!(opened, ended + sessions.len());
}

/// Opens a session as the platform does, on a store that has every name free.
fn open(sessions: &Sessions, options: OpenSession) -> Result<Arc<Session>> {
    let (id, about) = sessions.plan(options)?;
    if sessions.get(&id).is_some() {
        return Err(taken(&id));
    }
    let incarnation = INCARNATIONS.fetch_add(1, Ordering::Relaxed);
    let key = SessionKey { id, incarnation, lease: 0 };
    match sessions.place()?.admit(SessionRow { key, about })? {
        Admitted::New(session) => Ok(session),
        Admitted::Known(session) => panic!("{session:?}"),
    }
}

fn row(id: &str, incarnation: u64) -> SessionRow {
    let key = SessionKey { id: SessionId::new(id).unwrap(), incarnation, lease: 0 };
    let ttl = Duration::from_secs(1);
    SessionRow { key, about: SessionAbout { metadata: "{}".into(), ttl, affinity: Affinity::None } }
}

fn close(sessions: &Sessions, session: &Arc<Session>) -> bool {
    let is_mine = session.end(SessionEnd::Closed);
    if is_mine {
        sessions.remove(session);
    }
    is_mine
}

fn expired(sessions: &Sessions) -> Vec<Arc<Session>> {
    let now = Instant::now();
    let mut due = sessions.due(now);
    due.sort_unstable_by(|a, b| a.id().cmp(b.id()));
    due.retain(|session| session.expire(now));
    due.iter().for_each(|session| sessions.remove(session));
    due
}

static INCARNATIONS: AtomicU64 = AtomicU64::new(100);
