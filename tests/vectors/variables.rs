//! The shared examples of `tests/vectors/variables.json`, run against `state::Rule` and
//! `state::Update`, which every store uses.
//!
//! C and Python run the same file through the platform (`tests/c/variables.c`,
//! `tests/worker/variables.rs`).

use bytes::Bytes;
use serde_json::Value as Json;
use snakepit_bridge::core::{Error, Status, Value};
use snakepit_bridge::state::{Rule, Update, VariableType};

use super::{attachments_of, text_of};

#[test]
fn every_type_has_examples() {
    for kind in VariableType::ALL {
        let own: Vec<Json> =
            rows("variables").into_iter().filter(|row| row["type"] == kind.name()).collect();
        let count = |list: &str| own.iter().map(|row| rows_of(row, list).len()).sum::<usize>();
        assert!(count("accepted") >= 2 && count("refused") >= 2, "{}", kind.name());
        let refused = rows("refused_variables");
        for constraint in kind.constraint_names() {
            let is_used = |row: &Json| row["constraints"].as_str().unwrap().contains(constraint);
            assert!(own.iter().any(is_used), "no {} has {constraint}", kind.name());
        }
        assert!(refused.iter().any(|row| row["type"] == kind.name()), "{}", kind.name());
    }
}

#[test]
fn values_are_accepted_and_refused() {
    for variable in rows("variables") {
        let rule = rule_of(&variable).unwrap();
        let accepted = rows_of(&variable, "accepted");
        for value in accepted.iter().chain([&variable["initial"]]) {
            rule.check("x", &value_of(value)).unwrap_or_else(|error| panic!("{value}: {error:?}"));
        }
        for row in rows_of(&variable, "refused") {
            expect_refusal(&row, rule.check("x", &value_of(&row["value"])));
        }
    }
}

#[test]
fn constraints_are_refused() {
    for row in rows("refused_variables") {
        let Err(error) = rule_of(&row) else { panic!("{row} is accepted") };
        assert_eq!(error.status(), Status::InvalidArgument, "{row}: {error:?}");
        assert_eq!(error.details()["constraint"], row["constraint"], "{row}: {error:?}");
    }
}

#[test]
fn updates_come_to_their_results() {
    let mut count = 0;
    for variable in rows("variables") {
        let rule = rule_of(&variable).unwrap();
        for row in rows_of(&variable, "updates") {
            let (from, update) = (value_of(&row["from"]), value_of(&row["update"]));
            rule.check("x", &from).unwrap();
            let outcome = Update::parse(&update).unwrap().apply("x", &rule, &from);
            match row.get("result") {
                Some(result) => assert_eq!(outcome.unwrap(), value_of(result), "{row}"),
                None => expect_refusal(&row, outcome),
            }
            count += 1;
        }
    }
    assert!(count > 40, "the file has lost its updates");
    for update in rows("refused_updates") {
        let error = Update::parse(&value_of(&update)).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument, "{update}");
        assert_eq!(error.details()["field"], "update", "{update}");
    }
}

fn expect_refusal<T>(row: &Json, outcome: Result<T, Error>) {
    let Err(error) = outcome else { panic!("{row} is accepted") };
    assert_eq!(error.status().name(), row["status"], "{row}: {error:?}");
    for (key, expected) in row["details"].as_object().unwrap() {
        assert_eq!(error.details().get(key), Some(expected), "{row}: {error:?}");
    }
    assert_eq!(error.details()["variable"], "x", "{row}: {error:?}");
}

fn rule_of(row: &Json) -> Result<std::sync::Arc<Rule>, Error> {
    let constraints = Bytes::copy_from_slice(row["constraints"].as_str().unwrap().as_bytes());
    Rule::new(row["type"].as_str().unwrap(), &constraints)
}

fn value_of(given: &Json) -> Value {
    if let Some(text) = given.as_str() {
        return Value::from_json(text.to_owned()).unwrap();
    }
    Value::new(text_of(given), attachments_of(given).unwrap()).unwrap()
}

fn rows(list: &str) -> Vec<Json> {
    let file: Json = serde_json::from_str(include_str!("variables.json")).unwrap();
    rows_of(&file, list)
}

fn rows_of(parent: &Json, list: &str) -> Vec<Json> {
    parent[list].as_array().unwrap().clone()
}
