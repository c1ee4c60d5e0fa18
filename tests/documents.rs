//! The documents keep their word: the README's example compiles, and links lead somewhere.

#[path = "support/fences.rs"]
mod fences;
#[path = "support/tree.rs"]
mod tree;

use std::path::{Path, PathBuf};

use tree::{Finding, SourceFile, project_files, report};

#[test]
fn the_example_of_the_readme_compiles() {
    let files = project_files();
    let readme = files.iter().find(|file| file.path == "README.md").unwrap();
    let example = first_block(&readme.text, "c").expect("the README has an example in C");
    let lines = example.lines().count();
    assert!(lines <= 24, "the README's example has {lines} lines, it was to be a short one");
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("example.c");
    std::fs::write(&source, example).unwrap();
    compile(&source);
}

#[test]
fn links_lead_to_files_that_are_there() {
    let documents = project_files().into_iter().filter(|file| file.has_extension(&["md"]));
    let findings: Vec<Finding> = documents.flat_map(|file| link_findings(&file)).collect();
    report(&findings);
}

#[test]
fn every_document_is_reached_from_the_readme() {
    let files = project_files();
    let readme = files.iter().find(|file| file.path == "README.md").unwrap();
    let unreached = |file: &&SourceFile| {
        file.is_under("docs")
            && file.has_extension(&["md"])
            && !readme.lines().any(|(_, line)| link_targets(line).contains(&file.path.as_str()))
    };
    let message = "no link from README.md: add one, or drop the document";
    let findings = files.iter().filter(unreached).map(|file| file.finding(1, message));
    report(&findings.collect::<Vec<_>>());
}

#[test]
fn a_dead_link_is_found() {
    let text = "[a](README.md) [b](https://x)\n[c](docs/none.md#part) [d](#here)\n\
                ```c++\n[](int code)\n```\n";
    let found = link_findings(&SourceFile::new("a.md", text));
    assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2]);
}

#[expect(clippy::disallowed_methods, reason = "a compiler is run, not a worker")]
fn compile(source: &Path) {
    let output = std::process::Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"])
        .arg(root().join("include"))
        .arg(source)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The inside of the first fenced block of `language`.
fn first_block<'a>(text: &'a str, language: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("```{language}\n"))?;
    Some(rest.split_once("```")?.0)
}

fn link_findings(file: &SourceFile) -> Vec<Finding> {
    let folder = root().join(&file.path).parent().map(Path::to_path_buf).unwrap_or_default();
    let mut findings = Vec::new();
    let code = fences::fenced_lines(file);
    for (number, line) in file.lines().filter(|(number, _)| !code.contains(number)) {
        for target in link_targets(line) {
            let path = target.split('#').next().unwrap_or(target);
            let is_outside = target.contains("://") || path.is_empty();
            if !is_outside && !folder.join(path).exists() {
                let message = format!("a link to {path}, which is not there: mend or drop it");
                findings.push(file.finding(number, message));
            }
        }
    }
    findings
}

/// What stands in the `(…)` of each `[…](…)`.
fn link_targets(line: &str) -> Vec<&str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(to, _)| to).collect()
}

fn root() -> PathBuf {
    match std::env::var_os("SPB_CHECK_ROOT") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")),
    }
}
