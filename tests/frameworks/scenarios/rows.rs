//! Fifty thousand rows: sent with a call, kept in a variable, taught from, and in part judged.

use serde_json::{Value as Json, json};

use super::super::support::run;
use super::world::{Stage, register, store};

#[test]
fn fifty_thousand_rows_arrive_whole_by_either_way() {
    let stage = Stage::new("rows", |_, _| None);
    let rows = rows();
    let small = ROWS.div_ceil(7);
    let expected = json!({
        "rows": ROWS,
        "sum": SUM,
        "labels": {"large": ROWS - small, "small": small},
        "last": rows[ROWS - 1],
    });
    let inline = run(&stage.session, "python", "totals", json!({"rows": rows})).unwrap();
    assert_eq!(inline, expected);
    register(&stage.session, "rows", "json", &rows);
    let stored = run(&stage.session, "python", "totals_of", json!({"variable": "rows"})).unwrap();
    assert_eq!(stored, expected);
    // An optimizer takes its demonstrations from all of them.
    store(&stage.session, "taught", &json!({"module": "predict", "signature": "amount -> label"}));
    let result = stage.whole(
        "optimize",
        json!({
            "program": "taught",
            "optimizer": "LabeledFewShot",
            "options": {"k": 5},
            "data": {"train": {"variable": "rows", "inputs": ["amount"]}},
        }),
    );
    assert_eq!(result["program"], json!({"variable": "taught", "version": 2}), "{result}");
    let taught = stage.bare("describe_program", json!({"program": "taught"}));
    assert_eq!(taught["predictors"][0]["demos"], 5);
    // A program without a language model labels a part of them; one in seven is wrong on purpose.
    let part: Json = rows.as_array().unwrap()[..JUDGED].iter().cloned().collect();
    register(&stage.session, "part", "json", &part);
    let options = json!({"name": "Sorter", "arguments": {"bound": 0}});
    store(&stage.session, "sorter", &json!({"module": "python", "options": options}));
    let result = stage.whole(
        "evaluate",
        json!({
            "program": "sorter",
            "data": {"variable": "part", "inputs": ["amount"]},
            "metric": {"kind": "python", "name": "same_label"},
            "results": "none",
            "threads": 64,
        }),
    );
    assert_eq!(result["count"], JUDGED);
    assert_eq!(result["errors"], 0);
    let share = 100.0 * (JUDGED - JUDGED.div_ceil(7)) as f64 / JUDGED as f64;
    assert_eq!(result["score"], (share * 100.0).round() / 100.0);
    assert_eq!(result["lm_calls"], 0);
}

/// Amounts beyond 32 bits, whose sum is exact, and a label that is "small" for each seventh.
fn rows() -> Json {
    (0..ROWS)
        .map(|number| {
            let label = if number % 7 == 0 { "small" } else { "large" };
            let amount = BASE + number as u64;
            json!({"id": number, "amount": amount, "label": label, "note": "Ünïcode 𝄞"})
        })
        .collect()
}

const ROWS: usize = 50_000;
const JUDGED: usize = 3_000;
const BASE: u64 = 1 << 40;
/// Of all amounts.
const SUM: u64 = ROWS as u64 * BASE + (ROWS as u64 * (ROWS as u64 - 1)) / 2;
