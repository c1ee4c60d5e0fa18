//! Questions and answers: plain ones, reasoned ones, signatures of the user's own, several fields,
//! labels, and texts of every script.

use serde_json::json;

use super::super::model::Prompt;
use super::super::support::{chunks, outcome, start_stream};
use super::world::{Stage, input};

#[test]
fn question_answering_by_what_the_model_knows() {
    let stage = Stage::new("qa", |prompt, _| {
        let question = input(prompt, "question");
        let known = CAPITALS.iter().find(|(country, _)| question.contains(country));
        Some(known.map_or("I do not know.", |(_, capital)| capital).to_owned())
    });
    let ask = |question: &str| {
        let parameters =
            json!({"signature": "question -> answer", "inputs": {"question": question}});
        stage.whole("predict", parameters)
    };
    for (country, capital) in CAPITALS {
        let result = ask(&format!("What is the capital of {country}?"));
        assert_eq!(result["outputs"], json!({"answer": capital}));
        assert_eq!(result["lm_calls"], 1);
        assert_eq!(result["usage"]["total_tokens"], 12);
    }
    let result = ask("What is the capital of Atlantis?");
    assert_eq!(result["outputs"]["answer"], "I do not know.");
    assert_eq!(stage.asked(), CAPITALS.len() + 1, "each question is one request");
}

#[test]
fn chain_of_thought_gets_right_what_a_guess_gets_wrong() {
    let stage = Stage::new("cot", |prompt, field| {
        let numbers = numbers_in(input(prompt, "question"));
        let [rows, each, lent] = numbers[..] else { return None };
        let reasons = prompt.outputs.iter().any(|(name, _)| name == "reasoning");
        match field {
            "reasoning" => Some(format!("{rows} x {each} is {}, less {lent}.", rows * each)),
            // Who is not asked to reason adds up what is there.
            _ if reasons => Some((rows * each - lent).to_string()),
            _ => Some((rows + each + lent).to_string()),
        }
    });
    let parameters = json!({
        "signature": "question -> answer: int",
        "inputs": {"question": "A shelf has 3 rows of 12 books, and 7 were lent. What is left?"},
    });
    assert_eq!(stage.ask("predict", parameters.clone())["answer"], 22);
    let outputs = stage.ask("chain_of_thought", parameters);
    assert_eq!(outputs, json!({"reasoning": "3 x 12 is 36, less 7.", "answer": 29}));
}

#[test]
fn a_custom_signature_is_what_the_model_reads() {
    let stage = Stage::new("custom", |prompt, field| {
        assert_eq!(field, "advice");
        let formal = prompt.system.contains("Answer like a solicitor.");
        let limit = prompt.system.contains("at most four words");
        let text = input(prompt, "matter");
        Some(match (formal, limit) {
            (true, true) => format!("Kindly reconsider {text}."),
            (true, false) => format!("We would kindly advise you to reconsider {text}."),
            (false, _) => format!("Don't do {text}!"),
        })
    });
    let fields = json!([
        {"name": "matter", "kind": "input", "description": "what the client asks about"},
        {"name": "advice", "kind": "output", "description": "at most four words"},
    ]);
    let signature = json!({"instructions": "Answer like a solicitor.", "fields": fields});
    let inputs = json!({"matter": "arbitration"});
    let parameters = json!({"signature": signature, "inputs": inputs});
    assert_eq!(stage.ask("predict", parameters)["advice"], "Kindly reconsider arbitration.");
    let parameters = json!({"signature": "matter -> advice", "inputs": inputs});
    assert_eq!(stage.ask("predict", parameters)["advice"], "Don't do arbitration!");
    let request = stage.seen.lock()[0].to_string();
    assert!(request.contains("what the client asks about"), "{request}");
}

#[test]
fn many_fields_of_many_types_go_in_and_come_out() {
    let stage = Stage::new("multi", |prompt, field| {
        let words: Vec<&str> = input(prompt, "text").split_whitespace().collect();
        let wanted: usize = input(prompt, "keywords_max").trim().parse().ok()?;
        let long: Vec<&str> =
            words.iter().filter(|word| word.len() > 6).take(wanted).copied().collect();
        Some(match field {
            "title" => words[..3].join(" "),
            "words" => words.len().to_string(),
            "share_long" => (long.len() as f64 / words.len() as f64).to_string(),
            "is_short" => (words.len() < 20).to_string(),
            "keywords" => json!(long).to_string(),
            "places" => json!({"first": 0, "last": words.len() - 1}).to_string(),
            _ => "null".to_owned(),
        })
    });
    let outputs = stage.ask(
        "predict",
        json!({
            "signature": "text: str, keywords_max: int, tags: list[str] -> title: str, words: int, \
                          share_long: float, is_short: bool, keywords: list[str], \
                          places: dict[str, int], remark: int | None",
            "inputs": {
                "text": "Glaciers retreat every summer and return in winter",
                "keywords_max": 2,
                "tags": ["climate", "ice"],
            },
        }),
    );
    let expected = json!({
        "title": "Glaciers retreat every",
        "words": 8,
        "share_long": 0.25,
        "is_short": true,
        "keywords": ["Glaciers", "retreat"],
        "places": {"first": 0, "last": 7},
        "remark": null,
    });
    assert_eq!(outputs, expected);
}

