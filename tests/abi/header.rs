//! Makes the C header out of `src/capi`: cbindgen writes each noun's part, the texts around them
//! come from `tests/abi/*.h.txt`. The committed header has to equal the result.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The parts of the header in reading order: a title, and the sources behind it.
pub const PARTS: [(&str, &[&str]); 18] = [
    ("Text, statuses, times", &["text_view.rs", "status.rs", "times.rs"]),
    ("The library", &["library.rs"]),
    ("Errors", &["error.rs"]),
    ("Text that you own", &["text.rs"]),
    ("Values", &["value.rs", "value_scalar.rs", "value_compose.rs"]),
    (
        "Tensors",
        &["tensor.rs", "dlpack.rs", "arrow_import.rs", "arrow_export.rs", "tensor_file.rs"],
    ),
    ("Handles", &["handles.rs"]),
    ("Events and sinks", &["event.rs", "sink.rs"]),
    ("Platform", &["platform.rs"]),
    ("Completion queue", &["queue.rs"]),
    ("Pool", &["pool.rs"]),
    ("Session", &["session.rs", "session_archive.rs"]),
    ("Operation", &["execute.rs", "operation.rs"]),
    ("Tool", &["tool.rs", "tool_call.rs"]),
    ("Invocation", &["invocation.rs"]),
    ("Variables", &["variable.rs", "variable_verbs.rs", "variables.rs"]),
    ("Watch", &["watch.rs"]),
    ("Log", &["log.rs"]),
];

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn header_path() -> PathBuf {
    root().join("include/snakepit_bridge.h")
}

/// The whole header as it has to be.
pub fn generate() -> String {
    let mut header = String::from(include_str!("preamble.h.txt"));
    for (title, sources) in PARTS {
        let rule = "-".repeat(88_usize.saturating_sub(title.len()));
        let _ = write!(header, "\n/* ---- {title} {rule} */\n\n");
        for source in sources {
            let part = bindings(&root().join("src/capi").join(source));
            header.push_str(part.trim());
            header.push_str("\n\n");
        }
    }
    header.push_str(include_str!("trailer.h.txt"));
    tidy(&header)
}

fn bindings(source: &Path) -> String {
    let mut config = cbindgen::Config::from_file(root().join("cbindgen.toml")).unwrap();
    config.export.include = types_of(source);
    let builder = cbindgen::Builder::new().with_config(config).with_src(source);
    let mut written = Vec::new();
    builder.generate().unwrap().write(&mut written);
    String::from_utf8(written).unwrap()
}

/// The types that a file defines for C; those of other files are left to these.
fn types_of(source: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(source).unwrap();
    let names = text.lines().filter_map(|line| {
        let rest = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub type "))?;
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        name.starts_with("spb_").then_some(name)
    });
    names.collect()
}

/// Layout that cbindgen leaves to others: no space at the ends of lines, never two empty lines,
/// macros of a group together, negative numbers in parentheses, a tag for every struct.
fn tidy(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut out: Vec<String> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let last = out.last().map_or("", String::as_str);
        let is_within_macros = last.starts_with("#define") && leads_to_macro(&lines[index..]);
        if line.is_empty() && (last.is_empty() || is_within_macros) {
            continue;
        }
        out.push(match line.rsplit_once(" -") {
            Some((before, number)) if before.starts_with("#define") && is_number(number) => {
                format!("{before} (-{number})")
            }
            _ if *line == "typedef struct {" => {
                let end = lines[index..].iter().find_map(|line| line.strip_prefix("} ")).unwrap();
                format!("typedef struct {} {{", end.trim_end_matches(';'))
            }
            // cbindgen takes `type` for a word of C's.
            _ => line.replace(" type_;", " type;"),
        });
    }
    out.join("\n").trim_end().to_owned() + "\n"
}

fn is_number(text: &str) -> bool {
    text.chars().all(|digit| digit.is_ascii_digit())
}

/// Whether after this empty line, and the comment behind it, a macro follows.
fn leads_to_macro(lines: &[&str]) -> bool {
    let after = lines.iter().skip(1).find(|line| !line.starts_with("//"));
    after.is_some_and(|line| line.starts_with("#define SPB_"))
}

/// The names of all functions that the header declares, inline helpers left out.
pub fn functions(header: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in header.lines() {
        let is_declaration = !line.starts_with([' ', '/', '#', '*', '}'])
            && ["typedef", "static", "inline"].iter().all(|word| !line.starts_with(word));
        if let Some((before, _)) = line.split_once('(')
            && is_declaration
            && let Some(name) = before.rsplit([' ', '*']).next()
            && name.starts_with("spb_")
        {
            names.push(name.to_owned());
        }
    }
    names
}
