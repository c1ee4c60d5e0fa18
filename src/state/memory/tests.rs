//! The memory store against the suite, the reference model and its quota.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::{Builder, Handle};

use super::*;
use crate::core::{Affinity, Status, Value};
use crate::state::conformance::{self, Scale, Subject, Told};
use crate::state::model::{self, Clock};
use crate::state::{NewVariable, Rule};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_every_promise_of_a_store() {
    let told = Arc::new(Told::default());
    let backend = Arc::new(MemoryStore::new(conformance::LIMITS, told.clone()));
    let (runtime, scale) = (Handle::current(), Scale::SHORT);
    conformance::check(&Subject { backend, told, runtime, scale }).await.unwrap();
}

/// 20,000 random steps, in sequences of 200 on average, which shrink when they fail, with a clock of their own.
#[test]
fn random_steps_come_to_what_the_model_says() {
    let config = Config { cases: 100, failure_persistence: None, ..Config::default() };
    let sequences = proptest::collection::vec(any::<u64>(), 1..400);
    let outcome = TestRunner::new(config).run(&sequences, |numbers| {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.unwrap();
        let told = Arc::new(Told::default());
        let backend = Arc::new(MemoryStore::new(model::LIMITS, told.clone()));
        let (handle, scale) = (runtime.handle().clone(), Scale::SHORT);
        let subject = Subject { backend, told, runtime: handle, scale };
        let outcome = runtime.block_on(model::check(&subject, &numbers, Clock::Driven));
        outcome.map_err(TestCaseError::fail)
    });
    outcome.unwrap();
}

#[test]
fn a_full_session_refuses_and_the_others_go_on() {
    let store = MemoryStore::new(StoreLimits { variables_max: 1, ..LIMITS }, Arc::new(()));
    let register = |session: &SessionKey, name: &str| {
        let rule = Rule::new("json", &Default::default()).unwrap();
        let (value, metadata) = (Value::null(), Default::default());
        let new = NewVariable { name: Arc::from(name), rule, metadata, value };
        match store.apply(session, Command::Register(new)) {
            Pending::Ready(outcome) => outcome,
            Pending::Later(_) => panic!("the memory store answers in place"),
        }
    };
    let (one, other) = (opened(&store), opened(&store));
    register(&one, "a").unwrap();
    let error = register(&one, "b").unwrap_err();
    assert_eq!(error.status(), Status::ResourceExhausted);
    assert_eq!(error.details()["limit"], 1);
    assert_eq!(register(&one, "a").unwrap_err().status(), Status::AlreadyExists);
    register(&other, "b").unwrap();
}

fn opened(store: &MemoryStore) -> SessionKey {
    let ttl = Duration::from_secs(60);
    let about = SessionAbout { metadata: Bytes::from_static(b"{}"), ttl, affinity: Affinity::None };
    match store.open(&SessionId::generate().unwrap(), about).unwrap() {
        SessionReply::Opened(row) => row.key,
        other => panic!("{other:?}"),
    }
}

const LIMITS: StoreLimits = StoreLimits {
    variables_max: 100,
    bytes_max: 1024 * 1024,
    history_max: 4,
    history_bytes_max: 1024,
};
