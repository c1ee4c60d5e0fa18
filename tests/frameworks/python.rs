//! Plain Python: what functions get and give, how streams end, and how refusals read.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{ChunkOutcome, ExecuteRequest, Operation, Session, Timeout};
use snakepit_bridge::core::{Attachment, DType, Error, Status, Tensor, Value};

use super::support::{
    LONG, chunks, close, eventually, finish, outcome, platform, request, run, session, start_stream,
};

fn frameworks() -> Json {
    json!({"python": {"modules": ["spb_plainmod"]}})
}

fn call(session: &Session, operation: &str, parameters: Json) -> Json {
    run(session, "python", operation, parameters).unwrap()
}

fn refusal(session: &Session, operation: &str, parameters: Json) -> Error {
    run(session, "python", operation, parameters).unwrap_err()
}

#[test]
fn handlers_get_what_their_hints_say_and_refusals_name_the_place() {
    let platform = platform(1, &frameworks());
    let session = session(&platform);
    let good = json!({
        "user": {"name": "Ada", "age": 36, "address": {"city": "Bern", "zip": 3000},
            "born": "1815-12-10"},
        "colour": "blue", "span": {"start": 3}, "when": "2026-01-02T03:04:05Z", "size": 5,
    });
    let seen = call(&session, "hinted", good.clone());
    let expected = "User(name='Ada', age=36, address=Address(city='Bern', zip=3000), \
                    born=datetime.date(1815, 12, 10)) <Colour.BLUE: 'blue'> \
                    Span(start=3, end=10) datetime.datetime(2026, 1, 2, 3, 4, 5, \
                    tzinfo=TzInfo(0)) 5.0";
    assert_eq!(seen.as_str().unwrap().replace("TzInfo(UTC)", "TzInfo(0)"), expected);
    let given = json!({"users": {"all": [{"name": "Ada", "age": 1.0}]}, "price": "1.10",
        "only": [2, 1]});
    assert_eq!(call(&session, "hinted_async", given), json!(["1", "Decimal('1.10')", "[1, 2]"]));
    // The first two are the host's refusals, which knows the schema, the others are Python's.
    let cases = [
        ("/user/age", json!(-1), "$.user.age", "-1 is less than the minimum of 0"),
        ("/user/address/zip", json!("x"), "$.user.address.zip", "not of type \"integer\""),
        ("/colour", json!("green"), "$.colour", "\"red\" or \"blue\""),
        ("/when", json!("tomorrow"), "$.when", "valid datetime"),
        ("/user/born", json!("2026-02-30"), "$.user.born", "valid date"),
    ];
    for (pointer, value, path, fault) in cases {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        let error = refusal(&session, "hinted", bad);
        assert_eq!(error.status(), Status::InvalidArgument, "{error:?}");
        assert_eq!(error.details()["path"], path, "{error:?}");
        let message = error.message();
        assert!(message.starts_with(&format!("parameter at {path}: ")), "{message}");
        assert!(message.contains(fault), "{message}");
    }
    let all = call(&session, "many", json!({"first": "a", "b": "c"}));
    assert_eq!(all, json!({"first": "a", "rest": "None", "b": "c"}));
    close(&platform);
}

#[test]
fn what_functions_give_arrives_as_the_table_says_or_is_refused_by_place() {
    let platform = platform(1, &frameworks());
    let session = session(&platform);
    let expected = json!({
        "dataclass": {"city": "Bern", "zip": 3000},
        "model": {"name": "Ada", "age": 36, "address": null, "born": "1815-12-10"},
        "named_tuple": {"start": 1, "end": 10},
        "tuple": [1, [2]], "set": [1, 2, 3], "deque": [1, 2], "enum": "blue",
        "datetime": "2026-01-02T03:04:05+00:00", "date": "2026-01-02", "time": "01:02:03",
        "timedelta": "P1DT2H0.5S", "decimal": "1.10",
        "uuid": "00000000-0000-0000-0000-000000000007", "path": "/a/b", "address": "127.0.0.1",
        "numpy_scalars": [0.5, -7, true, "x"],
    });
    assert_eq!(call(&session, "outputs", json!({})), expected);
    let account = call(&session, "account", json!({"owner": "ada"}));
    assert_eq!(account, json!({"ownerName": "ada", "shout": "ADA"}));
    let cases = [
        ("complex", "$.a[0]", "complex"),
        ("class", "$.a[0]", "has no form"),
        ("structured", "$.a", "dtype void"),
        ("objects", "$.a", "dtype object"),
        ("text", "$.a", "dtype str"),
        ("dates", "$.a", "dtype datetime64"),
        ("secret", "$.a", "SecretStr has no form"),
    ];
    for (what, path, fault) in cases {
        let error = refusal(&session, "refused", json!({"what": what}));
        assert_eq!(error.status(), Status::TypeMismatch, "{error:?}");
        assert_eq!(error.details()["path"], path, "{error:?}");
        assert!(error.message().contains(fault), "{error}");
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }
    let error = refusal(&session, "wrong_result", json!({}));
    assert_eq!(error.status(), Status::TypeMismatch);
    let expected = "result at $[1] is not as declared: \"two\" is not of type \"integer\"";
    assert_eq!(error.message(), expected);
    close(&platform);
}

