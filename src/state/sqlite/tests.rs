//! The SQLite store against the suite, the model, restarts, other owners and a file that fails.
//! Faults are planted from outside: by triggers in the file, and by a limit on its pages.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::runtime::{Builder, Handle};

use super::*;
use crate::core::{Affinity, Attachment, DType, SessionId, Tensor, Value};
use crate::state::change::Change;
use crate::state::conformance::{self, Scale, Subject, Told};
use crate::state::key::{SessionAbout, SessionRow};
use crate::state::model::{self, Clock};
use crate::state::{Access, NewVariable, Past, Rule, Variable, Write};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_every_promise_of_a_store_and_across_a_restart() {
    let place = Place::new();
    let open = || {
        let told = Arc::new(Told::default());
        let backend: Arc<dyn Backend> =
            Arc::new(SqliteStore::open(&place.path(), conformance::LIMITS, told.clone()).unwrap());
        Subject { backend, told, runtime: Handle::current(), scale: Scale::SHORT }
    };
    let subject = open();
    conformance::check(&subject).await.unwrap();
    let kept = conformance::kept::prepare(&subject).await.unwrap();
    subject.backend.close().await;
    let subject = open();
    kept.check(&subject).await.unwrap();
    subject.backend.close().await;
}

/// 10,000 random steps, in sequences of 200 that shrink when they fail.
#[test]
fn random_steps_come_to_what_the_model_says() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let config = Config { cases: 50, failure_persistence: None, ..Config::default() };
    let sequences = proptest::collection::vec(any::<u64>(), 200);
    let outcome = TestRunner::new(config).run(&sequences, |numbers| {
        let place = Place::new();
        let told = Arc::new(Told::default());
        let store = SqliteStore::open(&place.path(), model::LIMITS, told.clone()).unwrap();
        let (backend, handle) = (Arc::new(store), runtime.handle().clone());
        let subject =
            Subject { backend: backend.clone(), told, runtime: handle, scale: Scale::SHORT };
        let outcome = runtime.block_on(async {
            let outcome = model::check(&subject, &numbers, Clock::Real).await;
            backend.close().await;
            outcome
        });
        outcome.map_err(TestCaseError::fail)
    });
    outcome.unwrap();
}

#[tokio::test]
async fn everything_comes_back_after_a_restart() {
    let place = Place::new();
    let store = place.open();
    let row = opened(&store, &session_id("kept")).await;
    let tensor = Tensor::new(DType::BFloat16, vec![2, 1], vec![1, 2, 3, 4]).unwrap();
    let attachments = vec![Attachment::Tensor(tensor), Attachment::Blob(Bytes::from_static(b"\0"))];
    let document = r#"[ {"$spb":{"attachment":1}},{"$spb":{"attachment":0}} ]"#;
    let values = [
        Value::from_json(" 18446744073709551615 ").unwrap(),
        Value::new(document, attachments).unwrap(),
        Value::from_json("{\"b\" : 1, \"a\":[ ]}").unwrap(),
    ];
    registered(&store, &row.key, "deleted", values[0].clone()).await;
    delete(&store, &row.key, "deleted").await.unwrap();
    let first = registered(&store, &row.key, "v", values[0].clone()).await;
    for value in &values[1..] {
        set(&store, &row.key, "v", value.clone()).await.unwrap();
    }
    lock(&store, &row.key, "v", "owner").await;
    let before = history(&store, &row.key, "v").await;
    store.close().await;

    let store = place.open();
    let found = match store.session(SessionCommand::List { after: None, limit: 9 }).resolve().await
    {
        Ok(SessionReply::Sessions(found)) => found,
        other => panic!("{other:?}"),
    };
    assert_eq!(found, std::slice::from_ref(&row));
    assert_eq!(joined(&store, "kept").await.unwrap(), row);
    let after = history(&store, &row.key, "v").await;
    assert_eq!(after, before);
    assert_eq!(
        after.iter().map(|past| &past.value).collect::<Vec<_>>(),
        values.iter().collect::<Vec<_>>()
    );
    let variable = get(&store, &row.key, "v").await.unwrap();
    assert_eq!((variable.version, variable.definition.id), (3, first.definition.id));
    assert_eq!(
        (variable.constraints(), variable.metadata()),
        (first.constraints(), first.metadata())
    );
    assert_eq!(variable.lock, None, "whoever locked it is gone");
    assert_eq!(set(&store, &row.key, "v", Value::null()).await.unwrap().version, 4);
    let second = registered(&store, &row.key, "w", Value::null()).await;
    assert!(second.definition.id > variable.definition.id + 2, "ids of a session go on");
    store.close().await;
}

