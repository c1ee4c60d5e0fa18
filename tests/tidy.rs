//! House style as tests: what rustfmt and clippy do not see.
//!
//! Each rule says in its finding what to do instead. Reasons are in ARCHITECTURE.md; the layering
//! has a file of its own, `tests/architecture.rs`.

#[path = "support/fences.rs"]
mod fences;
#[path = "support/shape.rs"]
mod shape;
#[path = "support/tree.rs"]
mod tree;

use shape::{Shape, shape_of};
use tree::{Finding, SourceFile, project_files, report};

#[test]
fn lines_are_short_and_clean() {
    report(&over(&project_files(), line_findings));
}

#[test]
fn nothing_is_left_for_later() {
    report(&over(&project_files(), leftover_findings));
}

#[test]
fn every_source_file_says_what_it_owns() {
    report(&over(&project_files(), opening_findings));
}

#[test]
fn functions_and_files_are_small() {
    report(&over(&project_files(), size_findings));
}

#[test]
fn mod_files_only_list() {
    report(&over(&project_files(), mod_file_findings));
}

#[test]
fn exceptions_are_expected_and_unsafe_is_argued() {
    report(&over(&project_files(), attribute_findings));
}

#[test]
fn documents_have_one_title() {
    report(&over(&project_files(), title_findings));
}

#[test]
fn every_rule_finds_what_it_forbids() {
    let long = "x".repeat(COLUMNS_MAX + 1);
    assert_found(line_findings, "src/a.rs", &format!("{long}\n"), 1);
    assert_found(line_findings, "a.md", &format!("{}x\n", "x ".repeat(MARKDOWN_COLUMNS_MAX)), 1);
    assert_found(line_findings, "a.md", &format!("```\n{}x\n```\n", "x ".repeat(200)), 0);
    assert_found(line_findings, "src/a.rs", "a \nb\tc\nd\r\n", 3);
    assert_found(line_findings, "src/a.rs", "no end", 1);
    assert_found(leftover_findings, "a.py", &format!("# {}: later\n", LEFTOVERS[0]), 1);
    assert_found(leftover_findings, "a.py", "# mastodon TODOS\n", 0);
    assert_found(opening_findings, "src/a.rs", "use a;\n", 1);
    assert_found(opening_findings, "src/a.rs", &"//! a\n".repeat(13), 1);
    assert_found(opening_findings, "a.py", "import a\n", 1);
    assert_found(opening_findings, "a.py", "#!/usr/bin/env python3\n\"\"\"Says so.\"\"\"\n", 0);
    let body = "    a();\n".repeat(FUNCTION_LINES_MAX);
    assert_found(size_findings, "src/a.rs", &format!("fn a() {{\n{body}}}\n"), 1);
    let arms = "        A => 1,\n".repeat(FUNCTION_LINES_MAX);
    let table = format!("fn a() {{\n    match x {{\n{arms}    }}\n}}\n");
    assert_found(size_findings, "src/a.rs", &table, 0);
    assert_found(size_findings, "src/a.rs", &"struct A;\n".repeat(FILE_LINES_MAX + 1), 1);
    let tests = format!("mod tests {{\n{}}}\n", "    struct A;\n".repeat(FILE_LINES_MAX));
    assert_found(size_findings, "src/a.rs", &tests, 1);
    assert_found(size_findings, "src/a.rs", "mod tests {}\nstruct A;\n", 1);
    assert_found(mod_file_findings, "src/a/mod.rs", "//! a\nmod b;\nfn c() {}\n", 1);
    assert_found(attribute_findings, "src/a.rs", "#[allow(dead_code)]\nstruct A;\n", 1);
    assert_found(attribute_findings, "src/a.rs", "fn a() {\n    unsafe { b() }\n}\n", 1);
    let argued = "fn a() {\n    // SAFETY: b has no needs.\n    unsafe { b() }\n}\n";
    assert_found(attribute_findings, "src/a.rs", argued, 0);
    assert_found(title_findings, "a.md", "# One\n\n```\n# code\n```\n", 0);
    assert_found(title_findings, "a.md", "# One\n# Two\n", 1);
    assert_found(title_findings, "a.md", "none\n", 1);
}