#[test]
fn classification_stays_with_the_labels() {
    let rule = |prompt: &Prompt, field: &str| {
        let text = input(prompt, "review").to_lowercase();
        let score = |words: &[&str]| words.iter().filter(|word| text.contains(**word)).count();
        let (good, bad) = (score(&["love", "great", "fine"]), score(&["broke", "refund", "never"]));
        Some(match field {
            "sentiment" if good > bad => "positive".to_owned(),
            "sentiment" if bad > good => "negative".to_owned(),
            "sentiment" => "neutral".to_owned(),
            _ => (1 + good.abs_diff(bad)).to_string(),
        })
    };
    let stage = Stage::new("labels", rule);
    let by_choices = json!({"fields": [
        {"name": "review", "kind": "input"},
        {"name": "sentiment", "kind": "output", "choices": ["positive", "negative", "neutral"]},
        {"name": "stars", "kind": "output", "choices": [1, 2, 3]},
    ]});
    let by_type =
        json!("review -> sentiment: Literal[\"positive\", \"negative\", \"neutral\"], stars: int");
    let reviews = [
        ("I love it, great sound.", "positive", 3),
        ("It broke after a day. Refund!", "negative", 3),
        ("It came in a box.", "neutral", 1),
    ];
    for signature in [by_choices, by_type] {
        for (review, sentiment, stars) in reviews {
            let parameters = json!({"signature": signature, "inputs": {"review": review}});
            let outputs = stage.ask("predict", parameters);
            assert_eq!(outputs, json!({"sentiment": sentiment, "stars": stars}));
        }
    }
    assert_eq!(stage.asked(), 2 * reviews.len());
}

#[test]
fn translation_carries_every_script_exactly() {
    let stage = Stage::new("translation", |prompt, field| {
        let text = input(prompt, "text");
        let line = TRANSLATIONS.iter().find(|(source, ..)| *source == text)?;
        Some(if field == "translated" { line.2 } else { line.1 }.to_owned())
    });
    for (text, language, translated) in TRANSLATIONS {
        let parameters = json!({
            "signature": "text -> language, translated",
            "inputs": {"text": text},
            "lm": stage.lm(),
        });
        let operation = start_stream(&stage.session, "dspy", "predict", &parameters);
        let tokens = chunks(&operation);
        let outputs = outcome(&operation).unwrap().to_document().unwrap()["outputs"].take();
        assert_eq!(outputs, json!({"language": language, "translated": translated}));
        let joined: String = tokens
            .iter()
            .filter(|chunk| chunk["type"] == "token" && chunk["field"] == "translated")
            .map(|chunk| chunk["text"].as_str().unwrap())
            .collect();
        assert_eq!(joined.as_bytes(), translated.as_bytes());
    }
    assert_eq!(stage.asked(), TRANSLATIONS.len());
}

fn numbers_in(text: &str) -> Vec<i64> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

const CAPITALS: [(&str, &str); 4] =
    [("Peru", "Lima"), ("Norway", "Oslo"), ("Kenya", "Nairobi"), ("Viet Nam", "Hà Nội")];

/// Text, language and translation: astral characters and joined ones, combining marks that must
/// not be composed, right to left with marks of its own, a script without blanks, quotes.
const TRANSLATIONS: [(&str, &str, &str); 6] = [
    ("𝒻𝓊𝓃 👩🏽‍🚀🚀 𐍈", "maths, emoji, Gothic", "𝔣𝔲𝔫 👨‍👩‍👧‍👦 🏴󠁧󠁢󠁷󠁬󠁳󠁿"),
    ("Cafe\u{301} a\u{308}ndert", "decomposed", "Cafe\u{301} \u{1E9B}\u{323} Å \u{212B}"),
    ("שָׁלוֹם \u{200F}(עולם)\u{200E}", "Hebrew", "مرحبا \u{202B}بالعالم\u{202C} ١٢٣"),
    ("世界、こんにちは。", "Japanese", "안녕하세요 세계"),
    ("नमस्ते दुनिया", "Hindi", "สวัสดีชาวโลก"),
    ("\"He said: 'no'\" \\ {x} </a>", "quoted", "„Er sagte: ‚nein‘“ \\n {{x}} <b>&amp;"),
];