#[tokio::test]
async fn a_name_opened_anew_is_another_session_after_a_restart_too() {
    let place = Place::new();
    let store = place.open();
    let old = opened(&store, &session_id("s")).await.key;
    registered(&store, &old, "v", Value::null()).await;
    end(&store, &old).await;
    store.close().await;
    let store = place.open();
    assert_eq!(joined(&store, "s").await.unwrap_err().status(), Status::NotFound);
    let new = opened(&store, &session_id("s")).await.key;
    assert!(new.incarnation > old.incarnation);
    assert_eq!(get(&store, &old, "v").await.unwrap_err().status(), Status::Closed);
    assert_eq!(get(&store, &new, "v").await.unwrap_err().status(), Status::NotFound);
    store.close().await;
}

#[tokio::test]
async fn a_sweep_ends_what_nobody_wants_and_whose_time_has_passed() {
    let place = Place::new();
    let store = place.open();
    for (id, ttl_ms) in [("short", 1), ("joined", 1), ("long", 3_600_000)] {
        let ttl = Duration::from_millis(ttl_ms);
        open(&store, &session_id(id), ttl).await.unwrap();
    }
    let sweep = async |store: &SqliteStore| {
        store.session(SessionCommand::Sweep).resolve().await.unwrap();
    };
    sweep(&store).await;
    assert_eq!(ids(&store).await, ["joined", "long", "short"], "all are open on this host");
    store.close().await;
    let store = place.open();
    joined(&store, "joined").await.unwrap();
    within_time(async || {
        sweep(&store).await;
        ids(&store).await == ["joined", "long"]
    })
    .await;
    store.close().await;
}

#[tokio::test]
async fn a_file_has_one_owner() {
    let place = Place::new();
    let store = place.open();
    let error = place.refusal();
    assert_eq!(error.status(), Status::Busy);
    assert!(error.message().contains("state.db"), "{error}");
    let row = opened(&store, &session_id("s")).await;
    registered(&store, &row.key, "v", Value::null()).await;
    assert_eq!(place.refusal().status(), Status::Busy);
    store.close().await;
    place.open().close().await;
}

#[tokio::test]
async fn files_that_are_no_stores_are_refused_and_left_alone() {
    let place = Place::new();
    let refused = |expected: Status, word: &str| {
        let before = std::fs::read(place.path()).unwrap();
        let error = place.refusal();
        assert_eq!(error.status(), expected, "{error}");
        assert!(error.message().contains(word), "{error}");
        assert_eq!(std::fs::read(place.path()).unwrap(), before, "{word}");
    };
    std::fs::write(
        place.path(),
        "certainly not a database, but long enough for a header".repeat(20),
    )
    .unwrap();
    refused(Status::Store, "not a database");
    std::fs::remove_file(place.path()).unwrap();
    Connection::open(place.path()).unwrap().execute_batch("CREATE TABLE a (b)").unwrap();
    refused(Status::Store, "another application");
    std::fs::remove_file(place.path()).unwrap();
    place.open().close().await;
    place.raw("PRAGMA user_version=7");
    refused(Status::Unsupported, "schema version 7");
    let nowhere = SqliteStore::open(&place.folder.path().join("no/state.db"), LIMITS, Arc::new(()));
    assert_eq!(nowhere.err().unwrap().status(), Status::Store);
}

