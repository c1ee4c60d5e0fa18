//! Modules composed of modules: a sequence with a tool of the host in its middle, a Python program
//! with the host's retriever, both kept in variables and run by name and version.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use snakepit_bridge::core::Value;
use snakepit_bridge::state::Access;

use super::super::model::Prompt;
use super::super::support::answering;
use super::corpus::search;
use super::world::{Stage, input, store};

#[test]
fn a_sequence_of_programs_with_a_tool_of_the_host_between_them() {
    let stage = Stage::new("letters", |prompt, field| {
        let german = prompt.system.contains("Write German.");
        Some(match field {
            "draft" => format!("dear {}, thank you", input(prompt, "name")),
            "letter" if german => format!("Liebe Grüße: {}", input(prompt, "text")),
            "letter" => format!("Best wishes: {}", input(prompt, "text")),
            _ => return None,
        })
    });
    let order: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = order.clone();
    let schema = json!({
        "type": "object",
        "properties": {"text": {"type": "string"}},
        "required": ["text"],
    });
    answering(stage.platform, "letters_polish", schema, move |arguments| {
        let text = arguments["text"].as_str().unwrap();
        log.lock().push(text.to_owned());
        Ok(json!({"text": text.to_uppercase(), "changed": text.len()}))
    });
    store(&stage.session, "letter", &letter_program("Write English."));
    let run =
        |program: Json| stage.whole("run", json!({"program": program, "inputs": {"name": "Ada"}}));
    let result = run(json!("letter"));
    let expected = json!({
        "letter": "Best wishes: DEAR ADA, THANK YOU",
        "draft": "dear Ada, thank you",
        "changed": 19,
    });
    assert_eq!(result["outputs"], expected);
    assert_eq!(result["lm_calls"], 2);
    assert_eq!(result["program"], json!({"variable": "letter", "version": 1}));
    // A new version answers in another way, the old one is still there, and going back is a write.
    let german = Value::from_document(&letter_program("Write German."));
    assert_eq!(stage.session.set_variable("letter", german, Some(1)).unwrap(), 2);
    let letter = |program: Json| run(program)["outputs"]["letter"].take();
    assert_eq!(letter(json!("letter")), "Liebe Grüße: DEAR ADA, THANK YOU");
    let pinned = json!({"variable": "letter", "version": 1});
    assert_eq!(letter(pinned), "Best wishes: DEAR ADA, THANK YOU");
    stage.session.roll_back_variable("letter", 1, Access::default()).unwrap();
    let result = run(json!("letter"));
    assert_eq!(result["outputs"]["letter"], "Best wishes: DEAR ADA, THANK YOU");
    assert_eq!(result["program"]["version"], 3);
    assert_eq!(*order.lock(), ["dear Ada, thank you"; 4], "the tool is called once in each run");
}

#[test]
fn a_python_program_asks_the_hosts_retriever_in_its_middle() {
    let stage = Stage::new("research", research_rule);
    let asked: Arc<Mutex<Vec<Json>>> = Arc::default();
    let log = asked.clone();
    let schema = json!({
        "type": "object",
        "properties": {"query": {"type": "string"}, "k": {"type": "integer"}},
        "required": ["query", "k"],
    });
    answering(stage.platform, "research_search", schema, move |arguments| {
        log.lock().push(arguments.clone());
        let count = usize::try_from(arguments["k"].as_u64().unwrap()).unwrap();
        Ok(json!(search(arguments["query"].as_str().unwrap(), count)))
    });
    let options =
        json!({"name": "Research", "arguments": {"tool": "research_search", "passages": 1}});
    let program = json!({"module": "python", "options": options, "lm": stage.lm()});
    store(&stage.session, "research", &program);
    let questions = ["Who designed the bridge of Lowmere?", "Which river does Sarn lie on?"];
    let inputs: Json = questions.iter().map(|question| json!({"question": question})).collect();
    let result = stage.whole("batch", json!({"program": "research", "inputs": inputs}));
    assert_eq!(result["errors"], 0, "{result}");
    let answer = |index: usize| result["results"][index]["outputs"]["answer"].clone();
    assert_eq!(answer(0), "The bridge of Lowmere was designed by Tam Orrin.");
    assert_eq!(answer(1), "Sarn lies on the river Tove and has 4,200 inhabitants.");
    assert_eq!(stage.asked(), 4, "two requests for each question");
    let mut queries: Vec<String> =
        asked.lock().iter().map(|each| each["query"].as_str().unwrap().to_owned()).collect();
    queries.sort();
    assert_eq!(queries, ["bridge Lowmere designed", "river Sarn"]);
    // What it asks the model for can be seen, and so what an optimizer would improve.
    let described = stage.bare("describe_program", json!({"program": "research"}));
    let predictors = described["predictors"].as_array().unwrap();
    let names: Vec<&str> = predictors.iter().map(|each| each["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["plan", "answer.predict"]);
}

#[test]
fn retrieval_inside_a_program_that_is_only_a_document() {
    let stage = Stage::new("rag_document", research_rule);
    let schema = json!({"type": "object", "properties": {"query": {"type": "string"}}});
    answering(stage.platform, "rag_search", schema, |arguments| {
        let rows = search(arguments["query"].as_str().unwrap(), 1);
        Ok(json!({"texts": super::corpus::texts(&rows)}))
    });
    let program = json!({
        "module": "sequence",
        "tools": ["rag_search"],
        "programs": {
            "plan": {"module": "predict", "signature": "question -> query"},
            "answer": {
                "module": "chain_of_thought",
                "signature": "context: list[str], question -> answer",
            },
        },
        "options": {"steps": [
            {"program": "plan", "inputs": {"question": "question"}},
            {"tool": "rag_search", "as": "found", "inputs": {"query": "plan.query"}},
            {"program": "answer", "inputs": {"context": "found.texts", "question": "question"}},
        ]},
    });
    let checked = stage.bare("check_program", json!({"program": program}));
    assert_eq!(checked, json!({"valid": true}));
    let inputs = json!({"question": "Which river does Sarn lie on?"});
    let outputs = stage.ask("run", json!({"program": program, "inputs": inputs}));
    assert_eq!(outputs["answer"], "Sarn lies on the river Tove and has 4,200 inhabitants.");
    assert_eq!(stage.asked(), 2);
}

fn letter_program(instructions: &str) -> Json {
    json!({
        "module": "sequence",
        "tools": ["letters_polish"],
        "programs": {
            "write": {"module": "predict", "signature": "name -> draft"},
            "finish": {
                "module": "predict",
                "signature": "text -> letter",
                "instructions": instructions,
            },
        },
        "options": {
            "steps": [
                {"program": "write", "inputs": {"name": "name"}},
                {"tool": "letters_polish", "as": "polish", "inputs": {"text": "write.draft"}},
                {"program": "finish", "inputs": {"text": "polish.text"}},
            ],
            "outputs": {
                "letter": "finish.letter",
                "draft": "write.draft",
                "changed": "polish.changed",
            },
        },
    })
}

/// A query from the words of the question, and the passage itself as the answer.
fn research_rule(prompt: &Prompt, field: &str) -> Option<String> {
    let question = input(prompt, "question");
    let context = input(prompt, "context");
    Some(match field {
        "query" => {
            let known = ["bridge", "river", "Lowmere", "Sarn", "designed"];
            let words: Vec<&str> =
                known.into_iter().filter(|word| question.contains(word)).collect();
            words.join(" ")
        }
        "reasoning" => "It stands there.".to_owned(),
        _ => context.split('"').nth(1).unwrap_or(context).to_owned(),
    })
}
