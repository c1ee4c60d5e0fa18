//! There and back again, and what strangers may put into a file.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;
use crate::core::{Affinity, Attachment, DType, Tensor};
use crate::state::{Past, Rule};

fn variable(name: &str, history: Vec<Value>, value: Value) -> SavedVariable {
    let version = history.len() as u64 + 1;
    let past = |(value, version)| Past { version, value };
    SavedVariable {
        name: name.into(),
        rule: Rule::new("json", &Bytes::from_static(b"{ }")).unwrap(),
        metadata: Bytes::from_static(br#"{"b":1,  "a":2}"#),
        history: history.into_iter().zip(1..).map(past).collect(),
        value,
        version,
    }
}

fn with_attachments() -> Value {
    let tensor = Tensor::new(DType::Int16, vec![2], vec![1, 2, 3, 4]).unwrap();
    let document = r#"{ "t":[{"$spb":{"attachment": 1}}], "same":{"$spb":{"attachment":1}},
        "b":{"$spb":{"attachment":0}}, "$$spb":1.50 }"#;
    let blob = Attachment::Blob(Bytes::from_static(b"\0\x01"));
    Value::new(document, vec![blob, Attachment::Tensor(tensor)]).unwrap()
}

fn archive() -> Archive {
    let plain = Value::from_json(r#"{"z": 1e5, "a": [9007199254740993]}"#).unwrap();
    Archive {
        id: SessionId::new("a \"b\"").unwrap(),
        about: SessionAbout {
            metadata: Bytes::from_static(br#"{"user": "ann"}"#),
            ttl: Duration::MAX,
            affinity: Affinity::StrictQueue,
        },
        variables: vec![
            variable("one", vec![with_attachments(), plain.clone()], with_attachments()),
            variable("two", Vec::new(), plain),
            variable("three", Vec::new(), with_attachments()),
        ],
    }
}

fn check_same(given: &Archive, expected: &Archive) {
    assert_eq!((&given.id, &given.about), (&expected.id, &expected.about));
    assert_eq!(given.variables.len(), expected.variables.len());
    for (given, expected) in given.variables.iter().zip(&expected.variables) {
        assert_eq!(given.name, expected.name);
        assert_eq!(given.rule.constraints(), expected.rule.constraints());
        assert_eq!(given.rule.variable_type(), expected.rule.variable_type());
        assert_eq!(given.metadata, expected.metadata);
        assert_eq!((given.version, &given.value), (expected.version, &expected.value));
        assert_eq!(given.history, expected.history);
    }
}

#[test]
fn a_value_and_a_file_lead_back_byte_for_byte() {
    let archive = archive();
    let value = archive.to_value().unwrap();
    assert_eq!(value.attachments().len(), 6);
    check_same(&Archive::from_value(&value).unwrap(), &archive);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.zip");
    std::fs::write(&path, "an older one").unwrap();
    archive.write_to(&path).unwrap();
    check_same(&Archive::read_from(&path, 1 << 20).unwrap(), &archive);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let error = Archive::read_from(&path, 100).unwrap_err();
    assert_eq!(error.status(), Status::ResourceExhausted);
}

#[test]
fn a_place_that_cannot_be_written_or_read_is_told_and_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("none/a.zip"), folder.path().join("a\0b"), "/".into()] {
        assert!(archive().write_to(&path).is_err(), "{path:?}");
        assert!(Archive::read_from(&path, 1 << 20).is_err(), "{path:?}");
    }
    let taken = folder.path().join("folder");
    std::fs::create_dir(&taken).unwrap();
    assert!(archive().write_to(&taken).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn documents_that_are_none_are_refused_by_name() {
    let good = archive().to_value().unwrap();
    let text = std::str::from_utf8(good.json()).unwrap();
    let cases = [
        ("snakepit-session", "other", "format is not"),
        ("\"version\":1,\"session\"", "\"version\":2,\"session\"", "version is 2, expected 1"),
        ("\"ttl_ms\"", "\"ttl\"", "unknown field `ttl`"),
        ("strict_queue", "strict", "unknown variant"),
        ("\"type\":\"json\"", "\"type\":\"jason\"", "jason"),
        ("\"constraints\":{ }", "\"constraints\":{\"min\":1}", "min"),
        ("9007199254740993", "18446744073709551616", "does not fit 64 bits"),
        ("\"attachment\": 1}", "\"attachment\": 77}", "attachment 77"),
        ("\"variables\"", "\"variable\"", "unknown field"),
    ];
    for (from, to, message) in cases {
        assert!(text.contains(from), "{from}");
        let bad = text.replacen(from, to, 1);
        let error = document::read(bad.as_bytes(), good.attachments()).unwrap_err();
        assert!(error.message().contains(message), "{from}: {}", error.message());
    }
    for bad in ["", "null", "{}", "[]", "{\"format\":1}", &text[..text.len() / 2]] {
        let error = document::read(bad.as_bytes(), &[]).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
    }
}

/// Entries as a stranger would write them.
fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in entries {
        zip.start_file(*name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn files_that_are_no_archives_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Archive::read_from(&path, 1 << 20).map(drop)
    };
    let (document, _) = document::write(&Archive { variables: Vec::new(), ..archive() }).unwrap();
    let whole = [("session.json", &*document), ("attachments.json", b"[]".as_slice())];
    read(&zip_of(&whole)).unwrap();
    let tensor = br#"[{"kind":"tensor","dtype":"int16","shape":[9]}]"#;
    let strange = br#"[{"kind":"tensor","dtype":"object","shape":[1]}]"#;
    for entries in [
        &whole[..1],
        &[whole[0], whole[1], ("../../etc/passwd", b"x")],
        &[whole[0], ("attachments.json", br#"[{"kind":"blob"}]"#)],
        &[whole[0], ("attachments.json", br#"[{"kind":"pickle"}]"#), ("attachments/0", b"x")],
        &[whole[0], ("attachments.json", tensor), ("attachments/0", b"xx")],
        &[whole[0], ("attachments.json", strange), ("attachments/0", b"xx")],
        &[("session.json", b"{"), whole[1]],
    ] {
        assert_eq!(read(&zip_of(entries)).unwrap_err().status(), Status::InvalidArgument);
    }
    // Every prefix, and every byte turned over: refused or read, never a panic, never for long.
    let good = zip_of(&whole);
    for end in 0..good.len() {
        assert!(read(&good[..end]).is_err(), "{end}");
    }
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 0xff;
        let _ = read(&bad);
    }
    assert!(read(b"PK\x05\x06 and so on").is_err());
}
