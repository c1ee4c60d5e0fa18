//! The layering of `src`, as tests: who may name whom, and what may be said only in one place.
//!
//! Names are read from the token stream, so comments and strings do not count, and macro bodies do.
//! The order is the reading order of `src/lib.rs`; a module names only modules that come after it.

#[path = "support/tree.rs"]
mod tree;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use tree::{Finding, SourceFile, project_files, report};

#[test]
fn a_module_names_only_modules_below_it() {
    report(&over_sources(order_findings));
}

#[test]
fn lib_lists_the_modules_in_the_order_of_the_layers() {
    let files = project_files();
    let lib = files.iter().find(|file| file.path == "src/lib.rs").unwrap();
    report(&listing_findings(lib));
}

#[test]
fn the_pool_knows_no_other_part_and_none_of_their_words() {
    report(&over_sources(pool_findings));
}

#[test]
fn what_has_one_place_is_in_no_other() {
    report(&over_sources(place_findings));
}

#[test]
fn every_rule_finds_what_it_forbids() {
    let findings = |rule: fn(&SourceFile) -> Vec<Finding>, path: &str, text: &str| {
        rule(&SourceFile::new(path, text)).iter().map(|found| found.line).collect::<Vec<_>>()
    };
    let upward = "use crate::core::Status;\nuse crate::{config, api::Platform};\n";
    assert_eq!(findings(order_findings, "src/state/a.rs", upward), [2]);
    let relative = "fn a() { super::super::api::open() }\nmod b { use super::super::api::X; }\n\
                    mod c { use super::super::super::api::X; }";
    assert_eq!(findings(order_findings, "src/state/a.rs", relative), [1, 3]);
    let unknown = "use crate::somewhere::X;";
    assert_eq!(findings(order_findings, "src/state/a.rs", unknown), [1]);
    let sideways = "use crate::snakepit::Pool;";
    assert_eq!(findings(order_findings, "src/transport/a.rs", sideways), [1]);
    assert_eq!(findings(order_findings, "src/runtimes/a.rs", sideways), [0; 0]);
    let own = "use crate::core::a;\nuse super::super::core::b;\n// A Python word.\n";
    assert_eq!(findings(pool_findings, "src/snakepit/pool.rs", own), [1, 2, 3]);
    let misplaced = "use tonic::Status;\nextern \"C\" fn a() {}\nunsafe fn b() {}\n\
                     #[unsafe(no_mangle)]\nfn c() { unbounded_channel() }\n";
    assert_eq!(findings(place_findings, "src/api/a.rs", misplaced), [1, 2, 3, 4, 4, 5]);
    assert_eq!(findings(place_findings, "src/transport/a.rs", "use tonic::Status;"), [0; 0]);
    let nif = format!("{NIF}/snakepit_bridge_nif/src/codec/a.rs");
    assert_eq!(findings(place_findings, &nif, "unsafe fn b() {}"), [1]);
    assert_eq!(findings(place_findings, &format!("{NIF_FFI}/a.rs"), "unsafe fn b() {}"), [0; 0]);
    let listing = "pub mod api;\npub mod capi;\nmod misc;";
    assert_eq!(findings(listing_findings, "src/lib.rs", listing), [2, 3]);
}

fn over_sources(rule: fn(&SourceFile) -> Vec<Finding>) -> Vec<Finding> {
    let files = project_files();
    let is_source = |file: &&SourceFile| file.is_under("src") || file.is_under(NIF);
    let sources = files.iter().filter(|file| is_source(file) && file.has_extension(&["rs"]));
    sources.flat_map(rule).collect()
}

/// Uses of modules that stand above the file's own, or beside it where that is forbidden.
fn order_findings(file: &SourceFile) -> Vec<Finding> {
    let Some(own) = module_of(&file.path).filter(|own| *own != "bin") else { return Vec::new() };
    let Some(own_level) = level_of(own) else {
        let message = format!("module {own} has no layer: give it one in {THIS_FILE}");
        return vec![file.finding(1, message)];
    };
    let verdict = |named: &Word| match level_of(&named.text) {
        None => Some(format!(
            "crate::{} is no module of {THIS_FILE}: put the item into a module",
            named.text
        )),
        Some(level) if level < own_level => Some(format!(
            "{own} names {}, which stands above it: move the item down or pass it in",
            named.text
        )),
        Some(_) if STRANGERS.contains(&(own, named.text.as_str())) => {
            Some(format!("{own} and {} do not know each other: runtimes joins them", named.text))
        }
        Some(_) => None,
    };
    let named = modules_named(file);
    let findings = named.iter().filter_map(|word| Some(file.finding(word.line, verdict(word)?)));
    findings.collect()
}

