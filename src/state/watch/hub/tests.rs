//! The hub with the memory store behind it, and with one that takes its time to follow.

use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use super::*;
use crate::core::{Affinity, SessionId, Status, Value};
use crate::state::{
    Access, Command, MemoryStore, NewVariable, Reply, Rule, SessionAbout, SessionCommand,
    SessionReply, StoreLimits, Watch, WatchEvent, WatchObserver, WatchOptions, WatchPatterns,
    WatchQueue, Watcher,
};

const LIMITS: StoreLimits =
    StoreLimits { variables_max: 100, bytes_max: 1 << 20, history_max: 2, history_bytes_max: 1024 };

/// Takes every event at once and keeps it in words.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl WatchObserver for Diary {
    fn ready(&self, _: &Arc<Watcher>, events: &mut WatchQueue) {
        let Some(event) = events.pop() else { panic!("woken for nothing") };
        self.0.lock().push(match event {
            WatchEvent::Initial(held) => format!("initial {} {}", held.name(), held.version),
            WatchEvent::Change(change) => format!("{} {}", change.name, change.version),
            WatchEvent::Missed(missed) => format!("missed {}", missed.count),
            WatchEvent::End(end) => format!("{end:?}"),
        });
    }
}

impl Diary {
    fn read(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }
}

struct Place {
    hub: Arc<Watches>,
    store: Arc<dyn Backend>,
    session: SessionKey,
}

impl Place {
    async fn new() -> Self {
        let hub = Watches::new(Handle::current());
        let store: Arc<dyn Backend> = Arc::new(MemoryStore::new(LIMITS, hub.clone()));
        let about = SessionAbout {
            metadata: Bytes::new(),
            ttl: Duration::from_secs(9),
            affinity: Affinity::None,
        };
        let id = SessionId::new("s").unwrap();
        let opened = store.session(SessionCommand::Open { id: &id, about }).resolve().await;
        let Ok(SessionReply::Opened(row)) = opened else { panic!("not opened") };
        Place { hub, store, session: row.key }
    }

    async fn register(&self, name: &str) {
        let rule = Rule::new("integer", &Bytes::new()).unwrap();
        let value = Value::from_json("1").unwrap();
        let new = NewVariable { name: name.into(), rule, metadata: Bytes::new(), value };
        self.store.apply(&self.session, Command::Register(new)).resolve().await.unwrap();
    }

    async fn set(&self, name: &str) -> u64 {
        let (value, access) = (Value::from_json("2").unwrap(), Access::ANY);
        let set = Command::Set { name, value, access };
        match self.store.apply(&self.session, set).resolve().await {
            Ok(Reply::Variable(variable)) => variable.version,
            other => panic!("{other:?}"),
        }
    }

    async fn watch(&self, patterns: &[&str], initial: bool) -> (Watch, Arc<Diary>) {
        let diary = Arc::new(Diary::default());
        let options = WatchOptions { initial, ..WatchOptions::default() };
        let patterns = WatchPatterns::new(patterns.iter().copied()).unwrap();
        let watch = self.hub.watch(&self.store, &self.session, patterns, options, diary.clone());
        (watch.resolve().await.unwrap(), diary)
    }
}

#[tokio::test]
async fn each_watcher_hears_of_its_own_names_and_nothing_after_its_end() {
    let place = Place::new().await;
    assert!(!place.hub.wants(place.session.incarnation));
    place.register("a1").await;
    let (watch, diary) = place.watch(&["a*", "c"], true).await;
    let (other, of_other) = place.watch(&[], false).await;
    assert!(place.hub.wants(place.session.incarnation));
    assert!(!place.hub.wants(place.session.incarnation + 1), "of another session");
    place.register("b").await;
    place.register("c").await;
    place.set("a1").await;
    assert_eq!(diary.read(), ["initial a1 1", "c 1", "a1 2"]);
    assert_eq!(of_other.read(), ["b 1", "c 1", "a1 2"]);
    watch.stop();
    drop(watch);
    place.set("a1").await;
    assert_eq!(diary.read(), ["Stopped"]);
    assert_eq!(Arc::strong_count(&diary), 1, "the observer is let go of");
    place.hub.end(place.session.incarnation, WatchEnd::SessionClosed);
    place.hub.end(place.session.incarnation, WatchEnd::SessionClosed);
    drop(other);
    assert_eq!(of_other.read(), ["a1 3", "SessionClosed"]);
    assert!(place.hub.is_empty() && place.hub.sessions.read().followed.is_empty());
}

