//! What is sent and comes back: documents of three sizes, as files, so that every subject sends the
//! same bytes.
//!
//! It must not know who sends them.

use std::path::{Path, PathBuf};

/// Their names and how many bytes each has, or few more.
const SIZES: [(&str, usize); 3] = [("100b", 100), ("10kb", 10_000), ("1mb", 1_000_000)];

/// Writes each as `NAME.json` into a folder below `parent`.
pub fn write(parent: &Path) -> PathBuf {
    let folder = parent.join("documents");
    std::fs::create_dir_all(&folder).expect("a folder for documents");
    for (name, bytes) in SIZES {
        let text = if bytes < SMALL { small(bytes) } else { list(bytes) };
        std::fs::write(folder.join(name).with_extension("json"), text).expect("a document");
    }
    folder
}

/// One object with one text.
fn small(bytes: usize) -> String {
    let around = r#"{"value":{"text":"","number":1}}"#.len();
    format!(r#"{{"value":{{"text":"{}","number":1}}}}"#, "x".repeat(bytes - around))
}

/// Records of numbers, texts and booleans.
fn list(bytes: usize) -> String {
    let mut text = r#"{"value":["#.to_owned();
    for number in 0.. {
        let comma = if number == 0 { "" } else { "," };
        text += &format!(
            r#"{comma}{{"id":{number},"name":"item {number}","score":{number}.25,"ok":true}}"#
        );
        if text.len() >= bytes {
            break;
        }
    }
    text + "]}"
}

/// Below, a list has no room.
const SMALL: usize = 1_000;