/// `mod` lines of `src/lib.rs` that are unknown or stand above one that should come first.
fn listing_findings(file: &SourceFile) -> Vec<Finding> {
    let words = words_of(file);
    let listed = words.windows(2).filter(|pair| pair[0].text == "mod").map(|pair| &pair[1]);
    let mut findings = Vec::new();
    let mut highest = 0;
    for module in listed {
        match level_of(&module.text) {
            None => {
                let message = format!("module {} has no layer in {THIS_FILE}", module.text);
                findings.push(file.finding(module.line, message));
            }
            Some(level) if level < highest => {
                let message = format!("module {} belongs higher in this list", module.text);
                findings.push(file.finding(module.line, message));
            }
            Some(level) => highest = level,
        }
    }
    findings
}

/// What `src/snakepit` says that a generic pool of processes cannot know, comments included.
fn pool_findings(file: &SourceFile) -> Vec<Finding> {
    if module_of(&file.path) != Some("snakepit") {
        return Vec::new();
    }
    let mut findings: Vec<_> = modules_named(file)
        .iter()
        .map(|word| {
            let message = format!(
                "snakepit names crate::{}: it compiles on its own, so take the item as a parameter",
                word.text
            );
            file.finding(word.line, message)
        })
        .collect();
    for (number, line) in file.lines() {
        let line = line.to_lowercase();
        for word in FOREIGN_WORDS.iter().filter(|word| line.contains(**word)) {
            let message = format!("snakepit says {word:?}: say it in the pool's own words");
            findings.push(file.finding(number, message));
        }
    }
    findings
}

/// Words that belong to one folder.
fn place_findings(file: &SourceFile) -> Vec<Finding> {
    let words = words_of(file);
    let mut findings = Vec::new();
    for (index, word) in words.iter().enumerate() {
        for (forbidden, places, instead) in PLACES {
            let is_meant =
                word.text == *forbidden && (word.text != "extern" || is_abi(&words, index));
            if is_meant && !places.iter().any(|place| file.is_under(place)) {
                let message = format!("{forbidden} belongs to {}: {instead}", places.join(", "));
                findings.push(file.finding(word.line, message));
            }
        }
        if word.text.contains("unbounded") {
            let message = "every queue has a limit of core::limits: use a bounded one";
            findings.push(file.finding(word.line, message));
        }
    }
    findings
}

/// `extern "C"`, not `extern crate`.
fn is_abi(words: &[Word], index: usize) -> bool {
    words.get(index + 1).is_some_and(|next| next.text.starts_with('"'))
}

/// Top-level modules that a file names, by `crate::` or by as many `super::` as lead there.
fn modules_named(file: &SourceFile) -> Vec<Word> {
    let words = words_of(file);
    let components = file.path.trim_end_matches("/mod.rs").split('/').count() - 1;
    let mut named = Vec::new();
    let mut index = 0;
    while let Some(word) = words.get(index) {
        let (start, supers) = after_path_head(&words, index);
        let leads_to_root =
            word.text == "crate" || (supers > 0 && supers == components + word.depth);
        if leads_to_root && start > index {
            named.extend(first_names(&words[start..]));
        }
        index = start.max(index + 1);
    }
    named
}

/// Where a path goes on behind `crate::` or `super::super::`, and the number of `super`.
fn after_path_head(words: &[Word], start: usize) -> (usize, usize) {
    let is = |index: usize, text: &str| words.get(index).is_some_and(|word| word.text == text);
    let is_joined = |index: usize| is(index + 1, ":") && is(index + 2, ":");
    if is(start, "crate") && is_joined(start) {
        return (start + 3, 0);
    }
    let (mut index, mut supers) = (start, 0);
    while is(index, "super") && is_joined(index) {
        (index, supers) = (index + 3, supers + 1);
    }
    (index, supers)
}

