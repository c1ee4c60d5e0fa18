//! Updates: what each verb comes to, what it refuses, and that numbers are never wrong.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::core::Status;

fn value(json: &str) -> Value {
    Value::from_json(json.to_owned()).unwrap()
}

fn rule(type_name: &str, constraints: &str) -> std::sync::Arc<Rule> {
    Rule::new(type_name, &Bytes::copy_from_slice(constraints.as_bytes())).unwrap()
}

fn apply(type_name: &str, constraints: &str, current: &str, update: &str) -> Result<Value> {
    let update = Update::parse(&value(update))?;
    update.apply("x", &rule(type_name, constraints), &value(current))
}

fn blob(byte: u8) -> Attachment {
    Attachment::Blob(vec![byte].into())
}

fn with_blobs(json: &str, bytes: &[u8]) -> Value {
    Value::new(json.to_owned(), bytes.iter().copied().map(blob).collect()).unwrap()
}

#[test]
fn each_verb_comes_to_its_value() {
    for (type_name, current, update, result) in [
        ("integer", "5", r#"{"add":-7}"#, "-2"),
        ("integer", "18446744073709551614", r#"{"add":1}"#, "18446744073709551615"),
        ("integer", "-1", r#"{"add":9223372036854775808}"#, "9223372036854775807"),
        ("float", "0.1", r#"{"add":0.2}"#, "0.30000000000000004"),
        ("float", "5", r#"{"add":1}"#, "6"),
        ("float", "5", r#"{"add":0.5}"#, "5.5"),
        ("float", "18446744073709551615", r#"{"add":1}"#, "1.8446744073709552e+19"),
        ("float", "-0.0", r#"{"add":-0.0}"#, "-0.0"),
        ("json", "1", r#"{"add":1}"#, "2"),
        ("integer", "5", r#"{"max":7}"#, "7"),
        ("integer", "5", r#"{"min":7}"#, "5"),
        ("float", "9007199254740993", r#"{"max":9007199254740992.0}"#, "9007199254740993"),
        ("float", " 5e0 ", r#"{"max":5}"#, " 5e0 "),
        ("boolean", "true", r#"{"toggle":true}"#, "false"),
        ("boolean", " false", r#"{"toggle": true }"#, "true"),
        ("string", r#""a\n""#, r#"{"append":"é\""}"#, r#""a\né\"""#),
        ("string", "\"\"", r#"{"append":""}"#, "\"\""),
        ("json", "[1, 2.50 ]", r#"{"append":[3]}"#, "[1, 2.50 ,[3]]"),
        ("json", " [ ] ", r#"{"append": {"a":1} }"#, "[ {\"a\":1}]"),
        ("json", "[]", r#"{"extend":[]}"#, "[]"),
        ("json", "[1]", r#"{"extend":[ ]}"#, "[1]"),
        ("json", "[]", r#"{"extend":[1,2]}"#, "[1,2]"),
        ("json", "[0]", r#"{"extend": [1, 2] }"#, "[0,1, 2]"),
        (
            "json",
            r#"{"a":1,"b":{"c":2,"d":3}}"#,
            r#"{"merge":{"a":null,"b":{"c":[4]}}}"#,
            r#"{"b":{"c":[4],"d":3}}"#,
        ),
        ("json", "[1]", r#"{"merge":{"a":{"b":null}}}"#, r#"{"a":{}}"#),
        (
            "json",
            "{\"n\":18446744073709551615,\"f\":1.0}",
            r#"{"merge":{"z":"\u0000@0"}}"#,
            "{\"f\":1.0,\"n\":18446744073709551615,\"z\":\"\\u0000@0\"}",
        ),
        (
            "program",
            r#"{"demos":[]}"#,
            r#"{"patch":[{"op":"add","path":"/demos/-","value":1}]}"#,
            r#"{"demos":[1]}"#,
        ),
        (
            "json",
            r#"{"a":1}"#,
            r#"{"patch":[{"op":"test","path":"/a","value":1},
            {"op":"move","from":"/a","path":"/b"},{"op":"copy","from":"/b","path":"/c"},
            {"op":"replace","path":"/b","value":{"$$spb":2}},{"op":"remove","path":"/c"}]}"#,
            r#"{"b":{"$$spb":2}}"#,
        ),
    ] {
        let result_is = apply(type_name, "{}", current, update)
            .unwrap_or_else(|error| panic!("{current} {update}: {error:?}"));
        assert_eq!(result_is.json(), result, "{current} {update}");
    }
}

#[test]
fn floats_that_are_not_finite_follow_their_constraint() {
    let inf = r#"{"$spb":{"float":"inf"}}"#;
    let nan = r#"{"$spb":{"float":"nan"}}"#;
    let open = r#"{"finite":false}"#;
    let add = |current: &str, operand: &str| {
        apply("float", open, current, &format!("{{\"add\":{operand}}}")).unwrap()
    };
    assert_eq!(add("1e308", "1e308").json(), inf);
    assert_eq!(add(inf, "-1").json(), inf);
    assert_eq!(add(inf, r#"{"$spb":{"float":"-inf"}}"#).json(), nan);
    assert_eq!(apply("float", open, nan, r#"{"max":1}"#).unwrap().json(), nan);
    assert_eq!(apply("float", open, "1", &format!("{{\"max\":{inf}}}")).unwrap().json(), inf);
    let error = apply("float", "{}", "1e308", r#"{"add":1e308}"#).unwrap_err();
    assert_eq!(error.details()["constraint"], "finite");
    let error = apply("json", "{}", "1e308", r#"{"add":1e308}"#).unwrap_err();
    assert_eq!(error.status(), Status::TypeMismatch);
}

#[test]
fn numbers_and_texts_that_cannot_be_are_refused_by_name() {
    for (type_name, constraints, current, update, status, says) in [
        (
            "integer",
            "{}",
            "18446744073709551615",
            r#"{"add":1}"#,
            Status::Constraint,
            "would become 18446744073709551616",
        ),
        ("integer", "{}", "-9223372036854775808", r#"{"add":-1}"#, Status::Constraint, "64 bits"),
        ("integer", r#"{"max":5}"#, "5", r#"{"add":1}"#, Status::Constraint, "its max 5"),
        ("integer", "{}", "5", r#"{"add":1.0}"#, Status::TypeMismatch, "the float 1.0"),
        ("string", "{}", "\"5\"", r#"{"add":1}"#, Status::TypeMismatch, "met a string"),
        (
            "string",
            r#"{"max_length":2}"#,
            "\"ab\"",
            r#"{"append":"c"}"#,
            Status::Constraint,
            "3 characters",
        ),
        ("string", "{}", "\"ab\"", r#"{"append":1}"#, Status::TypeMismatch, "met a number"),
        ("json", "{}", "{}", r#"{"append":1}"#, Status::TypeMismatch, "met an empty object"),
        ("json", "{}", "\"a\"", r#"{"extend":[1]}"#, Status::TypeMismatch, "met a string"),
        ("json", "{}", "1", r#"{"toggle":true}"#, Status::TypeMismatch, "expected a boolean"),
    ] {
        expect_refusal(apply(type_name, constraints, current, update), status, says);
    }
}

#[test]
fn documents_that_cannot_be_are_refused_by_name() {
    for (type_name, current, update, status, says) in [
        (
            "program",
            r#"{"a":1}"#,
            r#"{"merge":{"a":null}}"#,
            Status::TypeMismatch,
            "an empty object",
        ),
        (
            "json",
            "{}",
            r#"{"merge":{"a":{"$spb":{"float":"nan"}}}}"#,
            Status::TypeMismatch,
            "not finite",
        ),
        (
            "json",
            "[1]",
            r#"{"patch":[{"op":"test","path":"/0","value":2}]}"#,
            Status::Constraint,
            "something else at \"/0\"",
        ),
        (
            "json",
            "[1]",
            r#"{"patch":[{"op":"remove","path":"/1"}]}"#,
            Status::InvalidArgument,
            "cannot be applied at \"/1\"",
        ),
        (
            "json",
            "{}",
            r#"{"patch":[{"op":"add","path":"/$spb","value":1}]}"#,
            Status::InvalidArgument,
            "a user's own is written",
        ),
    ] {
        expect_refusal(apply(type_name, "{}", current, update), status, says);
    }
}

fn expect_refusal(outcome: Result<Value>, status: Status, says: &str) {
    let error = outcome.unwrap_err();
    assert_eq!(error.status(), status, "{says}: {error:?}");
    assert!(error.message().contains(says), "{says}: {error:?}");
    assert_eq!(error.details()["variable"], "x", "{says}: {error:?}");
}

#[test]
fn updates_that_are_none_are_refused_when_parsed() {
    for (update, says) in [
        ("[]", "is an array, expected an object"),
        ("{}", "is empty, expected one key"),
        (r#"{"add":1,"max":2}"#, "has \"add\" and \"max\""),
        (r#"{"apend":1}"#, "did you mean \"append\"?"),
        (r#"{"add":"1"}"#, "\"add\" is a string, expected a number"),
        (r#"{"max":{"$spb":{"float":"nan"}}}"#, "neither more nor less"),
        (r#"{"toggle":false}"#, "expected true"),
        (r#"{"extend":{}}"#, "\"extend\" is an object, expected an array"),
        (r#"{"merge":[]}"#, "\"merge\" is an array, expected an object"),
        (r#"{"merge":{"$spb":{"float":"inf"}}}"#, "expected an object"),
        (r#"{"patch":{}}"#, "expected an array of operations"),
        (
            r#"{"patch":[{"op":"remove","path":""},{"op":"add","path":"/a"}]}"#,
            "operation 1: missing field `value`",
        ),
        (r#"{"patch":[{"op":"remove","path":"a"}]}"#, "operation 0"),
        (r#"{"$spb":{"float":"nan"}}"#, "unknown verb \"$spb\""),
    ] {
        let error = Update::parse(&value(update)).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument, "{update}");
        assert_eq!(error.details()["field"], "update");
        assert!(error.message().contains(says), "{update}: {error}");
    }
    let operation = json!({"op": "remove", "path": ""});
    let many = json!({"patch": vec![operation; PATCH_OPERATIONS_MAX + 1]});
    assert!(Update::parse(&Value::from_document(&many)).unwrap_err().message().contains("1024"));
}

#[test]
fn attachments_keep_their_meaning() {
    let rule = rule("json", "{}");
    let run = |current: &Value, update: &Value| {
        Update::parse(update).unwrap().apply("x", &rule, current).unwrap()
    };
    let current = with_blobs(r#"[{"$spb":{"attachment":1}},{"$spb":{"attachment":0}}]"#, b"ab");
    let appended = run(&current, &with_blobs(r#"{"append":{"$spb":{"attachment":0}}}"#, b"c"));
    let expected =
        r#"[{"$spb":{"attachment":1}},{"$spb":{"attachment":0}},{"$spb":{"attachment":2}}]"#;
    assert_eq!(appended, with_blobs(expected, b"abc"));
    let update = r#"{"patch":[{"op":"remove","path":"/1"},
        {"op":"add","path":"/0","value":{"t":{"$spb":{"attachment":0}}}},
        {"op":"test","path":"/0","value":{"t":{"$spb":{"attachment":0}}}},
        {"op":"copy","from":"/1","path":"/-"}]}"#;
    let expected =
        r#"[{"t":{"$spb":{"attachment":0}}},{"$spb":{"attachment":1}},{"$spb":{"attachment":1}}]"#;
    assert_eq!(run(&current, &with_blobs(update, b"c")), with_blobs(expected, b"cb"));
    let object = with_blobs(r#"{"a":{"$spb":{"attachment":0}},"b":1}"#, b"a");
    let merged = run(&object, &with_blobs(r#"{"merge":{"a":{"x":null,"y":2}}}"#, b""));
    assert_eq!(merged, value(r#"{"a":{"y":2},"b":1}"#));
    let inside = value(r#"{"patch":[{"op":"remove","path":"/a/$spb/attachment"}]}"#);
    let error = Update::parse(&inside).unwrap().apply("x", &rule, &object).unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument);
}

#[test]
fn no_patch_nests_or_grows_without_bound() {
    let copies = |count: usize, path: &dyn Fn(usize) -> String| {
        let copy = |index| json!({"op": "copy", "from": "", "path": path(index)});
        let operations: Vec<Json> = (0..count).map(copy).collect();
        Update::parse(&Value::from_document(&json!({ "patch": operations }))).unwrap()
    };
    let rule = rule("json", "{}");
    let deeper = copies(7, &|index| "/0".repeat(1 << index));
    let error = deeper.apply("x", &rule, &value("[]")).unwrap_err();
    assert!(error.message().contains("nest deeper than 64"), "{error}");
    let text = json!(["x".repeat(1 << 20)]);
    let wider = copies(12, &|_| "/-".to_owned());
    let error = wider.apply("x", &rule, &Value::from_document(&text)).unwrap_err();
    assert_eq!(error.status(), Status::ResourceExhausted, "{error}");
}

fn integer() -> impl Strategy<Value = i128> {
    let edge = prop_oneof![
        Just(0),
        Just(i128::from(i64::MIN)),
        Just(i128::from(i64::MAX)),
        Just(i128::from(u64::MAX)),
        Just(1 << 53),
    ];
    let any = prop_oneof![any::<i64>().prop_map(i128::from), any::<u64>().prop_map(i128::from)];
    let near = (edge, -3_i128..=3).prop_map(|(edge, step)| edge + step);
    prop_oneof![any, near]
        .prop_filter("64 bits", |n| (i64::MIN.into()..=u64::MAX.into()).contains(n))
}

proptest! {
    #[test]
    fn integers_add_as_they_do_in_wider_ones(held in integer(), operand in integer()) {
        let outcome = apply("integer", "{}", &held.to_string(), &format!("{{\"add\":{operand}}}"));
        let sum = held + operand;
        if (i64::MIN.into()..=u64::MAX.into()).contains(&sum) {
            prop_assert_eq!(outcome.unwrap(), value(&sum.to_string()));
        } else {
            let error = outcome.unwrap_err();
            prop_assert_eq!(error.status(), Status::Constraint);
            prop_assert_eq!(&error.details()["given"], &json!(sum.to_string()));
        }
        let larger = apply("json", "{}", &held.to_string(), &format!("{{\"max\":{operand}}}"));
        prop_assert_eq!(larger.unwrap(), value(&held.max(operand).to_string()));
    }

    #[test]
    fn floats_add_as_doubles_do(held in any::<f64>(), operand in any::<f64>()) {
        let number = |float| Number::Float(float).to_value().unwrap().to_document().unwrap();
        let current = Value::from_document(&number(held));
        let update = Value::from_document(&json!({"add": number(operand)}));
        let update = Update::parse(&update).unwrap();
        let sum = update.apply("x", &rule("float", "{\"finite\":false}"), &current).unwrap();
        let sum = Number::of_document(sum.json()).unwrap().nearest();
        prop_assert_eq!(sum.is_nan(), (held + operand).is_nan());
        prop_assert!(sum.is_nan() || sum.to_bits() == (held + operand).to_bits());
    }

    #[test]
    fn texts_and_arrays_grow_as_in_memory(
        held: String,
        operand: String,
        items: Vec<Option<String>>,
    ) {
        let text = Value::from_document(&json!(held));
        let update = Update::parse(&Value::from_document(&json!({"append": operand}))).unwrap();
        let result = update.apply("x", &rule("string", "{}"), &text).unwrap();
        prop_assert_eq!(result.to_document().unwrap(), json!(held.clone() + &operand));
        let list = Value::from_document(&json!([held, operand]));
        let update = Update::parse(&Value::from_document(&json!({"extend": items}))).unwrap();
        let result = update.apply("x", &rule("json", "{}"), &list).unwrap();
        let mut expected = vec![Some(held), Some(operand)];
        expected.extend(items);
        prop_assert_eq!(result.to_document().unwrap(), json!(expected));
    }
}
