//! F45: the worker of an optimizer's run is killed at random moments, the write of the new version
//! among them: the stored program is the old one or the new one, nobody holds its lock, and the run
//! ends once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{
    ExecuteRequest, Platform, RegisterVariable, Session, SessionOptions, Timeout,
};
use snakepit_bridge::core::{Status, Value};

use crate::figure::Figure;
use crate::model::{self, Prompt};
use crate::platforms::{self, Seen};
use crate::python::signal;
use crate::scenario::{Scale, Scenario};
use crate::support::{self, LONG, eventually, request};

pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "F45",
    promise: "a worker killed at random moments of an optimizer's run: the run ends once, its lock \
              is free, the stored program is the old one or the new one, whole",
    short: true,
    patience: Duration::from_secs(600),
    run: random_moments,
}];

fn random_moments(scale: Scale) -> Figure {
    let trials = scale.pick(6, 80);
    let stage = Stage::open();
    let undisturbed = stage.trial(usize::MAX, Duration::ZERO);
    assert!(undisturbed.faults.is_empty(), "{:?}", undisturbed.faults);
    let mut wrong = Vec::new();
    let (mut lost, mut written) = (0, 0);
    for trial in 0..trials {
        // Every other one after the last request: while the new version is written and told.
        let asked = if trial % 2 == 0 { random(undisturbed.asked) + 1 } else { undisturbed.asked };
        let rest = if trial % 2 == 0 { 0 } else { random(AFTER_MICROS_MAX) };
        let ended = stage.trial(asked, Duration::from_micros(rest as u64));
        lost += usize::from(ended.status == Some(Status::WorkerLost));
        written += usize::from(ended.is_written);
        wrong.extend(ended.faults);
    }
    println!("{trials} runs: {lost} were told of a lost worker, {written} had written");
    assert!(lost > 0, "no kill has hit a run");
    assert!(written > 0, "no run got as far as its end");
    support::close(&stage.platform);
    wrong.iter().for_each(|fault| println!("{fault}"));
    Figure::count(trials, wrong.len() as u64, 0, "runs ended twice, locks kept or programs broken")
}

/// One worker, forked from a template that has DSPy loaded, so that the next one comes soon.
struct Stage {
    platform: Arc<Platform>,
    killer: Arc<Killer>,
}

/// Kills the worker when the model is asked for the nth time.
#[derive(Default)]
struct Killer {
    asked: AtomicUsize,
    at: AtomicUsize,
    rest_micros: AtomicUsize,
}

/// How a run ended, and all that was wrong with it.
struct Ended {
    asked: usize,
    status: Option<Status>,
    is_written: bool,
    faults: Vec<String>,
}

impl Stage {
    fn open() -> Stage {
        let mut config = platforms::python(&platforms::fresh_mark(), 1, 64);
        let pool = &mut config["pools"]["default"];
        pool["frameworks"] = json!({"dspy": {}});
        pool["backend"] = json!({"kind": "forkserver"});
        pool["restart"] = json!({"backoff_min_ms": 1, "backoff_max_ms": 50});
        let platform = support::open(&config);
        let killer: Arc<Killer> = Arc::default();
        let (count, weak) = (killer.clone(), Arc::downgrade(&platform));
        model::model(&platform, "lm", move |prompt, field| {
            if count.asked.fetch_add(1, Ordering::SeqCst) + 1 == count.at.load(Ordering::SeqCst) {
                let rest = count.rest_micros.load(Ordering::SeqCst);
                let platform = weak.upgrade()?;
                std::thread::spawn(move || kill(&platform, rest));
            }
            answer(prompt, field)
        });
        Stage { platform, killer }
    }

    /// One run, whose worker is killed `rest` after the request number `asked`.
    fn trial(&self, asked: usize, rest: Duration) -> Ended {
        self.killer.asked.store(0, Ordering::SeqCst);
        self.killer.rest_micros.store(rest.as_micros() as usize, Ordering::SeqCst);
        self.killer.at.store(asked, Ordering::SeqCst);
        let session = self.platform.open_session(SessionOptions::default()).unwrap();
        session.register_variable(stored()).unwrap();
        let (operation, seen) = platforms::watch(&session, optimize());
        assert!(operation.wait(Some(LONG)), "a run never ended");
        let at_end = self.killer.asked.load(Ordering::SeqCst);
        self.killer.at.store(usize::MAX, Ordering::SeqCst);
        let mut ended = judged(&session, &seen);
        ended.asked = at_end;
        self.whole(&session, &mut ended);
        support::finish(session.close().unwrap()).unwrap();
        ended
    }