/// The name that stands here, or the first name of each entry of the `{…}` that does.
fn first_names(words: &[Word]) -> Vec<Word> {
    let Some(first) = words.first() else { return Vec::new() };
    if first.text != "{" {
        return vec![first.clone()];
    }
    let (mut names, mut level, mut is_start) = (Vec::new(), 0_usize, false);
    for word in words {
        match word.text.as_str() {
            "{" => (level, is_start) = (level + 1, level == 0),
            "}" if level == 1 => break,
            "}" => level -= 1,
            "," if level == 1 => is_start = true,
            _ if is_start => {
                names.push(word.clone());
                is_start = false;
            }
            _ => {}
        }
    }
    names
}

/// One token of a file.
#[derive(Clone)]
struct Word {
    text: String,
    line: usize,
    /// Inline modules around it.
    depth: usize,
}

fn words_of(file: &SourceFile) -> Vec<Word> {
    let stream: TokenStream = file.text.parse().unwrap_or_else(|error| {
        panic!("{}: not Rust: {error}", file.path);
    });
    let mut words = Vec::new();
    flatten(stream, 0, &mut words);
    words
}

fn flatten(stream: TokenStream, depth: usize, words: &mut Vec<Word>) {
    let mut before_last = String::new();
    let mut last = String::new();
    for token in stream {
        let line = token.span().start().line;
        let text = match &token {
            TokenTree::Group(group) => {
                let is_module = before_last == "mod" && group.delimiter() == Delimiter::Brace;
                let (open, close) = marks(group.delimiter());
                words.push(Word { text: open.to_owned(), line, depth });
                flatten(group.stream(), depth + usize::from(is_module), words);
                let line = group.span_close().start().line;
                words.push(Word { text: close.to_owned(), line, depth });
                open.to_owned()
            }
            other => {
                words.push(Word { text: other.to_string(), line, depth });
                other.to_string()
            }
        };
        before_last = std::mem::replace(&mut last, text);
    }
}

fn marks(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::None => ("", ""),
    }
}

/// `src/state/memory.rs` and `src/state.rs` belong to `state`; `src/lib.rs` to none.
fn module_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("src/")?;
    let name = rest.split('/').next()?.trim_end_matches(".rs");
    (name != "lib").then_some(name)
}

fn level_of(module: &str) -> Option<usize> {
    ORDER.iter().position(|name| *name == module)
}

const THIS_FILE: &str = "tests/architecture.rs";

/// The NIF library, which uses the ABI and makes none, and its one place that does.
const NIF: &str = "bindings/elixir/native";
const NIF_FFI: &str = "bindings/elixir/native/snakepit_bridge_nif/src/ffi";

/// The layers, top first.
const ORDER: [&str; 14] = [
    "capi",
    "api",
    "operations",
    "runtimes",
    "frameworks",
    "tools",
    "sessions",
    "state",
    "transport",
    "shared_memory",
    "snakepit",
    "telemetry",
    "config",
    "core",
];

/// Neighbours that the order would allow but that must not know each other.
const STRANGERS: [(&str, &str); 1] = [("transport", "snakepit")];

/// What the generic pool never says, in any case.
const FOREIGN_WORDS: [&str; 6] = ["tonic", "prost", "grpc", "python", "session", "tensor"];

/// Word, the folders that may say it, and what others do instead.
const PLACES: [(&str, &[&str], &str); 11] = [
    ("tonic", &["src/transport"], "speak in the platform's own types"),
    ("tonic_prost", &["src/transport"], "speak in the platform's own types"),
    ("hyper", &["src/transport"], "speak in the platform's own types"),
    ("hyper_util", &["src/transport"], "speak in the platform's own types"),
    ("prost", &["src/transport"], "speak in the platform's own types"),
    ("prost_types", &["src/transport"], "speak in the platform's own types"),
    ("snakepit_bridge_proto", &["src/transport"], "speak in the platform's own types"),
    ("rusqlite", &["src/state/sqlite"], "go through state::Backend"),
    ("extern", &["src/capi", "src/snakepit/os"], "the ABI is made in one place"),
    ("unsafe", &["src/capi", "src/snakepit/os", NIF_FFI], "find a safe way, or move it there"),
    ("no_mangle", &["src/capi"], "the ABI is made in one place"),
];
