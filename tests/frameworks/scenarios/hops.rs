//! Several hops: the host decides between requests, an agent that asks the host's retriever, and
//! answers that stand in what was retrieved and nowhere else.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use super::super::model::Prompt;
use super::super::support::answering;
use super::corpus::{search, texts};
use super::world::{Stage, input};

#[test]
fn multi_hop_with_the_hosts_own_logic_between_the_hops() {
    let stage = Stage::new("hops", hop_rule);
    let mut notes: Vec<String> = Vec::new();
    let mut queries: Vec<String> = Vec::new();
    let question = "In which hills does the river rise on which the designer of the Arkenvale \
                    bridge was born?";
    let answer = loop {
        let inputs = json!({"question": question, "notes": notes});
        let parameters = json!({
            "signature": "question, notes: list[str] -> query: str, enough: bool",
            "inputs": inputs,
        });
        let step = stage.ask("chain_of_thought", parameters);
        if step["enough"] == true {
            let parameters =
                json!({"signature": "question, notes: list[str] -> answer", "inputs": inputs});
            break stage.ask("predict", parameters)["answer"].take();
        }
        // The host's part: it never searches for the same twice, and keeps what is new.
        let query = step["query"].as_str().unwrap().to_owned();
        assert!(!queries.contains(&query), "asked twice: {query}");
        let fresh = texts(&search(&query, 2)).into_iter().find(|text| !notes.contains(text));
        notes.extend(fresh);
        queries.push(query);
        assert!(queries.len() <= 5, "no end: {queries:?}");
    };
    assert_eq!(
        queries,
        ["designer Arkenvale bridge", "Mira Holt born", "Sarn river", "Tove rises"]
    );
    assert_eq!(notes.len(), 4);
    assert_eq!(answer, "the Gray Hills");
    assert_eq!(stage.asked(), 4 + 1 + 1, "four queries, one word that it is enough, one answer");
}

#[test]
fn an_agent_uses_the_hosts_retriever_until_it_knows() {
    let stage = Stage::new("agent", |prompt, field| {
        let seen = prompt.user.clone();
        let next = CLUES.iter().find(|(clue, _)| !seen.contains(clue));
        Some(match (field, next) {
            ("next_thought", Some((_, query))) => format!("I need to look for {query}."),
            ("next_thought", None) => "I know it.".to_owned(),
            ("next_tool_name", Some(_)) => "hops_search".to_owned(),
            ("next_tool_name", None) => "finish".to_owned(),
            ("next_tool_args", Some((_, query))) => json!({"query": query}).to_string(),
            ("next_tool_args", None) => "{}".to_owned(),
            ("reasoning", _) => "It stands in the passages.".to_owned(),
            _ => "Sarn".to_owned(),
        })
    });
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = asked.clone();
    let schema = json!({
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
        "additionalProperties": false,
    });
    answering(stage.platform, "hops_search", schema, move |arguments| {
        let query = arguments["query"].as_str().unwrap();
        log.lock().push(query.to_owned());
        Ok(json!(search(query, 1)))
    });
    let result = stage.whole(
        "react",
        json!({
            "signature": "question -> answer",
            "inputs": {"question": "Where was the designer of the Arkenvale bridge born?"},
            "tools": ["hops_search"],
            "max_iters": 6,
        }),
    );
    assert_eq!(result["outputs"]["answer"], "Sarn");
    assert_eq!(*asked.lock(), [CLUES[0].1, CLUES[1].1], "each clue is looked for once, in order");
    let steps = result["trajectory"].as_array().unwrap();
    let tools: Vec<&str> = steps.iter().map(|step| step["tool"].as_str().unwrap()).collect();
    assert_eq!(tools, ["hops_search", "hops_search", "finish"]);
    let places: Vec<&Json> = steps.iter().map(|step| &step["observation"]).collect();
    assert!(places[0].to_string().contains("Mira Holt in 1931"), "{places:?}");
}

#[test]
fn retrieval_augments_what_the_model_is_asked() {
    let stage = Stage::new("rag", |prompt, _| {
        let context = input(prompt, "context");
        let question = input(prompt, "question");
        let about = question.trim_end_matches('?').rsplit(' ').next()?;
        let sentence =
            context.split('"').find(|part| part.starts_with("Tam") && part.contains("born"));
        Some(sentence.map_or(format!("Nothing is said of {about}."), str::to_owned))
    });
    let question = "Where was the designer of the bridge in Lowmere born, Tam Orrin?";
    let ask = |context: Vec<String>| {
        stage.ask(
            "predict",
            json!({
                "signature": "context: list[str], question -> answer",
                "inputs": {"context": context, "question": question},
            }),
        )
    };
    let passages = texts(&search(question, 3));
    assert_eq!(passages.len(), 3);
    assert_eq!(ask(passages)["answer"], "Tam Orrin was born in Lowmere.");
    assert_eq!(
        ask(Vec::new())["answer"],
        "Nothing is said of Orrin.",
        "the model itself knows nothing"
    );
}

/// The next clue that the notes do not have yet.
fn hop_rule(prompt: &Prompt, field: &str) -> Option<String> {
    let notes = input(prompt, "notes");
    let next = ROUTE.iter().find(|(clue, _)| !notes.contains(clue));
    Some(match field {
        "enough" => next.is_none().to_string(),
        "query" => next.map_or("", |(_, query)| query).to_owned(),
        "reasoning" => format!("{} notes so far.", notes.matches("[").count()),
        "answer" => {
            let (_, rest) = notes.split_once("rises in ")?;
            rest.split('.').next()?.to_owned()
        }
        _ => return None,
    })
}

/// What has to be in the notes, and the query that brings it.
const ROUTE: [(&str, &str); 4] = [
    ("designed by Mira Holt", "designer Arkenvale bridge"),
    ("born in the town of Sarn", "Mira Holt born"),
    ("on the river Tove", "Sarn river"),
    ("rises in the Gray Hills", "Tove rises"),
];

/// What has to be among the observations, and the query that brings it.
const CLUES: [(&str, &str); 2] = [
    ("designed by Mira Holt", "designer Arkenvale bridge"),
    ("Mira Holt was born", "Mira Holt born"),
];