#[tokio::test]
async fn a_damaged_file_is_told_and_nothing_is_made_up() {
    let place = Place::new();
    let store = place.open();
    let row = opened(&store, &session_id("s")).await;
    let text = Value::from_json(format!("\"{}\"", "x".repeat(100_000))).unwrap();
    registered(&store, &row.key, "v", text).await;
    store.close().await;
    let mut bytes = std::fs::read(place.path()).unwrap();
    // The header stays, so that it is opened; every page behind it is overwritten.
    bytes[4096..].fill(0xa5);
    std::fs::write(place.path(), bytes).unwrap();
    let store = place.open();
    let error = get(&store, &row.key, "v").await.unwrap_err();
    assert_eq!(error.status(), Status::Store, "{error:?}");
    assert!(error.message().contains("damaged"), "{error}");
    store.close().await;
}

#[tokio::test]
async fn a_full_disk_refuses_what_does_not_fit_and_keeps_the_rest() {
    let place = Place::new();
    let store = SqliteStore::open_within(&place.path(), LIMITS, Arc::new(()), Some(40)).unwrap();
    let session = opened(&store, &session_id("s")).await.key;
    for name in ["a", "b"] {
        registered(&store, &session, name, Value::null()).await;
    }
    let large = Value::from_json(format!("\"{}\"", "x".repeat(200_000))).unwrap();
    let small = Value::from_json("1").unwrap();
    // They share a transaction, or not; each comes to the same.
    let writes = [("a", &small), ("b", &large), ("a", &small), ("b", &small)];
    let asked: Vec<_> = writes.map(|(name, value)| ask_set(&store, &session, name, value)).into();
    let mut statuses = Vec::new();
    for (number, asked) in asked.into_iter().enumerate() {
        match asked.resolve().await {
            Ok(_) => statuses.push(Status::Ok),
            Err(error) => {
                assert!(error.is_retryable() && number == 1, "{error:?}");
                assert_eq!(error.details()["outcome"], "none");
                statuses.push(error.status());
            }
        }
    }
    use Status::{Ok as Done, ResourceExhausted};
    assert_eq!(statuses, [Done, ResourceExhausted, Done, Done]);
    let batch = vec![write("a", Value::null()), write("b", large.clone())];
    let error = set_many(&store, &session, batch).await.unwrap_err();
    assert_eq!(error.status(), Status::ResourceExhausted);
    for (name, version) in [("a", 3), ("b", 2)] {
        let variable = get(&store, &session, name).await.unwrap();
        assert_eq!((variable.version, &variable.value), (version, &small), "{name}");
    }
    store.close().await;
    let store = place.open();
    assert_eq!(get(&store, &session, "a").await.unwrap().version, 3);
    assert_eq!(place.check(store).await, "ok");
}

/// The commit itself fails: a trigger leaves a reference that leads nowhere, which SQLite refuses
/// at the end of the transaction.
#[tokio::test]
async fn a_commit_that_fails_takes_nobody_else_along() {
    let place = Place::new();
    place.open().close().await;
    place.raw(
        "CREATE TABLE leads (a INTEGER REFERENCES nowhere(b) DEFERRABLE INITIALLY DEFERRED);
         CREATE TABLE nowhere (b INTEGER PRIMARY KEY);
         CREATE TRIGGER poison AFTER INSERT ON contents WHEN NEW.document=CAST('\"poison\"' AS BLOB)
         BEGIN INSERT INTO leads VALUES (1); END;",
    );
    let heard = Arc::new(Heard::default());
    let store = SqliteStore::open(&place.path(), LIMITS, heard.clone()).unwrap();
    let session = opened(&store, &session_id("s")).await.key;
    registered(&store, &session, "v", Value::null()).await;
    let poison = Value::from_json("\"poison\"").unwrap();
    let values = [Value::null(), poison.clone(), Value::null(), poison, Value::null()];
    let asked: Vec<_> = values.iter().map(|value| ask_set(&store, &session, "v", value)).collect();
    let mut versions = Vec::new();
    for asked in asked {
        versions.push(match asked.resolve().await {
            Ok(Reply::Variable(variable)) => variable.version,
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                assert_eq!(error.status(), Status::Store);
                0
            }
        });
    }
    assert_eq!(versions, [2, 0, 3, 0, 4]);
    // What was rolled back was told to nobody, and left no gap.
    let heard =
        heard.0.lock().iter().map(|change| (change.revision, change.version)).collect::<Vec<_>>();
    assert_eq!(heard, [(1, 1), (2, 2), (3, 3), (4, 4)]);
    store.close().await;
}

