//! Types and constraints: what is accepted, what is refused, and in which words.

use serde_json::json;

use super::*;
use crate::core::{DType, Tensor};

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
        ("float", r#"{"finite":false}"#, r#"{"$spb":{"float":"nan"}}"#),
        ("float", r#"{"finite":false,"min":0}"#, r#"{"$spb":{"float":"inf"}}"#),
        ("program", "{}", r#"{"kind":"predict"}"#),
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
        ("integer", "{}", r#"{"$spb":{"float":"inf"}}"#, "the float inf"),
        ("choice", r#"{"choices":[1]}"#, r#"{"$spb":{"float":"nan"}}"#, "the float nan"),
        ("json", "{}", r#"{"$spb":{"float":"nan"}}"#, "the float nan"),
        (
            "json",
            "{}",
            r#"[{"$spb":{"float":"nan"}}]"#,
            "a document with a float that is not finite",
        ),
        ("float", "{}", "{}", "an empty object"),
        ("program", "{}", " { } ", "an empty object"),
        ("program", "{}", "[1]", "an array"),
        ("bytes", "{}", "\"text\"", "a string"),
        ("tensor", "{}", "[[1.0]]", "an array"),
        ("embedding", "{}", "[0.5]", "an array"),
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
        ("float", "{}", r#"{"$spb":{"float":"-inf"}}"#, "finite", json!("-inf"), json!(true)),
        (
            "float",
            r#"{"finite":false,"max":2}"#,
            r#"{"$spb":{"float":"inf"}}"#,
            "max",
            json!("inf"),
            json!(2),
        ),
        (
            "float",
            r#"{"finite":false,"max":2}"#,
            r#"{"$spb":{"float":"nan"}}"#,
            "max",
            json!("nan"),
            json!(2),
        ),
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
        ("float", r#"{"finite":1}"#, "is an integer, expected true or false"),
        ("integer", r#"{"finite":true}"#, "does not apply to variables of type integer"),
        ("bytes", r#"{"min_length":1.5}"#, "is 1.5, expected a count of bytes"),
        ("bytes", r#"{"min_length":134217729}"#, "no value has more than 134217728 bytes"),
        ("bytes", r#"{"pattern":"a"}"#, "does not apply to variables of type bytes"),
        ("tensor", r#"{"dimensions":3}"#, "does not apply to variables of type tensor"),
        ("tensor", r#"{"dtype":"flaot32"}"#, "did you mean \"float32\"?"),
        ("tensor", r#"{"dtype":["int8",1]}"#, "has an integer, expected names"),
        ("tensor", r#"{"dtype":["int8","int8"]}"#, "has int8 twice"),
        ("tensor", r#"{"dtype":[]}"#, "is empty"),
        ("tensor", r#"{"shape":3}"#, "is an integer, expected an array of sizes"),
        ("tensor", r#"{"shape":[null,-1]}"#, "has -1 at [1], expected a size"),
        ("tensor", r#"{"shape":[16384,8193]}"#, "no value has more than 134217728 bytes"),
        ("tensor", r#"{"shape":[9223372036854775807,2]}"#, "no value has more than"),
        ("embedding", r#"{"dimensions":0}"#, "is 0, expected a count of at least 1"),
        ("embedding", r#"{"dimensions":67108865}"#, "no value has more than 134217728 bytes"),
        ("embedding", r#"{"dtype":"int8"}"#, "expected one of float16, bfloat16, float32"),
        ("embedding", r#"{"shape":[1,2,3]}"#, "has 3 sizes, and embeddings have 1 or 2"),
        ("embedding", r#"{"shape":[0]}"#, "has vectors of 0 dimensions"),
        ("embedding", r#"{"shape":[null,4],"dimensions":5}"#, "has 4 in the last place"),
        ("embedding", r#"{"finite":false,"normalized":true}"#, "only finite vectors are"),
        ("program", r#"{"min_length":1}"#, "which have none"),
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

/// A value that is one attachment.
fn attached(attachment: Attachment) -> Value {
    Value::new(r#"{"$spb":{"attachment":0}}"#, vec![attachment]).unwrap()
}

fn floats(shape: &[i64], elements: &[f32]) -> Value {
    let data: Vec<u8> = elements.iter().flat_map(|element| element.to_le_bytes()).collect();
    attached(Attachment::Tensor(Tensor::new(DType::Float32, shape.to_vec(), data).unwrap()))
}

#[test]
fn bytes_are_one_blob_and_counted() {
    let blob = |length: usize| attached(Attachment::Blob(vec![7; length].into()));
    let rule = rule("bytes", r#"{"min_length":1,"max_length":3}"#).unwrap();
    rule.check("x", &blob(1)).unwrap();
    rule.check("x", &blob(3)).unwrap();
    let error = rule.check("x", &blob(4)).unwrap_err();
    assert_eq!(error.message(), "variable \"x\" was given 4 bytes, more than its max_length 3");
    assert_eq!(error.details()["given"], 4);
    assert!(rule.check("x", &blob(0)).unwrap_err().message().contains("min_length"));
    let error = rule.check("x", &floats(&[1], &[0.0])).unwrap_err();
    assert_eq!(error.details()["given"], "a tensor of float32 and shape [1]");
    let inside = Value::new(
        r#"[{"$spb":{"attachment":0}}]"#,
        vec![Attachment::Blob(Bytes::from_static(b"1"))],
    );
    let error = rule.check("x", &inside.unwrap()).unwrap_err();
    assert_eq!(error.details()["given"], "a value with attachments");
}

#[test]
fn tensors_keep_dtype_shape_and_finite() {
    let tensor = floats(&[2, 2], &[1.0, f32::NAN, 3.0, 4.0]);
    for constraints in
        ["{}", r#"{"dtype":["int8","float32"],"shape":[null,2]}"#, r#"{"shape":[2,2]}"#]
    {
        rule("tensor", constraints).unwrap().check("x", &tensor).unwrap();
    }
    for (constraints, constraint, given, allowed) in [
        (r#"{"dtype":"float64"}"#, "dtype", json!("float32"), json!(["float64"])),
        (r#"{"shape":[null,3]}"#, "shape", json!([2, 2]), json!([null, 3])),
        (r#"{"shape":[null]}"#, "shape", json!([2, 2]), json!([null])),
        (r#"{"finite":true}"#, "finite", json!("nan"), json!(true)),
    ] {
        let error = rule("tensor", constraints).unwrap().check("x", &tensor).unwrap_err();
        assert_eq!(error.status(), Status::Constraint, "{error}");
        assert_eq!(error.details()["constraint"], constraint);
        assert_eq!(error.details()["given"], given);
        assert_eq!(error.details()["allowed"], allowed);
    }
    let error = rule("tensor", r#"{"finite":true}"#).unwrap().check("x", &tensor).unwrap_err();
    assert_eq!(error.details()["at"], json!([0, 1]));
}

#[test]
fn embeddings_are_vectors_or_batches_of_finite_floats() {
    let (vector, batch) = (floats(&[2], &[0.6, 0.8]), floats(&[2, 2], &[0.6, 0.8, 0.0, 2.0]));
    for constraints in ["{}", r#"{"dimensions":2}"#, r#"{"dimensions":2,"dtype":"float32"}"#] {
        rule("embedding", constraints).unwrap().check("x", &vector).unwrap();
        rule("embedding", constraints).unwrap().check("x", &batch).unwrap();
    }
    let normalized = rule("embedding", r#"{"normalized":true}"#).unwrap();
    normalized.check("x", &vector).unwrap();
    let error = normalized.check("x", &batch).unwrap_err();
    assert_eq!(error.details()["given"], 2.0);
    assert_eq!(error.details()["row"], 1);
    let error = rule("embedding", r#"{"dimensions":3}"#).unwrap().check("x", &vector).unwrap_err();
    assert_eq!(error.details()["given"], 2);
    let infinite = floats(&[1, 2], &[1.0, f32::NEG_INFINITY]);
    let error = rule("embedding", "{}").unwrap().check("x", &infinite).unwrap_err();
    assert_eq!(error.details()["given"], "-inf");
    rule("embedding", r#"{"finite":false}"#).unwrap().check("x", &infinite).unwrap();
    for shape in [[1, 2, 1].as_slice(), &[2, 0], &[]] {
        let count = usize::try_from(shape.iter().product::<i64>()).unwrap();
        let error = rule("embedding", "{}").unwrap().check("x", &floats(shape, &vec![0.0; count]));
        assert_eq!(error.unwrap_err().status(), Status::TypeMismatch);
    }
}