/// A tensor of that type with bytes that differ from each other.
fn tensor(dtype: DType, shape: &[i64]) -> Tensor {
    let count = usize::try_from(shape.iter().product::<i64>()).unwrap() * dtype.bytes();
    let data: Vec<u8> = match dtype {
        DType::Bool => (0..count).map(|index| (index % 2) as u8).collect(),
        _ => (0..count).map(|index| (index * 7 % 113) as u8).collect(),
    };
    Tensor::new(dtype, shape.to_vec(), Bytes::from(data)).unwrap()
}

fn exchange(session: &Session, operation: &str, more: &str, given: Vec<Tensor>) -> Value {
    let json = format!("{{\"array\":{{\"$spb\":{{\"attachment\":0}}}}{more}}}");
    let attachments = given.into_iter().map(Attachment::Tensor).collect();
    let parameters = Some(Value::new(json, attachments).unwrap());
    let request = ExecuteRequest { parameters, ..request("python", operation, &json!({})) };
    finish(session.prepare(request).unwrap()).unwrap()
}

fn only_tensor(value: &Value) -> Tensor {
    match value.attachments() {
        [Attachment::Tensor(tensor)] => tensor.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn arrays_of_every_type_shape_and_layout_come_back_to_the_bit() {
    let platform = platform(1, &frameworks());
    let session = session(&platform);
    for dtype in DType::ALL {
        for shape in [&[2, 3][..], &[], &[0, 4], &[1, 2, 1, 3]] {
            let given = tensor(dtype, shape);
            let back = only_tensor(&exchange(&session, "mirror", "", vec![given.clone()]));
            assert_eq!((back.dtype(), back.shape()), (dtype, shape));
            assert_eq!(back.data(), given.data(), "{dtype:?} {shape:?}");
        }
    }
    for how in ["fortran", "big_endian", "strided", "reversed", "read_only"] {
        let given = tensor(DType::Int32, &[4, 6]);
        let more = format!(",\"how\":\"{how}\"");
        let back = only_tensor(&exchange(&session, "layout", &more, vec![given.clone()]));
        assert_eq!((back.dtype(), back.shape()), (DType::Int32, &[4_i64, 6][..]));
        assert_eq!(back.data(), given.data(), "{how}");
    }
    close(&platform);
}

#[test]
fn an_array_of_another_kind_is_refused_with_both_kinds() {
    let platform = platform(1, &frameworks());
    let session = session(&platform);
    let norm = |vectors: Tensor| {
        let json = r#"{"vectors":{"$spb":{"attachment":0}},"scale":{"$spb":{"attachment":1}}}"#;
        let scale = Attachment::Tensor(tensor(DType::Float64, &[1]));
        let parameters = Value::new(json, vec![Attachment::Tensor(vectors), scale]).unwrap();
        let request = ExecuteRequest {
            parameters: Some(parameters),
            ..request("python", "norm", &json!({}))
        };
        finish(session.prepare(request).unwrap())
    };
    let good = norm(tensor(DType::Float32, &[4, 3])).unwrap();
    assert_eq!(only_tensor(&good).shape(), [4]);
    let cases = [
        (DType::Float64, &[4, 3][..], "a tensor of float32, not of float64"),
        (DType::Float32, &[4, 2], "a tensor of shape [any, 3], not [4, 2]"),
        (DType::Float32, &[3], "a tensor of shape [any, 3], not [3]"),
    ];
    for (dtype, shape, fault) in cases {
        let error = norm(tensor(dtype, shape)).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument, "{error:?}");
        assert_eq!(error.message(), format!("parameter at $.vectors: Input should be {fault}"));
    }
    close(&platform);
}

#[test]
fn generators_stream_return_fail_and_are_left_half_way() {
    let platform = platform(1, &frameworks());
    let session = session(&platform);
    they_stream_and_return(&session);
    they_fail_half_way(&session);
    they_are_left_half_way(&session);
    they_keep_to_what_they_declare(&session);
    they_end_with_their_deadline(&session);
    assert_eq!(call(&session, "many", json!({"first": "x"}))["first"], "x");
    close(&platform);
}

fn stream(session: &Session, operation: &str, parameters: Json) -> Arc<Operation> {
    start_stream(session, "python", operation, &parameters)
}

/// The generators that were closed since the last look.
fn left(session: &Session) -> Json {
    call(session, "left", json!({}))
}

fn numbers(from: &[i64]) -> Vec<Json> {
    from.iter().map(|number| json!({"number": number})).collect()
}

fn they_stream_and_return(session: &Session) {
    let operation = stream(session, "countdown", json!({"start": 3}));
    assert_eq!(chunks(&operation), numbers(&[3, 2, 1]));
    let end = outcome(&operation).unwrap().to_document().unwrap();
    assert_eq!(end, json!(["lift-off"]));
    // Who does not listen gets the result all the same.
    assert_eq!(call(session, "countdown", json!({"start": 3})), json!(["lift-off"]));
    let operation = stream(session, "ticks", json!({"count": 3}));
    assert_eq!(chunks(&operation), [json!(0), json!(1), json!(2)]);
    assert_eq!(outcome(&operation).unwrap().to_document().unwrap(), Json::Null);
    assert_eq!(left(session), json!(["countdown", "countdown", "ticks"]));
}

fn they_fail_half_way(session: &Session) {
    let cases = [
        ("countdown", json!({"start": 3, "fail_at": 2}), numbers(&[3])),
        ("ticks", json!({"count": 3, "fail_at": 1}), vec![json!(0)]),
    ];
    for (name, parameters, before) in cases {
        let operation = stream(session, name, parameters);
        assert_eq!(chunks(&operation), before);
        let error = outcome(&operation).unwrap_err();
        assert_eq!(error.status(), Status::PythonException);
        assert!(error.python().unwrap().type_name.ends_with("LookupError"));
        assert!(error.python().unwrap().traceback.contains("spb_plainmod.py"));
        assert_eq!(left(session), json!([name]));
    }
}

fn they_are_left_half_way(session: &Session) {
    let endless =
        [("countdown", json!({"start": 1_000_000})), ("ticks", json!({"count": 1_000_000}))];
    for (name, parameters) in endless {
        let operation = stream(session, name, parameters);
        assert!(matches!(operation.next_chunk(Some(LONG)), ChunkOutcome::Chunk(_)));
        operation.cancel();
        assert_eq!(outcome(&operation).unwrap_err().status(), Status::Cancelled);
        eventually("the generator is closed", || left(session) == json!([name]));
    }
}

fn they_keep_to_what_they_declare(session: &Session) {
    let operation = stream(session, "wrong_chunk", json!({}));
    assert_eq!(chunks(&operation), [json!(1)]);
    let error = outcome(&operation).unwrap_err();
    assert_eq!(error.status(), Status::TypeMismatch);
    let expected = "chunk at $ is not as declared: \"two\" is not of type \"integer\"";
    assert_eq!(error.message(), expected);
}

fn they_end_with_their_deadline(session: &Session) {
    let late = ExecuteRequest {
        stream: true,
        timeout: Timeout::After(Duration::from_millis(300)),
        ..request("python", "ticks", &json!({"count": 1_000_000}))
    };
    let operation = session.prepare(late).unwrap();
    operation.start(None);
    assert_eq!(outcome(&operation).unwrap_err().status(), Status::Deadline);
}
