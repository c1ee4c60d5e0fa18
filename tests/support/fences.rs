//! Which lines of a document are code. Knows nothing of what is checked of the others.

use crate::tree::SourceFile;

/// Numbers of the lines that stand between fences, and of the fences.
pub fn fenced_lines(file: &SourceFile) -> Vec<usize> {
    let mut is_code = false;
    let fenced = file.lines().filter(|(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        is_code || is_fence
    });
    fenced.map(|(number, _)| number).collect()
}