fn assert_found(rule: fn(&SourceFile) -> Vec<Finding>, path: &str, text: &str, count: usize) {
    let found = rule(&SourceFile::new(path, text));
    let messages: Vec<_> = found.iter().map(|finding| &finding.message).collect();
    assert_eq!(found.len(), count, "{path} {text:?}: {messages:?}");
}

fn over(files: &[SourceFile], rule: fn(&SourceFile) -> Vec<Finding>) -> Vec<Finding> {
    files.iter().flat_map(rule).collect()
}

fn line_findings(file: &SourceFile) -> Vec<Finding> {
    let is_code = file.has_extension(&CODE) && !file.is_under("include");
    let is_prose = file.has_extension(&["md"]);
    if !is_code && !is_prose {
        return Vec::new();
    }
    let columns_max = if is_code { COLUMNS_MAX } else { MARKDOWN_COLUMNS_MAX };
    let may_be_long = if is_prose { lines_as_they_are(file) } else { Vec::new() };
    let mut findings = Vec::new();
    for (number, line) in file.text.split('\n').enumerate().map(|(index, line)| (index + 1, line)) {
        let columns = line.chars().count();
        if columns > columns_max && !may_be_long.contains(&number) {
            let message = format!("{columns} columns: break the line at {columns_max}");
            findings.push(file.finding(number, message));
        }
        if line != line.trim_end() {
            findings.push(file.finding(number, "white space at the end of the line: delete it"));
        }
        if line.contains('\t') && !file.has_extension(&["go", "md"]) {
            findings.push(file.finding(number, "a tab: write spaces, or \\t in a literal"));
        }
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        let last = file.text.lines().count();
        findings.push(file.finding(last, "no line end at the end of the file: add one"));
    }
    findings
}

/// Lines of a document that cannot be broken: code, tables, links on a line of their own.
fn lines_as_they_are(file: &SourceFile) -> Vec<usize> {
    let mut numbers = fences::fenced_lines(file);
    let is_whole = |line: &str| line.starts_with('|') || !line.trim().contains(' ');
    numbers.extend(file.lines().filter(|(_, line)| is_whole(line)).map(|(number, _)| number));
    numbers
}

fn leftover_findings(file: &SourceFile) -> Vec<Finding> {
    let is_word = |part: &str| LEFTOVERS.contains(&part);
    let has_leftover = |line: &str| line.split(|c: char| !c.is_alphanumeric()).any(is_word);
    let is_rulebook = file.path == "tests/tidy.rs";
    let lines = file.lines().filter(|(_, line)| !is_rulebook && has_leftover(line));
    lines
        .map(|(number, _)| file.finding(number, "left for later: do it, or write an issue"))
        .collect()
}

fn opening_findings(file: &SourceFile) -> Vec<Finding> {
    let is_python = file.has_extension(&["py"]);
    if !is_python && !file.has_extension(&["rs"]) {
        return Vec::new();
    }
    let first = file.lines().find(|(_, line)| !line.starts_with("#!/") && !line.is_empty());
    let Some((number, line)) = first else { return Vec::new() };
    let mark = if is_python { "\"\"\"" } else { "//!" };
    if !line.trim_start_matches('r').starts_with(mark) {
        let message = format!("no module comment ({mark}): say what the file owns");
        return vec![file.finding(number, message)];
    }
    let lines = file.text.lines().take_while(|line| line.starts_with("//!")).count();
    let is_map = file.path.ends_with("mod.rs") || file.path == "src/lib.rs";
    if lines > OPENING_LINES_MAX && !is_map {
        let message = format!("the module comment has {lines} lines: keep {OPENING_LINES_MAX}");
        return vec![file.finding(number, message)];
    }
    Vec::new()
}

fn size_findings(file: &SourceFile) -> Vec<Finding> {
    let lines = file.text.lines().count();
    let mut findings = Vec::new();
    let mut product = lines;
    if let Some(shape) = rust_shape(file) {
        findings.extend(function_findings(file, &shape));
        findings.extend(tests_findings(file, &shape));
        product -= shape.tests.map_or(0, |(start, end)| end + 1 - start);
    }
    let lines_max = if is_test(&file.path) { TEST_FILE_LINES_MAX } else { FILE_LINES_MAX };
    if file.has_extension(&["rs", "py", "c", "cpp", "go", "ex"]) && product > lines_max {
        let message = format!("{product} lines, at most {lines_max}: one concept a file");
        findings.push(file.finding(1, message));
    }
    findings
}

