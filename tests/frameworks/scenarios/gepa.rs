//! Three pools and one program: GEPA improves it in the first, each request to its reflecting model
//! is served by the second, and the host's metric lets the third judge and adds its own words.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{ExecuteRequest, Invocation, Platform, Session, ToolSpec};
use snakepit_bridge::core::Value;

use super::super::model::{Prompt, completion, model};
use super::super::support::{
    Tool, chunks, close, config, finish, open, outcome, request, session, start_stream,
};
use super::world::{input, lm, store};

#[test]
fn gepa_improves_by_the_words_of_a_host_metric_over_three_pools() {
    let world = World::open();
    store(&world.session, "dates", &json!({"module": "predict", "signature": "text -> answer"}));
    let parameters = json!({
        "program": "dates",
        "optimizer": "GEPA",
        "options": {"max_metric_calls": 60},
        "lm": lm("task_lm"),
        "reflection_lm": lm("reflection_lm"),
        "data": {"train": rows()},
        "metric": {"kind": "host_tool", "tool": "judge"},
        "seed": 1,
        "threads": 2,
    });
    let running = start_stream(&world.session, "dspy", "optimize", &parameters);
    let progress = chunks(&running);
    let result = outcome(&running).unwrap().to_document().unwrap();
    assert_eq!(result["before"], 0.0, "{result}");
    assert_eq!(result["after"], 100.0, "{result}");
    assert_eq!(result["program"], json!({"variable": "dates", "version": 2}));
    assert!(progress.iter().all(|chunk| chunk["type"] == "progress"), "{progress:?}");
    let (program, _) = world.session.get_variable("dates").unwrap();
    let learned = program.to_document().unwrap().to_string();
    assert!(learned.contains("Write years in Roman numerals."), "{learned}");
    assert!(learned.contains("Answer with the year alone."), "{learned}");
    // Each of the three has done its part in a pool of its own.
    let seen = world.seen.lock();
    let judged = seen.judged.len() as u64;
    assert_eq!(result["metric_calls"], judged, "each judgement of the run was one of the host's");
    assert!(seen.feedback > 0, "GEPA never asked for words");
    assert!((1..=10).contains(&seen.reflected), "{} reflections", seen.reflected);
    assert_eq!(seen.judges.len(), 1);
    assert_eq!(seen.thinkers.len(), 1);
    assert!(seen.judges.is_disjoint(&seen.thinkers), "two pools are two processes");
    drop(seen);
    // A program is data: whichever pool runs it, it is the new one.
    for pool in ["default", "reflection", "evaluation"] {
        let answered = world.ask(pool, &json!("dates"), "The bell was cast in 1744 by monks.");
        assert_eq!(answered, "MDCCXLIV", "{pool}");
    }
    let first = json!({"variable": "dates", "version": 1});
    let answered = world.ask("evaluation", &first, "The bell was cast in 1744 by monks.");
    assert_eq!(answered, "It was in 1744.");
    close(&world.platform);
}

/// A platform of three pools, and what was seen of each.
struct World {
    platform: Arc<Platform>,
    session: Session,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// The score of each judgement.
    judged: Vec<f64>,
    /// Judgements that were asked for one predictor.
    feedback: usize,
    reflected: usize,
    /// Processes of those who judged, and who reflected.
    judges: BTreeSet<i64>,
    thinkers: BTreeSet<i64>,
}

impl World {
    fn open() -> World {
        let frameworks = json!({"dspy": {}, "python": {"modules": ["spb_gepa"]}});
        let mut config = config(1, &frameworks);
        for pool in ["reflection", "evaluation"] {
            config["pools"][pool] = config["pools"]["default"].clone();
        }
        let platform = open(&config);
        let session = session(&platform);
        let seen: Arc<Mutex<Seen>> = Arc::default();
        model(&platform, "task_lm", |prompt, _| {
            Some(answer(&prompt.system, input(prompt, "text")))
        });
        let world = World { platform, session, seen };
        world.serve("reflection_lm", reflect);
        world.serve("judge", judge);
        world
    }

    /// Registers a tool that asks a pool.
    fn serve(&self, name: &str, serve: fn(&Session, &Arc<Invocation>, &Mutex<Seen>) -> Json) {
        let (session, seen) = (self.session.clone(), self.seen.clone());
        let sink = Tool(move |invocation: &Arc<Invocation>| {
            Some(Ok(Value::from_document(&serve(&session, invocation, &seen))))
        });
        let spec = ToolSpec { name: name.to_owned(), ..ToolSpec::default() };
        self.platform.register_tool(None, spec, Arc::new(sink)).unwrap();
    }

