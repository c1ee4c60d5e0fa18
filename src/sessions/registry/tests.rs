//! Opening, using, expiring and closing, with the clock stopped.

use super::*;
use serde_json::json;

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
    let b = sessions.open(named("b"), in_store).unwrap();
    let a = sessions.open(named("a"), in_store).unwrap();
    let generated = sessions.open(OpenSession::default(), in_store).unwrap();
    assert_eq!(ids(&sessions.list())[..2], ["a", "b"]);
    assert!(Arc::ptr_eq(&sessions.get(generated.id()).unwrap(), &generated));

    let error = sessions.open(named("a"), in_store).unwrap_err();
    assert_eq!(error.status(), Status::AlreadyExists);
    assert!(Arc::ptr_eq(&sessions.close(a.id()).unwrap(), &a));
    assert!(a.is_closed() && !b.is_closed());
    assert!(sessions.close(a.id()).is_none());
    assert!(sessions.get(a.id()).is_none());
    let anew = sessions.open(named("a"), in_store).unwrap();
    assert!(a.is_closed() && !anew.is_closed());
    assert_eq!(sessions.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_unused_session_expires_and_a_used_one_does_not() {
    let sessions = Sessions::new(10, Duration::from_millis(1000));
    let used = sessions.open(named("used"), in_store).unwrap();
    let unused = sessions.open(named("unused"), in_store).unwrap();
    let short = OpenSession { ttl: Some(Duration::from_millis(100)), ..named("short") };
    sessions.open(short, in_store).unwrap();
    pass(600).await;
    assert_eq!(ids(&sessions.expire_due(Instant::now())), ["short"]);
    used.touch();
    pass(399).await;
    assert!(sessions.expire_due(Instant::now()).is_empty());
    pass(1).await;
    assert_eq!(ids(&sessions.due(Instant::now())), ["unused"]);
    assert!(!unused.is_closed());
    assert_eq!(ids(&sessions.expire_due(Instant::now())), ["unused"]);
    assert!(unused.is_closed());
    assert!(sessions.expire_due(Instant::now()).is_empty());
    assert_eq!(ids(&sessions.list()), ["used"]);
}

#[tokio::test(start_paused = true)]
async fn a_held_session_does_not_expire_and_its_time_starts_when_it_is_let_go() {
    let sessions = Sessions::new(10, Duration::from_millis(100));
    let session = sessions.open(named("a"), in_store).unwrap();
    let (first, second) = (session.hold(), session.hold());
    pass(1000).await;
    drop(first);
    pass(1000).await;
    assert!(sessions.expire_due(Instant::now()).is_empty());
    drop(second);
    pass(99).await;
    assert!(sessions.expire_due(Instant::now()).is_empty());
    pass(1).await;
    assert_eq!(ids(&sessions.expire_due(Instant::now())), ["a"]);

    let session = sessions.open(named("a"), in_store).unwrap();
    let _held = session.hold();
    assert!(sessions.close(session.id()).is_some());
}

#[tokio::test(start_paused = true)]
async fn info_tells_ages() {
    let sessions = Sessions::new(10, Duration::from_millis(1000));
    let metadata = json!({"user": "ann"}).as_object().cloned();
    let session = sessions.open(OpenSession { metadata, ..named("a") }, in_store).unwrap();
    pass(300).await;
    session.touch();
    pass(200).await;
    let expected = json!({"id": "a", "metadata": {"user": "ann"}, "affinity": "none",
        "age_ms": 500, "idle_ms": 200, "ttl_ms": 1000, "expires_in_ms": 800, "closed": false});
    assert_eq!(session.info(), expected);
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
        let error = sessions.open(options, in_store).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
        assert_eq!(error.details()["field"], field);
    }
    assert!(sessions.is_empty());
    let first = sessions.open(named("a"), in_store).unwrap();
    let error = sessions.open(named("b"), in_store).unwrap_err();
    assert_eq!(error.status(), Status::ResourceExhausted);
    assert_eq!(sessions.open(named("a"), in_store).unwrap_err().status(), Status::AlreadyExists);
    sessions.close(first.id());
    sessions.open(named("b"), in_store).unwrap();
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
                        opened += usize::from(sessions.open(named("a"), in_store).is_ok());
                        ended += match number % 2 {
                            0 => sessions.close(&SessionId::new("a").unwrap()).iter().count(),
                            _ => sessions.expire_due(Instant::now()).len(),
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

/// A store that has every name free.
fn in_store(id: &SessionId, _: SessionAbout) -> Result<SessionKey> {
    Ok(SessionKey { id: id.clone(), incarnation: 1, lease: 0 })
}