/// A statement in the middle of a batch fails; the lock that was taken before it stays.
#[tokio::test]
async fn a_batch_that_fails_in_the_middle_leaves_nothing() {
    let place = Place::new();
    place.open().close().await;
    place.raw(
        "CREATE TRIGGER poison BEFORE INSERT ON contents
         WHEN NEW.document=CAST('\"poison\"' AS BLOB)
         BEGIN SELECT RAISE(FAIL, 'poison'); END;",
    );
    let store = place.open();
    let session = opened(&store, &session_id("s")).await.key;
    for name in ["a", "b"] {
        registered(&store, &session, name, Value::from_json("0").unwrap()).await;
    }
    lock(&store, &session, "a", "owner").await;
    let batch = vec![
        write("b", Value::from_json("1").unwrap()),
        write("a", Value::from_json("\"poison\"").unwrap()),
    ];
    let writes = Command::SetMany { writes: batch, owner: Some("owner") };
    let error = store.apply(&session, writes).resolve().await.unwrap_err();
    assert_eq!(error.status(), Status::Store);
    for name in ["a", "b"] {
        let variable = get(&store, &session, name).await.unwrap();
        assert_eq!((variable.version, variable.value.json().as_ref()), (1, b"0".as_slice()));
    }
    let error = set(&store, &session, "a", Value::null()).await.unwrap_err();
    assert_eq!(error.status(), Status::Busy);
    store.close().await;
}

#[tokio::test]
async fn closing_finishes_what_was_asked_before() {
    let place = Place::new();
    let store = place.open();
    let session = opened(&store, &session_id("s")).await.key;
    registered(&store, &session, "v", Value::null()).await;
    let asked: Vec<_> = (0..300).map(|_| ask_set(&store, &session, "v", &Value::null())).collect();
    store.close().await;
    for asked in asked {
        asked.resolve().await.unwrap();
    }
    assert_eq!(get(&store, &session, "v").await.unwrap_err().status(), Status::Closed);
    store.close().await;
    assert!(!place.path().with_extension("db-wal").exists(), "the log is written back");
    let store = place.open();
    assert_eq!(get(&store, &session, "v").await.unwrap().version, 301);
    store.close().await;
}

#[tokio::test]
async fn more_commands_than_the_queue_holds_wait_their_turn() {
    let place = Place::new();
    let store = place.open();
    let session = opened(&store, &session_id("s")).await.key;
    registered(&store, &session, "v", Value::null()).await;
    let count = SQLITE_QUEUE_MAX as u64 + 200;
    let asked = (0..count).map(|_| {
        let asked = ask_set(&store, &session, "v", &Value::null());
        async move { asked.resolve().await.unwrap() }
    });
    futures_util::future::join_all(asked).await;
    assert_eq!(get(&store, &session, "v").await.unwrap().version, count + 1);
    store.close().await;
}

/// A file in a folder of its own.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Place { folder: TempDir::new().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("state.db")
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.path(), LIMITS, Arc::new(())).unwrap()
    }

    fn refusal(&self) -> Error {
        SqliteStore::open(&self.path(), LIMITS, Arc::new(())).err().unwrap()
    }

    /// Changes the file behind the store's back.
    fn raw(&self, sql: &str) {
        Connection::open(self.path()).unwrap().execute_batch(sql).unwrap();
    }

    async fn check(&self, store: SqliteStore) -> String {
        store.close().await;
        let file = Connection::open(self.path()).unwrap();
        file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
    }
}

/// Every change that was told.
#[derive(Default)]
struct Heard(Mutex<Vec<Change>>);

impl ChangeSink for Heard {
    fn wants(&self, _: u64) -> bool {
        true
    }

    fn changed(&self, _: u64, change: Change) {
        self.0.lock().push(change);
    }

    fn gap(&self, _: u64) {}

    fn lost(&self, _: u64, _: crate::state::SessionLoss) {}
}

