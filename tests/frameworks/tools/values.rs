//! What passes through a tool call arrives as it was: documents, bytes, arrays, and schemas that
//! are held against them.

use serde_json::json;
use snakepit_bridge::api::{ExecuteRequest, ToolSpec};
use snakepit_bridge::core::{Attachment, DType, Status, Tensor, Value};

use super::super::support::{close, finish, request, session};
use super::{ToolRequest, call, document, from_python, host_tool, named, one_pool, tool_request};

#[test]
fn documents_are_exact_in_every_direction() {
    let platform = one_pool();
    let session = session(&platform);
    host_tool(&platform, named("host.echo"), |invocation| Some(Ok(invocation.arguments().clone())));
    let values = [
        json!(null),
        json!(true),
        json!(""),
        json!("zero \u{0} astral \u{1F984} combining e\u{301} \u{5E9}\u{5DC}\u{5D5}\u{5DD}"),
        json!(0),
        json!(-9_223_372_036_854_775_808_i64),
        json!(18_446_744_073_709_551_615_u64),
        json!(0.1),
        json!(1.0),
        json!([1, "two", [3.5, [null]], {}]),
        json!({"a": {"$": [], "": {"b": "{\"c\": 1}"}}}),
    ];
    for value in &values {
        let arguments = json!({"value": value});
        for way in [call, from_python] {
            assert_eq!(way(&session, "any.echo", arguments.clone()).unwrap(), *value);
            assert_eq!(way(&session, "host.echo", arguments.clone()).unwrap(), arguments);
        }
    }
    close(&platform);
}

#[test]
fn bytes_and_arrays_are_exact_in_every_direction() {
    let platform = one_pool();
    let session = session(&platform);
    host_tool(&platform, named("host.echo"), |invocation| Some(Ok(invocation.arguments().clone())));
    // The larger ones travel in shared memory.
    for floats in [6_usize, 96 * 1024] {
        let cells: Vec<u8> = (0..floats).flat_map(|cell| (cell as f32).to_le_bytes()).collect();
        let shape = vec![2, i64::try_from(floats / 2).unwrap()];
        let grid = Tensor::new(DType::Float32, shape, cells).unwrap();
        let bytes: Vec<u8> = (0..floats * 4).map(|byte| (byte % 251) as u8).collect();
        let value = |text: &'static str| {
            let attachments =
                vec![Attachment::Tensor(grid.clone()), Attachment::Blob(bytes.clone().into())];
            Value::new(text, attachments).unwrap()
        };
        let plain = value(r#"{"grid":{"$spb":{"attachment":0}},"data":{"$spb":{"attachment":1}}}"#);
        // Host to host, and host to Python and back, changed on the way.
        let arguments = Some(plain.clone());
        let there = ToolRequest { arguments, ..tool_request("host.echo", &json!({})) };
        let back = finish(session.call_tool(there).unwrap()).unwrap();
        assert!(back.attachments() == plain.attachments());
        let arguments = Some(plain.clone());
        let there = ToolRequest { arguments, ..tool_request("blob", &json!({})) };
        let back = finish(session.call_tool(there).unwrap()).unwrap();
        let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
        let doubled: Vec<u8> =
            (0..floats).flat_map(|cell| (2.0 * cell as f32).to_le_bytes()).collect();
        let mut found = 0;
        for attachment in back.attachments() {
            match attachment {
                Attachment::Blob(data) => found += usize::from(data.as_ref() == reversed),
                Attachment::Tensor(tensor) => {
                    assert_eq!(tensor.shape(), grid.shape());
                    found += usize::from(tensor.data().as_ref() == doubled);
                }
            }
        }
        assert_eq!(found, 2, "{floats}");
        // Python to the host and back, and Python to Python and back.
        for text in [
            r#"{"name":"host.echo","value":{"$spb":{"attachment":0}}}"#,
            r#"{"name":"any.echo","value":{"$spb":{"attachment":0}}}"#,
        ] {
            for attachment in plain.attachments() {
                let parameters = Value::new(text, vec![attachment.clone()]).unwrap();
                let request = ExecuteRequest {
                    parameters: Some(parameters),
                    ..request("python", "kinds_through", &json!({}))
                };
                let back = finish(session.prepare(request).unwrap()).unwrap();
                assert_eq!(back.attachments(), std::slice::from_ref(attachment));
                assert_eq!(back.to_document().unwrap()["same"], true);
            }
        }
    }
    close(&platform);
}

#[test]
fn what_breaks_a_schema_is_refused_with_its_place() {
    let platform = one_pool();
    let session = session(&platform);
    let prices = json!({"type": "object", "properties": {"items": {"type": "array", "items": {
        "type": "object", "properties": {"price": {"type": "number"}}}}}});
    let spec = ToolSpec {
        input_schema: Some(prices.clone()),
        output_schema: Some(prices),
        chunk_schema: Some(json!({"type": "integer"})),
        ..named("host.order")
    };
    host_tool(&platform, spec, |invocation| {
        let good = json!({"items": []});
        let bad = json!({"items": [{}, {"price": "much"}]});
        let refused = invocation.complete(document(bad)).unwrap_err();
        let late = invocation.emit(document(json!("x"))).unwrap_err();
        assert_eq!(refused.details()["path"], "$.items[1].price");
        assert_eq!(late.details()["path"], "$");
        Some(Ok(document(good)))
    });
    let items = json!([{}, {"price": 2}, {"price": 0.5}, {"price": "free"}]);
    for way in [call, from_python] {
        for tool in ["host.order", "order"] {
            let error = way(&session, tool, json!({"items": items})).unwrap_err();
            assert_eq!(error.status(), Status::InvalidArgument, "{error:?}");
            assert_eq!(error.details()["path"], "$.items[3].price", "{error:?}");
        }
        assert_eq!(way(&session, "host.order", json!({})).unwrap(), json!({"items": []}));
        let spoilt = json!({"items": [{"price": 1}, {"price": 1}], "spoil_at": 1});
        let error = way(&session, "order", spoilt).unwrap_err();
        assert_eq!(error.status(), Status::TypeMismatch, "{error:?}");
        assert_eq!(error.details()["path"], "$.items[1].price", "{error:?}");
    }
    close(&platform);
}
