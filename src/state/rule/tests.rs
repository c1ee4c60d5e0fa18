//! Types and constraints: what is accepted, what is refused, and in which words.

use super::*;

fn rule(type_name: &str, constraints: &str) -> Result<Arc<Rule>> {
    Rule::new(type_name, &Bytes::copy_from_slice(constraints.as_bytes()))
}

fn check(type_name: &str, constraints: &str, document: &str) -> Result<()> {
    let value = Value::from_json(document.to_owned()).unwrap();
    rule(type_name, constraints).unwrap().check("x", &value)
}

#[test]
fn values_within_their_rule_pass() {
    for (type_name, constraints, document) in [
        ("string", "{}", "\"\""),
        ("string", r#"{"min_length":1,"max_length":1}"#, "\"\\ud83d\\ude00\""),
        ("string", r#"{"pattern":"b"}"#, "\"abc\""),
        ("string", r#"{"pattern":"^[a-c]+$"}"#, "\"abc\""),
        ("integer", "{}", "18446744073709551615"),
        ("integer", "{}", "-9223372036854775808"),
        ("integer", r#"{"min":-1,"max":9007199254740993}"#, "9007199254740993"),
        ("float", "{}", "5"),
        ("float", "{}", "1e300"),
        ("float", r#"{"min":0,"max":1}"#, "1.0"),
        ("float", r#"{"max":9007199254740992.0}"#, "9007199254740992"),
        ("boolean", "{}", " true "),
        ("choice", r#"{"choices":["a",1,null,false]}"#, "null"),
        ("choice", r#"{"choices":["a",1,null,false]}"#, "\"\\u0061\""),
        ("json", "{}", "[{\"a\":null}]"),
    ] {
        check(type_name, constraints, document).unwrap();
    }
}

#[test]
fn values_of_another_kind_are_a_type_mismatch() {
    for (type_name, constraints, document, given) in [
        ("string", "{}", "1", "a number"),
        ("string", "{}", "null", "null"),
        ("integer", "{}", "5.0", "the float 5.0"),
        ("integer", "{}", "5e0", "the float 5.0"),
        ("integer", "{}", "true", "a boolean"),
        ("integer", "{}", "\"5\"", "a string"),
        ("float", "{}", "false", "a boolean"),
        ("boolean", "{}", "1", "a number"),
        ("boolean", "{}", "\"true\"", "a string"),
    ] {
        let error = check(type_name, constraints, document).unwrap_err();
        assert_eq!(error.status(), Status::TypeMismatch, "{error}");
        assert_eq!(error.details()["given"], given, "{error}");
        assert_eq!(error.details()["variable"], "x");
        assert_eq!(error.details()["constraint"], "type");
    }
    let error = check("integer", "{}", "5.0").unwrap_err();
    assert!(error.message().ends_with("the same number without a fraction or exponent"), "{error}");
    let blob = crate::core::Attachment::Blob(Bytes::from_static(b"1"));
    let value = Value::new("\"a\"", vec![blob]).unwrap();
    let error = rule("string", "{}").unwrap().check("x", &value).unwrap_err();
    assert_eq!(error.details()["given"], "a value with attachments");
}

#[test]
fn broken_constraints_are_told_with_given_and_allowed() {
    for (type_name, constraints, document, constraint, given, allowed) in [
        ("string", r#"{"min_length":2}"#, "\"é\"", "min_length", json!(1), json!(2)),
        ("string", r#"{"max_length":2}"#, "\"abc\"", "max_length", json!(3), json!(2)),
        ("string", r#"{"pattern":"^a$"}"#, "\"a\\n\"", "pattern", json!("a\n"), json!("^a$")),
        ("integer", r#"{"min":1}"#, "0", "min", json!(0), json!(1)),
        (
            "integer",
            r#"{"max":9007199254740992}"#,
            "9007199254740993",
            "max",
            json!(9_007_199_254_740_993_i64),
            json!(9_007_199_254_740_992_i64),
        ),
        ("float", r#"{"min":0.5}"#, "0", "min", json!(0), json!(0.5)),
        (
            "float",
            r#"{"max":9007199254740992.0}"#,
            "9007199254740993",
            "max",
            json!(9_007_199_254_740_993_i64),
            json!(9_007_199_254_740_992.0),
        ),
        ("choice", r#"{"choices":["a",1]}"#, "1.0", "choices", json!(1.0), json!(["a", 1])),
        ("choice", r#"{"choices":["a",1]}"#, "true", "choices", json!(true), json!(["a", 1])),
        ("choice", r#"{"choices":["a"]}"#, "[\"a\"]", "choices", json!("an array"), json!(["a"])),
    ] {
        let error = check(type_name, constraints, document).unwrap_err();
        assert_eq!(error.status(), Status::Constraint, "{error}");
        assert_eq!(error.details()["constraint"], constraint, "{error}");
        assert_eq!(error.details()["given"], given, "{error}");
        assert_eq!(error.details()["allowed"], allowed, "{error}");
        assert!(error.message().starts_with("variable \"x\" was given "), "{error}");
    }
}

#[test]
fn constraints_that_cannot_be_are_refused_at_registration() {
    for (type_name, constraints, text) in [
        ("string", r#"{"min_lenght":1}"#, "did you mean \"min_length\"?"),
        ("string", r#"{"min":1}"#, "does not apply to variables of type string"),
        ("json", r#"{"max":1}"#, "which have none"),
        ("string", r#"{"min_length":-1}"#, "is -1, expected a count of characters"),
        ("string", r#"{"max_length":1.0}"#, "is 1.0, expected a count"),
        ("string", r#"{"min_length":3,"max_length":2}"#, "is 3, more than max_length"),
        ("string", r#"{"pattern":"("}"#, "is no regular expression: unclosed group"),
        ("string", r#"{"pattern":"a{1000}{1000}"}"#, "is no regular expression"),
        ("string", r#"{"pattern":1}"#, "is an integer, expected a regular expression"),
        ("integer", r#"{"min":0.5}"#, "is 0.5, expected an integer"),
        ("integer", r#"{"min":"1"}"#, "is a string, expected a number"),
        ("float", r#"{"min":2,"max":1.5}"#, "is 2, more than max, which is 1.5"),
        ("choice", "{}", "is missing"),
        ("choice", r#"{"choices":[]}"#, "is empty"),
        ("choice", r#"{"choices":"a"}"#, "is a string, expected an array"),
        ("choice", r#"{"choices":[1,[]]}"#, "has an array at [1]"),
        ("choice", r#"{"choices":[1,2,1]}"#, "same value twice, again at [2]"),
        ("integer", "[]", "constraints is an array, expected an object"),
        ("integer", "{", "constraints: at $"),
    ] {
        let error = rule(type_name, constraints).map(drop).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument, "{error}");
        assert!(error.message().contains(text), "{error} does not say {text:?}");
    }
    let long = format!("{{\"pattern\":\"{}\"}}", "a".repeat(1025));
    assert!(rule("string", &long).unwrap_err().message().contains("the limit is 1024"));
    let long = format!("{{\"pattern\":\"{}\"}}", "a".repeat(METADATA_BYTES_MAX));
    assert!(rule("string", &long).unwrap_err().message().contains("the limit is 8192"));
}
