//! Entity extraction: lists of objects and nested objects, found by the model in the text itself.

use serde_json::{Map, Value as Json, json};

use super::world::{Stage, input};

#[test]
fn entities_come_out_as_typed_objects_in_the_order_of_the_text() {
    let stage = Stage::new("entities", |prompt, field| {
        let found = entities(input(prompt, "text"));
        Some(match field {
            "entities" => {
                let rows = found.iter().map(|(text, kind, start)| {
                    json!({"text": text, "kind": kind, "start": start.to_string()})
                });
                rows.collect::<Json>().to_string()
            }
            "by_kind" => {
                let mut grouped = Map::new();
                for (text, kind, _) in &found {
                    let list = grouped.entry(*kind).or_insert_with(|| json!([]));
                    list.as_array_mut().unwrap().push(json!(text));
                }
                Json::Object(grouped).to_string()
            }
            _ => found.len().to_string(),
        })
    });
    let extract = |adapter: &str, text: &str| {
        let parameters = json!({
            "signature": "text -> entities: list[dict[str, str]], by_kind: dict[str, list[str]], \
                          count: int",
            "inputs": {"text": text},
            "adapter": adapter,
        });
        stage.ask("predict", parameters)
    };
    let outputs = extract("chat", "Ada met Charles in London before Ada left for Torino.");
    let expected = json!({
        "entities": [
            {"text": "Ada", "kind": "person", "start": "0"},
            {"text": "Charles", "kind": "person", "start": "8"},
            {"text": "London", "kind": "place", "start": "19"},
            {"text": "Ada", "kind": "person", "start": "33"},
            {"text": "Torino", "kind": "place", "start": "46"},
        ],
        "by_kind": {"person": ["Ada", "Charles", "Ada"], "place": ["London", "Torino"]},
        "count": 5,
    });
    assert_eq!(outputs, expected);
    let nothing = json!({"entities": [], "by_kind": {}, "count": 0});
    assert_eq!(extract("chat", "nobody was there"), nothing);
    assert_eq!(extract("json", "Ada")["count"], 1, "the JSON format asks by the same fields");
}

/// Name, kind and place of each name that the gazetteer has.
fn entities(text: &str) -> Vec<(String, &'static str, usize)> {
    let word_at = |(start, _): &(usize, char)| {
        *start == 0 || !text[..*start].ends_with(char::is_alphanumeric)
    };
    let mut found = Vec::new();
    for (start, _) in text.char_indices().filter(word_at) {
        let known = GAZETTEER.iter().find(|(name, _)| text[start..].starts_with(name));
        found.extend(known.map(|(name, kind)| ((*name).to_owned(), *kind, start)));
    }
    found
}

const GAZETTEER: [(&str, &str); 4] =
    [("Ada", "person"), ("Charles", "person"), ("London", "place"), ("Torino", "place")];