fn function_findings(file: &SourceFile, shape: &Shape) -> Vec<Finding> {
    let limit = |is_table| if is_table { TABLE_LINES_MAX } else { FUNCTION_LINES_MAX };
    let long = shape.functions.iter().filter(|function| function.lines > limit(function.is_table));
    long.map(|function| {
        let (name, lines, most) = (&function.name, function.lines, limit(function.is_table));
        let message = format!("fn {name} has {lines} lines, at most {most}: give its parts names");
        file.finding(function.line, message)
    })
    .collect()
}

fn tests_findings(file: &SourceFile, shape: &Shape) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some((start, end)) = shape.tests else { return findings };
    let lines = end + 1 - start;
    if lines > INLINE_TESTS_LINES_MAX {
        let message = format!(
            "mod tests has {lines} lines, at most {INLINE_TESTS_LINES_MAX} beside the code: \
             move it to tests.rs in a folder of the file's name"
        );
        findings.push(file.finding(start, message));
    }
    if !shape.tests_are_last {
        findings.push(file.finding(start, "mod tests is not last: move it to the end"));
    }
    findings
}

fn mod_file_findings(file: &SourceFile) -> Vec<Finding> {
    if !file.path.ends_with("/mod.rs") {
        return Vec::new();
    }
    let function = rust_shape(file).and_then(|shape| shape.first_function);
    let message = "a function in mod.rs: it holds docs, mod lines and re-exports only";
    function.map(|line| file.finding(line, message)).into_iter().collect()
}

fn attribute_findings(file: &SourceFile) -> Vec<Finding> {
    // Generated code is included below an `#![allow]` of its own.
    let is_ours = !file.is_under("proto") && file.path != "tests/tidy.rs";
    if !file.has_extension(&["rs"]) || !is_ours {
        return Vec::new();
    }
    let lines: Vec<&str> = file.text.lines().collect();
    let mut findings = Vec::new();
    for (number, line) in file.lines() {
        let code = line.split("//").next().unwrap_or(line);
        if code.contains("#[allow") || code.contains("#![allow") {
            let message = "#[allow] stays when its cause is gone: #[expect(…, reason = \"…\")]";
            findings.push(file.finding(number, message));
        }
        let before = &lines[number.saturating_sub(SAFETY_LINES_MAX + 1)..number];
        let opens_unsafe = ["unsafe {", "unsafe impl"].iter().any(|word| code.contains(word));
        if opens_unsafe && !before.iter().any(|line| line.contains("SAFETY:")) {
            let message = "unsafe without an argument: say in // SAFETY: why it holds";
            findings.push(file.finding(number, message));
        }
    }
    findings
}

fn title_findings(file: &SourceFile) -> Vec<Finding> {
    if !file.has_extension(&["md"]) {
        return Vec::new();
    }
    let skipped = lines_as_they_are(file);
    let is_title =
        |(number, line): &(usize, &str)| line.starts_with("# ") && !skipped.contains(number);
    let titles: Vec<_> = file.lines().filter(is_title).collect();
    match titles.as_slice() {
        [_] => Vec::new(),
        [] => vec![file.finding(1, "no title: begin with one line `# …`")],
        [_, (second, _), ..] => vec![file.finding(*second, "a second title: make it `## …`")],
    }
}

fn rust_shape(file: &SourceFile) -> Option<Shape> {
    if !file.has_extension(&["rs"]) {
        return None;
    }
    Some(shape_of(&file.text).unwrap_or_else(|error| panic!("{}: {error}", file.path)))
}

fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}

const CODE: [&str; 11] = ["rs", "py", "pyi", "c", "h", "cpp", "hpp", "go", "ex", "exs", "sh"];
const LEFTOVERS: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];
const COLUMNS_MAX: usize = 100;
const MARKDOWN_COLUMNS_MAX: usize = 140;
const OPENING_LINES_MAX: usize = 12;
const FUNCTION_LINES_MAX: usize = 60;
/// For a function that is one `match` of one-line arms.
const TABLE_LINES_MAX: usize = 100;
/// Without the tests at its end.
const FILE_LINES_MAX: usize = 400;
const TEST_FILE_LINES_MAX: usize = 800;
const INLINE_TESTS_LINES_MAX: usize = 150;
/// How far above an `unsafe` its argument may begin.
const SAFETY_LINES_MAX: usize = 8;
