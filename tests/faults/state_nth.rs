//! F40: the nth call to a store fails, for every n of a scripted session. After each step, what is
//! in the store is what the steps that took effect make of it: no step is there by half.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use snakepit_bridge::api::{Platform, Session, SessionOptions};
use snakepit_bridge::core::{Result, SessionId, Status, Value};
use snakepit_bridge::state::{
    Access, Backend, Command, MemoryStore, RegisterVariable, Reply, SessionCommand, SessionReply,
    Write,
};

use crate::figure::Figure;
use crate::flaky::{Flaky, Moment};
use crate::scenario::{Scale, Scenario};
use crate::stores::{AMPLE, Kind, LONG, Stage};
use crate::support;

pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "F40",
    promise: "the nth call to a store fails, before or after it took effect, for every n of a \
              session on each store: no batch, clone or import is there by half, no version twice",
    short: true,
    patience: Duration::from_secs(300),
    run: every_nth,
}];

fn every_nth(scale: Scale) -> Figure {
    let kinds = scale.pick(&[Kind::Memory, Kind::Sqlite][..], &Kind::ALL[..]);
    let mut trials = 0;
    for kind in kinds {
        for moment in [Moment::Before, Moment::After] {
            let mut fails_at = 1;
            while run_script(*kind, fails_at, moment) {
                fails_at += 1;
            }
            assert!(fails_at > STEPS.len(), "{kind:?}: every step calls the store at least once");
            trials += fails_at - 1;
        }
    }
    Figure::count(trials, 0, 0, "steps there by half")
}

/// One session with one failure; false once the script makes fewer calls than that.
fn run_script(kind: Kind, fails_at: usize, moment: Moment) -> bool {
    let stage = Stage::new(kind);
    let real = stage.open(AMPLE, Arc::new(()));
    let flaky = Arc::new(Flaky::new(real.clone(), fails_at, moment));
    let actual = Host::new(flaky.clone());
    // The same script without a failure, one step at a time as they take effect.
    let shadow_store: Arc<dyn Backend> = Arc::new(MemoryStore::new(AMPLE, Arc::new(())));
    let shadow = Host::new(shadow_store.clone());
    for (index, step) in STEPS.iter().enumerate() {
        let before = contents(&stage, &real);
        let outcome = step(&actual);
        let after = contents(&stage, &real);
        let said = outcome.as_ref().map_err(|error| (error.status(), error.message().to_owned()));
        let at = format!("{kind:?}, call {fails_at} fails {moment:?}, step {index}: {said:?}");
        match &outcome {
            // An earlier failure may leave a later step without what it needs: both say so.
            Err(error) if error.status() != Status::Store => {
                let shadowed = step(&shadow).unwrap_err();
                assert_eq!(shadowed.status(), error.status(), "{at}");
            }
            Err(_) if after == before => {}
            _ => drop(step(&shadow)),
        }
        assert_eq!(after, contents(&stage, &shadow_store), "{at}");
    }
    let has_failed = flaky.has_failed();
    [actual, shadow].into_iter().for_each(Host::close);
    has_failed
}

type Step = fn(&Host) -> Result<()>;

/// What a host does in a session's life; names are those of the session and its copies.
const STEPS: [Step; 17] = [
    |host| host.open("s"),
    |host| host.register("a"),
    |host| host.register("b"),
    |host| host.session("s")?.set_variable("a", number(1), None).map(drop),
    |host| host.write_both(2),
    |host| host.session("s")?.update_variable("b", &add(5), Access::ANY).map(drop),
    |host| host.session("s")?.roll_back_variable("a", 1, Access::ANY).map(drop),
    |host| host.session("s")?.lock_variable("a", "o", LONG).map(drop),
    |host| host.session("s")?.unlock_variable("a", "o"),
    |host| host.session("s")?.get_variables(&["a".to_owned(), "x".to_owned()]).map(drop),
    |host| host.session("s")?.clone_as(named("copy")).map(drop),
    |host| host.write_both(3),
    |host| {
        let archive = host.session("s")?.export()?;
        host.platform.import_session(archive, named("import")).map(drop)
    },
    |host| host.session("s")?.delete_variable("b", None),
    |host| host.session("s")?.variable_history("a").map(drop),
    |host| host.session("s")?.list_variables("*").map(drop),
    |host| host.end("s"),
];

struct Host {
    platform: Arc<Platform>,
}

impl Host {
    fn new(store: Arc<dyn Backend>) -> Host {
        let config = json!({"pools": {}, "guard_path": support::guard()}).to_string();
        let platform = Platform::open_with_store(config.as_bytes(), |_, _, _| Ok(store));
        Host { platform: platform.unwrap() }
    }

    fn open(&self, id: &str) -> Result<()> {
        self.platform.open_session(named(id)).map(drop)
    }

    fn session(&self, id: &str) -> Result<Session> {
        self.platform.session(id)
    }

    fn register(&self, name: &str) -> Result<()> {
        let (name, type_name) = (name.to_owned(), "integer".to_owned());
        let (constraints, metadata) = (None, None);
        let initial = number(0);
        let variable = RegisterVariable { name, type_name, initial, constraints, metadata };
        self.session("s")?.register_variable(variable).map(drop)
    }

    fn write_both(&self, value: i64) -> Result<()> {
        let write = |name: &str| Write {
            name: name.to_owned(),
            value: number(value),
            expected_version: None,
        };
        self.session("s")?.set_variables(vec![write("a"), write("b")], None).map(drop)
    }

    fn end(&self, id: &str) -> Result<()> {
        support::finish(self.session(id)?.close()?).map(drop)
    }

    fn close(self) {
        support::close(&self.platform);
    }
}

/// Every session in the store with everything in it, by names.
fn contents(stage: &Stage, store: &Arc<dyn Backend>) -> Vec<(SessionId, String)> {
    stage.runtime.block_on(async {
        let list = SessionCommand::List { after: None, limit: 100 };
        let SessionReply::Sessions(rows) = store.session(list).resolve().await.unwrap() else {
            panic!("expected sessions");
        };
        let mut all = Vec::new();
        for row in rows {
            // One that this host has lost its key of is read by joining it.
            let join = SessionCommand::Join { id: &row.key.id };
            let SessionReply::Opened(row) = store.session(join).resolve().await.unwrap() else {
                panic!("expected a session");
            };
            let saved = store.apply(&row.key, Command::Snapshot).resolve().await.unwrap();
            let Reply::Snapshot(saved) = saved else { panic!("{saved:?}") };
            let rows = saved.iter().map(|saved| {
                let past = saved.history.iter().map(|past| (past.version, past.value.json()));
                let past: Vec<_> = past.collect();
                format!("{} {} {:?} {past:?}", saved.name, saved.version, saved.value.json())
            });
            all.push((row.key.id, rows.collect::<Vec<_>>().join("\n")));
        }
        all
    })
}

fn named(id: &str) -> SessionOptions {
    SessionOptions { id: Some(id.to_owned()), ..SessionOptions::default() }
}

fn add(number: i64) -> Value {
    Value::from_document(&json!({ "add": number }))
}

fn number(number: i64) -> Value {
    Value::from_document(&number.into())
}