    /// The program runs, in this worker or in the next one, and is what its version says.
    fn whole(&self, session: &Session, ended: &mut Ended) {
        let expected = if ended.is_written { "REVAR" } else { "unknown" };
        let parameters = json!({"program": "qa", "inputs": {"word": "raver"}, "lm": model::lm()});
        // A kill that is still under way may hit this one.
        let mut answered = Err(None);
        eventually("the program runs", || {
            let request = request_of("run", &parameters);
            answered = support::finish(session.prepare(request).unwrap())
                .map_err(|error| Some(error.status()));
            !matches!(answered, Err(Some(Status::WorkerLost)))
        });
        let answer = answered.map(|value| value.to_document().unwrap()["outputs"]["answer"].take());
        if answer != Ok(json!(expected)) {
            ended.faults.push(format!("the program answers {answer:?}, expected {expected}"));
        }
    }
}

/// What the end of a run and the variable say, before anything else happens.
fn judged(session: &Session, seen: &Seen) -> Ended {
    let mut faults = Vec::new();
    let (value, version) = session.get_variable("qa").unwrap();
    let ends: Vec<Option<Status>> =
        seen.ends.lock().iter().map(|end| end.as_ref().err().map(|error| error.status())).collect();
    if ends.len() != 1 {
        faults.push(format!("ended {} times: {ends:?}", ends.len()));
    }
    let status = ends.first().copied().flatten();
    let is_told = matches!((status, version), (None, 2) | (Some(Status::WorkerLost), 1 | 2));
    if !is_told {
        faults.push(format!("{status:?} with version {version}"));
    }
    let document = value.to_document().unwrap();
    if version == 1 && document != program() {
        faults.push(format!("the old version became {document}"));
    }
    if let Err(error) = session.set_variable("qa", value, Some(version)) {
        faults.push(format!("the lock is kept: {error:?}"));
    }
    Ended { asked: 0, status, is_written: version == 2, faults }
}

fn kill(platform: &Arc<Platform>, rest_micros: usize) {
    std::thread::park_timeout(Duration::from_micros(rest_micros as u64));
    if let Some((_, worker)) = platforms::ready_worker(platform, 0) {
        signal(worker, Signal::KILL);
    }
}

/// It writes a word in capitals and backwards once the instructions say so; asked for instructions
/// it gives those.
fn answer(prompt: &Prompt, field: &str) -> Option<String> {
    if field != "answer" {
        return Some(HINT.to_owned());
    }
    let word = prompt.user.rsplit_once("[[ ## word ## ]]\n")?.1.split_whitespace().next()?;
    let backwards = word.to_uppercase().chars().rev().collect();
    prompt.system.contains(HINT).then_some(backwards)
}

fn optimize() -> ExecuteRequest {
    let words = ["amber", "bridge", "candle", "dragon"];
    let row = |word: &&str| {
        let backwards: String = word.to_uppercase().chars().rev().collect();
        json!({"word": word, "answer": backwards})
    };
    request_of(
        "optimize",
        &json!({
            "program": "qa",
            "optimizer": "COPRO",
            "options": {"breadth": 2, "depth": 1},
            "lm": model::lm(),
            "data": {"train": words.iter().map(row).collect::<Json>()},
            "metric": {"kind": "exact_match", "field": "answer"},
        }),
    )
}

fn request_of(operation: &str, parameters: &Json) -> ExecuteRequest {
    ExecuteRequest {
        framework: "dspy".to_owned(),
        timeout: Timeout::After(LONG),
        ..request(operation, parameters)
    }
}

fn stored() -> RegisterVariable {
    RegisterVariable {
        name: "qa".to_owned(),
        type_name: "program".to_owned(),
        initial: Value::from_document(&program()),
        constraints: None,
        metadata: None,
    }
}

fn program() -> Json {
    json!({"module": "predict", "signature": "word -> answer"})
}

/// A number below `end`.
fn random(end: usize) -> usize {
    getrandom::u32().unwrap() as usize % end
}

const HINT: &str = "Write the word backwards, in capitals.";
/// From the last request to the end of a run, and a little more.
const AFTER_MICROS_MAX: usize = 30_000;
