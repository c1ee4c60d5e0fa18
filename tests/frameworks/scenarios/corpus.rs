//! A retriever in the host: a small corpus, and a real ranking by how rare the shared words are.

use std::collections::HashSet;

use serde_json::{Value as Json, json};

/// The passages nearest to a query: `{"id", "text", "score"}`, best first, none without a shared
/// word.
pub fn search(query: &str, k: usize) -> Vec<Json> {
    let wanted = words(query);
    let mut ranked: Vec<(f64, usize)> = CORPUS
        .iter()
        .enumerate()
        .map(|(id, text)| (words(text).intersection(&wanted).map(|word| rarity(word)).sum(), id))
        .filter(|(score, _): &(f64, usize)| *score > 0.0)
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let row = |(score, id): &(f64, usize)| json!({"id": id, "text": CORPUS[*id], "score": score});
    ranked.iter().take(k).map(row).collect()
}

/// The texts alone.
pub fn texts(rows: &[Json]) -> Vec<String> {
    rows.iter().map(|row| row["text"].as_str().unwrap().to_owned()).collect()
}

/// The logarithm of how many passages there are to each that has the word.
fn rarity(word: &str) -> f64 {
    let having = CORPUS.iter().filter(|text| words(text).contains(word)).count();
    (CORPUS.len() as f64 / having as f64).ln()
}

fn words(text: &str) -> HashSet<String> {
    let split = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2);
    split.map(str::to_lowercase).collect()
}

const CORPUS: [&str; 8] = [
    "The Arkenvale bridge was designed by Mira Holt in 1931.",
    "Mira Holt was born in the town of Sarn.",
    "Sarn lies on the river Tove and has 4,200 inhabitants.",
    "The river Tove rises in the Gray Hills.",
    "The Gray Hills are known for slate.",
    "Arkenvale has a market every Tuesday.",
    "The bridge of Lowmere was designed by Tam Orrin.",
    "Tam Orrin was born in Lowmere.",
];
