//! What is checked before a store is asked, and what readers see.

use super::*;
use crate::core::{Affinity, SessionId};
use crate::state::{MemoryStore, SessionAbout, SessionCommand, SessionReply, StoreLimits};

fn register(name: &str, type_name: &str, initial: &str) -> RegisterVariable {
    RegisterVariable {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        initial: Value::from_json(initial.to_owned()).unwrap(),
        constraints: None,
        metadata: None,
    }
}

fn ready<T>(pending: Pending<T>) -> T {
    match pending {
        Pending::Ready(outcome) => outcome,
        Pending::Later(_) => panic!("the memory store answers in place"),
    }
}

fn setup() -> (Variables, SessionKey) {
    let limits = StoreLimits {
        variables_max: 10,
        bytes_max: 1024 * 1024,
        history_max: 4,
        history_bytes_max: 1024,
    };
    let store = MemoryStore::new(limits, Arc::new(()));
    let ttl = Duration::from_secs(60);
    let about = SessionAbout { metadata: Bytes::from_static(b"{}"), ttl, affinity: Affinity::None };
    let open = SessionCommand::Open { id: &SessionId::generate().unwrap(), about };
    match ready(store.session(open)).unwrap() {
        SessionReply::Opened(row) => (Variables::new(Arc::new(store)), row.key),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_variable_is_seen_as_it_was_given() {
    let (variables, session) = setup();
    let mut wanted = register("temperature", "float", " 1 ");
    wanted.constraints = Some(Bytes::from_static(b"{ \"max\" : 2 }"));
    wanted.metadata = Some(Bytes::from_static(b"{\"unit\" : \"K\"}"));
    let first = ready(variables.register(&session, wanted)).unwrap();
    assert_eq!(first.value.json(), " 1 ".as_bytes());
    assert_eq!((first.type_name(), first.version), ("float", 1));
    assert_eq!(first.constraints(), "{ \"max\" : 2 }".as_bytes());
    let held = ready(variables.get(&session, "temperature")).unwrap();
    assert_eq!((held.version, held.value), (first.version, first.value));

    let value = Value::from_json("1.50").unwrap();
    let second = ready(variables.set(&session, "temperature", &value, Access::at(1))).unwrap();
    assert_eq!(second.version, 2);
    assert_eq!(second.value.json(), "1.50".as_bytes());
    assert_eq!(second.metadata(), "{\"unit\" : \"K\"}".as_bytes());
    assert_eq!(names(&variables, &session, "t*"), ["temperature"]);
    ready(variables.delete(&session, "temperature", Access::at(2))).unwrap();
    assert!(names(&variables, &session, "").is_empty());
}

#[test]
fn what_is_left_out_is_an_empty_object() {
    let (variables, session) = setup();
    let mut wanted = register("a", "json", "null");
    wanted.metadata = Some(Bytes::new());
    let view = ready(variables.register(&session, wanted)).unwrap();
    assert_eq!((view.constraints().as_ref(), view.metadata().as_ref()), (&b"{}"[..], &b"{}"[..]));
}

#[test]
fn nothing_wrong_reaches_the_store() {
    let (variables, session) = setup();
    let with = |change: fn(&mut RegisterVariable)| {
        let mut wanted = register("a", "integer", "5");
        change(&mut wanted);
        ready(variables.register(&session, wanted)).unwrap_err()
    };
    for (error, status) in [
        (with(|wanted| wanted.name = "a b".to_owned()), Status::InvalidArgument),
        (with(|wanted| wanted.type_name = "tensor".to_owned()), Status::TypeMismatch),
        (with(|wanted| wanted.initial = Value::null()), Status::TypeMismatch),
        (with(|wanted| wanted.constraints = Some("{\"max\":4}".into())), Status::Constraint),
        (with(|wanted| wanted.constraints = Some("{\"mx\":4}".into())), Status::InvalidArgument),
        (with(|wanted| wanted.metadata = Some("[]".into())), Status::InvalidArgument),
        (with(|wanted| wanted.metadata = Some(vec![b' '; 8193].into())), Status::InvalidArgument),
    ] {
        assert_eq!(error.status(), status, "{error}");
    }
    assert!(names(&variables, &session, "*").is_empty());
    for error in [
        ready(variables.get(&session, "")).unwrap_err(),
        ready(variables.set(&session, "9", &Value::null(), Access::ANY)).unwrap_err(),
        ready(variables.delete(&session, "é", Access::ANY)).unwrap_err(),
        ready(variables.list(&session, "[a]", None, 1)).unwrap_err(),
    ] {
        assert_eq!(error.status(), Status::InvalidArgument, "{error}");
    }
}

#[test]
fn a_small_value_does_not_hold_on_to_the_message_it_came_in() {
    let (variables, session) = setup();
    ready(variables.register(&session, register("a", "integer", "1"))).unwrap();
    let message = Bytes::from(b"[1,2,3]".to_vec());
    let value = Value::from_json(message.slice(3..4)).unwrap();
    ready(variables.set(&session, "a", &value, Access::ANY)).unwrap();
    drop(value);
    assert!(message.is_unique());
    let held = ready(variables.get(&session, "a")).unwrap();
    assert_eq!(held.value.json(), "2".as_bytes());
}

fn names(variables: &Variables, session: &SessionKey, pattern: &str) -> Vec<String> {
    let found = ready(variables.list(session, pattern, None, usize::MAX)).unwrap();
    found.iter().map(|variable| variable.name().to_string()).collect()
}
