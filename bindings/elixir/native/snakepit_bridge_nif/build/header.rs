//! Reads the C header of the library and writes the same declarations in Rust.
//!
//! The header is generated, so it has few forms: `#define NAME number`, `typedef struct`, function
//! pointers, functions. Whatever is none of them ends the build by name. It knows nothing about
//! what the declarations mean, but for the type that a constant has.

use std::fmt::Write as _;

/// The Rust module that says what `header` says.
pub fn declarations(header: &str) -> Result<String, String> {
    let end = header.find("/* ---- Macros and inline helpers").ok_or("the header has no end")?;
    let begin = header.find("extern \"C\" {").ok_or("the header has no beginning")?;
    let body = header.get(begin..end).unwrap_or_default();
    let body = body.split_once("#endif").map_or("", |(_, after)| after);
    let mut out = String::new();
    let mut statement = String::new();
    for line in without_comments(body).lines() {
        if let Some(constant) = line.strip_prefix("#define ") {
            constant_of(constant, &mut out)?;
            continue;
        }
        statement.push(' ');
        statement.push_str(line.trim());
        let is_open = statement.matches('{').count() > statement.matches('}').count();
        if line.trim_end().ends_with(';') && !is_open {
            statement_of(statement.trim(), &mut out)
                .ok_or_else(|| format!("not understood: {statement}"))?;
            statement.clear();
        }
    }
    Ok(out)
}

fn without_comments(text: &str) -> String {
    let mut out = String::new();
    let mut is_comment = false;
    for line in text.lines() {
        let starts = line.trim_start().starts_with("/*");
        is_comment |= starts;
        if !is_comment && !line.trim_start().starts_with("//") {
            out.push_str(line);
            out.push('\n');
        }
        is_comment &= !line.trim_end().ends_with("*/");
    }
    out
}

fn constant_of(text: &str, out: &mut String) -> Result<(), String> {
    let (name, number) = text.split_once(' ').ok_or_else(|| format!("#define {text}"))?;
    let number = number.trim_matches(['(', ')']);
    let kind = match name {
        "SPB_OK" => "spb_status",
        "SPB_NO_TIMEOUT" => "i64",
        _ if name.starts_with("SPB_E_") => "spb_status",
        _ => "u32",
    };
    writeln!(out, "pub const {name}: {kind} = {number};").map_err(|error| error.to_string())
}

fn statement_of(text: &str, out: &mut String) -> Option<()> {
    let text = text.strip_suffix(';')?;
    let Some(definition) = text.strip_prefix("typedef ") else {
        return match text.strip_prefix("struct ") {
            // Structs of others: only their addresses go by.
            Some(name) => writeln!(out, "pub type {name} = std::ffi::c_void;").ok(),
            None => function(text, out),
        };
    };
    match definition.strip_prefix("struct ") {
        Some(definition) if definition.contains('{') => structure(definition, out),
        Some(definition) => {
            let name = definition.split(' ').next()?;
            writeln!(out, "#[repr(C)]\npub struct {name} {{ _opaque: [u8; 0] }}").ok()
        }
        None => alias(definition, out),
    }
}

fn structure(definition: &str, out: &mut String) -> Option<()> {
    let (name, rest) = definition.split_once('{')?;
    let (name, fields) = (name.trim(), rest.split_once('}')?.0);
    writeln!(out, "#[repr(C)]\n#[derive(Clone, Copy)]\npub struct {name} {{").ok()?;
    for field in fields.split(';').map(str::trim).filter(|field| !field.is_empty()) {
        let (name, kind) = declarator(field)?;
        writeln!(out, "    pub {name}: {kind},").ok()?;
    }
    writeln!(out, "}}\nimpl {name} {{\n    pub fn init() -> Self {{").ok()?;
    // SAFETY: of what is written: all fields are numbers, pointers and optional
    // functions, for which zero is a value.
    writeln!(out, "        let mut zero: Self = unsafe {{ std::mem::zeroed() }};").ok()?;
    if fields.contains("size_t struct_size;") {
        writeln!(out, "        zero.struct_size = std::mem::size_of::<Self>();").ok()?;
    } else {
        writeln!(out, "        let _ = &mut zero;").ok()?;
    }
    writeln!(out, "        zero\n    }}\n}}").ok()
}

fn alias(definition: &str, out: &mut String) -> Option<()> {
    let Some((_, rest)) = definition.split_once("(*") else {
        let (name, kind) = declarator(definition)?;
        return writeln!(out, "pub type {name} = {kind};").ok();
    };
    let (name, rest) = rest.split_once(')')?;
    let arguments = arguments(rest.strip_prefix('(')?.strip_suffix(')')?)?;
    writeln!(out, "pub type {name} = Option<unsafe extern \"C\" fn({arguments})>;").ok()
}

fn function(text: &str, out: &mut String) -> Option<()> {
    let (head, rest) = text.split_once('(')?;
    let (name, kind) = declarator(head)?;
    let arguments = arguments(rest.strip_suffix(')')?)?;
    let result = if kind == "c_void" { String::new() } else { format!(" -> {kind}") };
    writeln!(out, "unsafe extern \"C\" {{ pub fn {name}({arguments}){result}; }}").ok()
}

fn arguments(text: &str) -> Option<String> {
    if text.trim() == "void" {
        return Some(String::new());
    }
    let each = text.split(',').map(|argument| {
        let (name, kind) = declarator(argument.trim())?;
        Some(format!("{name}: {kind}"))
    });
    Some(each.collect::<Option<Vec<_>>>()?.join(", "))
}

/// The name and the Rust type of `const spb_value *const *values`.
fn declarator(text: &str) -> Option<(String, String)> {
    let spaced = text.replace('*', " * ");
    let mut words: Vec<&str> = spaced.split_whitespace().filter(|word| *word != "struct").collect();
    let name = words.pop()?;
    let (mut kind, mut is_const) = (String::new(), false);
    for word in words {
        match word {
            "const" => is_const = true,
            "*" => {
                kind = format!("*{} {kind}", if is_const { "const" } else { "mut" });
                is_const = false;
            }
            base => kind = base_type(base).to_owned(),
        }
    }
    let is_name = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == '_');
    let name = if name == "type" { "r#type" } else { name };
    (!kind.is_empty() && (is_name(name) || name == "r#type")).then(|| (name.to_owned(), kind))
}

fn base_type(name: &str) -> &str {
    match name {
        "void" => "c_void",
        "char" => "c_char",
        "double" => "f64",
        "size_t" => "usize",
        "int32_t" => "i32",
        "int64_t" => "i64",
        "uint8_t" => "u8",
        "uint32_t" => "u32",
        "uint64_t" => "u64",
        other => other,
    }
}