#[tokio::test]
async fn a_store_that_lost_sight_is_told_on_and_one_that_lost_a_session_ends_it() {
    let place = Place::new().await;
    let lost = Arc::new(Mutex::new(Vec::new()));
    let heard = lost.clone();
    place.hub.on_lost(Box::new(move |incarnation, loss| heard.lock().push((incarnation, loss))));
    let (_watch, diary) = place.watch(&[], false).await;
    place.hub.gap(place.session.incarnation);
    place.hub.lost(place.session.incarnation, SessionLoss::LeaseLost);
    assert_eq!(diary.read(), ["missed 0", "SessionLost(LeaseLost)"]);
    assert_eq!(*lost.lock(), [(place.session.incarnation, SessionLoss::LeaseLost)]);
    assert!(place.hub.is_empty());
}

#[tokio::test]
async fn a_closed_hub_ends_what_it_has_and_whatever_comes() {
    let place = Place::new().await;
    let (_watch, diary) = place.watch(&[], false).await;
    place.hub.close();
    let (_late, of_late) = place.watch(&[], false).await;
    assert_eq!(diary.read(), ["PlatformClosed"]);
    assert_eq!(of_late.read(), ["PlatformClosed"]);
}

#[tokio::test]
async fn a_watch_that_cannot_begin_fails_without_an_event() {
    let place = Place::new().await;
    let end = SessionCommand::Close { session: &place.session };
    place.store.session(end).resolve().await.unwrap();
    let diary = Arc::new(Diary::default());
    let options = WatchOptions { initial: true, ..WatchOptions::default() };
    let patterns = WatchPatterns::new([]).unwrap();
    let watch = place.hub.watch(&place.store, &place.session, patterns, options, diary.clone());
    let error = watch.resolve().await.map(drop).unwrap_err();
    assert_eq!(error.status(), Status::Closed);
    assert_eq!(diary.read(), [""; 0]);
    assert!(place.hub.is_empty());
}

/// A store that follows late, and notes what it was asked.
struct Slow(Arc<Mutex<Vec<bool>>>);

impl Backend for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn session(&self, _: SessionCommand<'_>) -> Pending<Result<SessionReply>> {
        Pending::Ready(Ok(SessionReply::Done))
    }

    fn apply(&self, _: &SessionKey, _: Command<'_>) -> Pending<Result<Reply>> {
        Pending::Ready(Ok(Reply::Done))
    }

    fn follow(&self, _: &SessionKey, on: bool) -> Pending<Result<()>> {
        let asked = self.0.clone();
        let later = async move {
            tokio::task::yield_now().await;
            asked.lock().push(on);
            Ok(())
        };
        Pending::Later(later.boxed())
    }
}

#[tokio::test]
async fn a_slow_store_is_asked_in_order_whoever_comes_and_goes() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut place = Place::new().await;
    place.store = Arc::new(Slow(asked.clone()));
    for _ in 0..20 {
        let (first, second) = tokio::join!(place.watch(&[], false), place.watch(&[], false));
        drop((first, second));
        let (third, _) = place.watch(&[], false).await;
        assert_eq!(asked.lock().last(), Some(&true), "followed while somebody watches");
        drop(third);
    }
    while !place.hub.sessions.read().followed.is_empty() {
        tokio::task::yield_now().await;
    }
    let asked = asked.lock();
    assert!(asked.iter().zip(asked.iter().skip(1)).all(|(a, b)| a != b), "{asked:?}");
    assert_eq!((asked.first(), asked.last()), (Some(&true), Some(&false)));
}
