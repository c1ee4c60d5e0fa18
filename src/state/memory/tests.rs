//! The memory store against the suite, the reference model and its quota.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::{Builder, Handle};

use super::*;
use crate::core::{Affinity, Status, Value};
use crate::state::conformance::{self, Scale, Subject, Told};
use crate::state::model::{Model, Step, run_on};
use crate::state::{NewVariable, Rule};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_every_promise_of_a_store() {
    let told = Arc::new(Told::default());
    let backend = Arc::new(MemoryStore::new(conformance::LIMITS, told.clone()));
    let (runtime, scale) = (Handle::current(), Scale::SHORT);
    conformance::check(&Subject { backend, told, runtime, scale }).await.unwrap();
}

/// 20,000 random commands, in sequences of 200 that shrink when they fail.
#[test]
fn random_commands_come_to_what_the_model_says() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let config = Config { cases: 100, failure_persistence: None, ..Config::default() };
    let sequences = proptest::collection::vec(steps(), 200);
    let outcome = TestRunner::new(config).run(&sequences, |steps| {
        let store =
            MemoryStore::new(StoreLimits { variables_max: VARIABLES_MAX, ..LIMITS }, Arc::new(()));
        let sessions: Vec<_> = (0..SESSIONS).map(|_| opened(&store)).collect();
        let mut model = Model::new(VARIABLES_MAX);
        for step in steps {
            let given = runtime.block_on(run_on(&store, &sessions, &step)).unwrap();
            prop_assert_eq!(given, model.run(&step), "{:?}", step);
        }
        Ok(())
    });
    outcome.unwrap();
}

fn steps() -> impl Strategy<Value = Step> {
    let (session, name) = (0..SESSIONS, 0..NAMES);
    let version = prop_oneof![2 => Just(None), 3 => (1..6_u64).prop_map(Some)];
    let value = -8..24_i64;
    prop_oneof![
        3 => (session.clone(), name.clone(), -4..8_i64, 8..20_i64).prop_map(
            |(session, name, min, max)| Step::Register { session, name, min, max, value: 8 }
        ),
        4 => (session.clone(), name.clone())
            .prop_map(|(session, name)| Step::Get { session, name }),
        8 => (session.clone(), name.clone(), value, version.clone()).prop_map(
            |(session, name, value, expected_version)| Step::Set {
                session, name, value, expected_version
            }
        ),
        2 => (session.clone(), name, version).prop_map(
            |(session, name, expected_version)| Step::Delete { session, name, expected_version }
        ),
        1 => (session, prop_oneof![Just(""), Just("*"), Just("odd*"), Just("even.*")])
            .prop_map(|(session, pattern)| Step::List { session, pattern }),
    ]
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
const SESSIONS: u8 = 2;
const NAMES: u8 = 6;
/// Fewer than there are names, so that sessions get full.
const VARIABLES_MAX: usize = 4;