async fn within_time(mut is_so: impl AsyncFnMut() -> bool) {
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    while !is_so().await {
        assert!(tokio::time::Instant::now() < until, "not within 30 s");
        tokio::task::yield_now().await;
    }
}

fn session_id(text: &str) -> SessionId {
    SessionId::new(text).unwrap()
}

async fn open(store: &SqliteStore, id: &SessionId, ttl: Duration) -> Result<SessionRow> {
    let metadata = Bytes::from_static(b"{ \"who\":1}");
    let about = SessionAbout { metadata, ttl, affinity: Affinity::StrictQueue };
    match store.session(SessionCommand::Open { id, about }).resolve().await? {
        SessionReply::Opened(row) => Ok(row),
        other => panic!("{other:?}"),
    }
}

async fn opened(store: &SqliteStore, id: &SessionId) -> SessionRow {
    open(store, id, Duration::from_secs(60)).await.unwrap()
}

async fn joined(store: &SqliteStore, id: &str) -> Result<SessionRow> {
    match store.session(SessionCommand::Join { id: &session_id(id) }).resolve().await? {
        SessionReply::Opened(row) => Ok(row),
        other => panic!("{other:?}"),
    }
}

async fn end(store: &SqliteStore, session: &SessionKey) {
    store.session(SessionCommand::Close { session }).resolve().await.unwrap();
}

async fn ids(store: &SqliteStore) -> Vec<String> {
    let list = SessionCommand::List { after: None, limit: 100 };
    match store.session(list).resolve().await.unwrap() {
        SessionReply::Sessions(rows) => rows.iter().map(|row| row.key.id.to_string()).collect(),
        other => panic!("{other:?}"),
    }
}

async fn registered(
    store: &SqliteStore,
    session: &SessionKey,
    name: &str,
    value: Value,
) -> Variable {
    let rule = Rule::new("json", &Bytes::from_static(b"{ }")).unwrap();
    let metadata = Bytes::from_static(b"{\"unit\" : \"ms\"}");
    let new = NewVariable { name: name.into(), rule, metadata, value };
    one(store.apply(session, Command::Register(new)).resolve().await).unwrap()
}

async fn get(store: &SqliteStore, session: &SessionKey, name: &str) -> Result<Variable> {
    one(store.apply(session, Command::Get { name }).resolve().await)
}

fn ask_set(
    store: &SqliteStore,
    session: &SessionKey,
    name: &str,
    value: &Value,
) -> Pending<Result<Reply>> {
    store.apply(session, Command::Set { name, value: value.clone(), access: Access::ANY })
}

async fn set(
    store: &SqliteStore,
    session: &SessionKey,
    name: &str,
    value: Value,
) -> Result<Variable> {
    one(ask_set(store, session, name, &value).resolve().await)
}

async fn set_many(store: &SqliteStore, session: &SessionKey, writes: Vec<Write>) -> Result<Reply> {
    store.apply(session, Command::SetMany { writes, owner: None }).resolve().await
}

fn write(name: &str, value: Value) -> Write {
    Write { name: name.to_owned(), value, expected_version: None }
}

async fn delete(store: &SqliteStore, session: &SessionKey, name: &str) -> Result<Reply> {
    store.apply(session, Command::Delete { name, access: Access::ANY }).resolve().await
}

async fn lock(store: &SqliteStore, session: &SessionKey, name: &str, owner: &str) {
    let lock = Command::Lock { name, owner, ttl: Duration::from_secs(600) };
    one(store.apply(session, lock).resolve().await).unwrap();
}

async fn history(store: &SqliteStore, session: &SessionKey, name: &str) -> Vec<Past> {
    match store.apply(session, Command::History { name }).resolve().await.unwrap() {
        Reply::History(past) => past,
        other => panic!("{other:?}"),
    }
}

fn one(reply: Result<Reply>) -> Result<Variable> {
    match reply? {
        Reply::Variable(variable) => Ok(variable),
        other => panic!("{other:?}"),
    }
}

const LIMITS: StoreLimits = StoreLimits {
    variables_max: 100,
    bytes_max: 1024 * 1024,
    history_max: 4,
    history_bytes_max: 1024,
};