    fn ask(&self, pool: &str, program: &Json, text: &str) -> Json {
        let parameters = json!({"program": program, "inputs": {"text": text}, "lm": lm("task_lm")});
        let request = ExecuteRequest { pool: pool.into(), ..request("dspy", "run", &parameters) };
        let result = finish(self.session.prepare(request).unwrap()).unwrap();
        result.to_document().unwrap()["outputs"]["answer"].take()
    }
}

/// The host's metric: the pool `evaluation` grades, the host puts the faults into words.
fn judge(session: &Session, invocation: &Arc<Invocation>, seen: &Mutex<Seen>) -> Json {
    let asked = invocation.arguments().to_document().unwrap();
    let parameters =
        json!({"wanted": asked["example"]["answer"], "given": asked["prediction"]["answer"]});
    let grade = nested(session, invocation, "evaluation", "grade", &parameters);
    let faults: Vec<&str> =
        grade["faults"].as_array().unwrap().iter().map(|fault| fault.as_str().unwrap()).collect();
    let mut seen = seen.lock();
    seen.judged.push(grade["score"].as_f64().unwrap());
    seen.feedback += usize::from(asked["predictor"].is_string());
    seen.judges.insert(grade["process"].as_i64().unwrap());
    let feedback = if faults.is_empty() { "Good.".to_owned() } else { faults.join(" ") };
    json!({"score": grade["score"], "feedback": feedback})
}

/// The reflecting model: the pool `reflection` thinks, the host puts it into DSPy's format.
fn reflect(session: &Session, invocation: &Arc<Invocation>, seen: &Mutex<Seen>) -> Json {
    let prompt = Prompt::of(invocation.arguments().to_document().unwrap());
    let parameters = json!({
        "instruction": input(&prompt, "current_instruction"),
        "examples": input(&prompt, "examples_with_feedback"),
    });
    let thought = nested(session, invocation, "reflection", "reflect", &parameters);
    let mut seen = seen.lock();
    seen.reflected += 1;
    seen.thinkers.insert(thought["process"].as_i64().unwrap());
    let instruction = thought["instruction"].as_str().unwrap().to_owned();
    json!({"content": completion(&prompt, &move |_, _| Some(instruction.clone()))})
}

/// A call that is made on behalf of a tool call: it ends with it.
fn nested(
    session: &Session,
    invocation: &Arc<Invocation>,
    pool: &str,
    operation: &str,
    parameters: &Json,
) -> Json {
    let request = ExecuteRequest {
        pool: pool.to_owned(),
        parent: Some(invocation.clone()),
        ..request("python", operation, parameters)
    };
    finish(session.prepare(request).unwrap()).unwrap().to_document().unwrap()
}

/// The task's model does what it is told, and no more.
fn answer(instructions: &str, text: &str) -> String {
    let digits = text.split(|c: char| !c.is_ascii_digit()).find(|part| part.len() == 4);
    let year: u32 = digits.and_then(|digits| digits.parse().ok()).unwrap_or_default();
    let roman = instructions.contains("Write years in Roman numerals.");
    let year = if roman { roman_of(year) } else { year.to_string() };
    let brief = instructions.contains("Answer with the year alone.");
    if brief { year } else { format!("It was in {year}.") }
}

fn rows() -> Json {
    let events = [
        ("mill", 1688),
        ("ferry", 1702),
        ("school", 1811),
        ("tower", 1499),
        ("well", 1530),
        ("gate", 1944),
    ];
    let rows = events.into_iter().map(|(what, year)| {
        let text = format!("The {what} was built in {year} by hand.");
        json!({"text": text, "answer": roman_of(year)})
    });
    rows.collect()
}

fn roman_of(mut number: u32) -> String {
    let mut text = String::new();
    for (value, letters) in NUMERALS {
        while number >= value {
            text.push_str(letters);
            number -= value;
        }
    }
    text
}

const NUMERALS: [(u32, &str); 13] = [
    (1000, "M"),
    (900, "CM"),
    (500, "D"),
    (400, "CD"),
    (100, "C"),
    (90, "XC"),
    (50, "L"),
    (40, "XL"),
    (10, "X"),
    (9, "IX"),
    (5, "V"),
    (4, "IV"),
    (1, "I"),
];
