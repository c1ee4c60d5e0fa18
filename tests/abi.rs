//! The C ABI's own promises: the committed header is what the sources say, every function is
//! documented in its five parts, C and Rust agree on layouts, the shared object exports exactly the
//! header, and every compiler takes it.

#[path = "abi/built.rs"]
mod built;
#[path = "abi/compilers.rs"]
mod compilers;
#[path = "abi/header.rs"]
mod header;
#[path = "abi/layout.rs"]
mod layout;

use std::collections::BTreeSet;
use std::path::Path;

use built::output;
use compilers::{compile, compilers};

#[test]
fn the_committed_header_is_the_generated_one() {
    let generated = header::generate();
    if std::env::var_os("SPB_UPDATE_HEADER").is_some() {
        // In one step, because other tests compile it at the same time.
        let written = header::header_path().with_extension("h.new");
        std::fs::write(&written, &generated).unwrap();
        std::fs::rename(&written, header::header_path()).unwrap();
    }
    let committed = std::fs::read_to_string(header::header_path()).unwrap();
    assert!(committed == generated, "run SPB_UPDATE_HEADER=1 cargo test --test abi");
}

#[test]
fn every_function_is_documented_in_five_parts() {
    let text = header::generate();
    let lines: Vec<&str> = text.lines().collect();
    let mut faults = Vec::new();
    for name in header::functions(&text) {
        let at = lines.iter().position(|line| declares(line, &name)).unwrap();
        let comment: Vec<&str> =
            lines[..at].iter().rev().take_while(|line| line.starts_with("//")).copied().collect();
        let starts = |part: &str| comment.iter().any(|line| line.starts_with(part));
        for part in ["// Ownership: ", "// Threads: ", "// Errors: ", "// Since: "] {
            if !starts(part) {
                faults.push(format!("{name} lacks {part:?}"));
            }
        }
        if comment.len() < 6 || comment.last().is_some_and(|line| line.starts_with("// Owner")) {
            faults.push(format!("{name} does not say what it does"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_source_of_the_boundary_is_a_part_of_the_header() {
    let parts: BTreeSet<&str> =
        header::PARTS.iter().flat_map(|(_, files)| *files).copied().collect();
    for entry in std::fs::read_dir(header::root().join("src/capi")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let exports = std::fs::read_to_string(&path).unwrap().contains("#[unsafe(no_mangle)]");
        assert!(!exports || parts.contains(name.as_str()), "{name} exports, and is not in PARTS");
    }
}

#[test]
fn the_shared_object_exports_exactly_the_header() {
    let library = built::library();
    let symbols = output("nm", &["-D", "--defined-only", library.to_str().unwrap()]);
    let exported: BTreeSet<String> = symbols
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2))
        .map(str::to_owned)
        .collect();
    let declared: BTreeSet<String> = header::functions(&header::generate()).into_iter().collect();
    assert!(declared.len() > 60, "the header was not understood: {declared:?}");
    let missing: Vec<_> = declared.difference(&exported).collect();
    let surplus: Vec<_> = exported.difference(&declared).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:?}, surplus {surplus:?}");
}

#[test]
fn hostile_callers_try_every_function() {
    let hostile = std::fs::read_to_string(header::root().join("tests/c/hostile.c")).unwrap();
    for function in header::functions(&header::generate()) {
        assert!(hostile.contains(&format!("{function}(")), "hostile.c does not try {function}");
    }
}

#[test]
fn the_shared_object_has_its_name_and_is_never_unloaded() {
    let library = built::library();
    let dynamic = output("readelf", &["-d", "-W", library.to_str().unwrap()]);
    let major = "libsnakepit_bridge.so.0";
    assert!(dynamic.contains(&format!("soname: [{major}]")), "{dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
    assert!(!dynamic.contains("TEXTREL"), "{dynamic}");
    for line in dynamic.lines().filter(|line| line.contains("(NEEDED)")) {
        let known = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux"];
        assert!(known.iter().any(|name| line.contains(name)), "{line}");
    }
}

#[test]
fn c_and_rust_agree_on_every_layout() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("layout.c");
    std::fs::write(&source, layout::static_asserts()).unwrap();
    for compiler in compilers("c") {
        compile(&compiler, &["-std=c11"], &source, &directory.path().join("layout.o"));
    }
}

#[test]
fn every_compiler_takes_the_header_in_every_standard_and_twice() {
    let directory = tempfile::tempdir().unwrap();
    for (language, standards) in [("c", ["c99", "c11", "c17"]), ("cc", ["c++14", "c++17", "c++20"])]
    {
        for compiler in compilers(language) {
            for standard in standards {
                compile_twice(directory.path(), language, &compiler, standard);
            }
        }
    }
}

#[test]
fn the_header_goes_with_those_that_define_its_foreign_structs() {
    let directory = tempfile::tempdir().unwrap();
    let include = "#include \"snakepit_bridge.h\"\n";
    let theirs = "typedef struct DLManagedTensor { int x; } DLManagedTensor;\n\
                  typedef struct DLManagedTensorVersioned { int x; } DLManagedTensorVersioned;\n\
                  struct ArrowSchema { int x; };\nstruct ArrowArray { int x; };\n";
    for (language, standard) in [("c", "-std=c99"), ("cc", "-std=c++14")] {
        let source = directory.path().join(format!("foreign.{language}"));
        for both in [[include, theirs], [theirs, include]] {
            std::fs::write(&source, both.concat() + USE_OF_FOREIGN).unwrap();
            for compiler in compilers(language) {
                compile(&compiler, &[standard], &source, &directory.path().join("foreign.o"));
            }
        }
    }
}

/// Two translation units that include the header first, twice, and use its macros; linked together,
/// so that a helper defined twice is found.
fn compile_twice(directory: &Path, language: &str, compiler: &str, standard: &str) {
    let mut objects = Vec::new();
    for unit in ["one", "two"] {
        let source = directory.join(format!("{unit}.{language}"));
        std::fs::write(&source, USE_OF_MACROS.replace("UNIT", unit)).unwrap();
        let object = directory.join(format!("{unit}.o"));
        compile(compiler, &[&format!("-std={standard}")], &source, &object);
        objects.push(object.to_str().unwrap().to_owned());
    }
    let both = directory.join("both.o");
    let both = both.to_str().unwrap();
    output(compiler, &["-r", "-nostdlib", "-o", both, &objects[0], &objects[1]]);
}

fn declares(line: &str, name: &str) -> bool {
    !line.starts_with([' ', '/', '*']) && line.contains(&format!("{name}("))
}

const USE_OF_FOREIGN: &str = r#"
spb_status exchange(DLManagedTensorVersioned *tensor, spb_value **value);
spb_status exchange(DLManagedTensorVersioned *tensor, spb_value **value) {
    struct ArrowSchema schema;
    struct ArrowArray array;
    spb_value_from_dlpack(tensor, value, NULL);
    spb_value_to_dlpack(*value, 0, &tensor, NULL);
    return spb_value_to_arrow(*value, 0, &schema, &array, NULL);
}
"#;

const USE_OF_MACROS: &str = r#"
#include "snakepit_bridge.h"
#include "snakepit_bridge.h"
uint64_t UNIT(spb_queue queue, spb_event_callback callback);
uint64_t UNIT(spb_queue queue, spb_event_callback callback) {
    spb_sink none = SPB_SINK_INIT;
    spb_sink to_queue = spb_sink_queue(queue, 1);
    spb_sink to_callback = spb_sink_callback(callback, NULL, NULL);
    spb_session_options session = SPB_SESSION_OPTIONS_INIT;
    spb_execute_options execute = SPB_EXECUTE_OPTIONS_INIT;
    spb_tool_options tool = SPB_TOOL_OPTIONS_INIT;
    spb_tool_call_options tool_call = SPB_TOOL_CALL_OPTIONS_INIT;
    spb_failure_options failure = SPB_FAILURE_OPTIONS_INIT;
    spb_variable_options variable = SPB_VARIABLE_OPTIONS_INIT;
    spb_log_options log = SPB_LOG_OPTIONS_INIT;
    spb_tensor_view tensor = SPB_TENSOR_VIEW_INIT;
    spb_str literal = SPB_STR("text");
    spb_str ended = spb_str_z("text");
    return none.struct_size + to_queue.tag + to_callback.kind + session.struct_size
         + execute.struct_size + tool.struct_size + tool_call.struct_size
         + failure.struct_size + variable.struct_size
         + log.struct_size + tensor.struct_size + literal.len + ended.len
         + (uint64_t)spb_abi_check()
         + (uint64_t)(SPB_NO_TIMEOUT + 1);
}
"#;
