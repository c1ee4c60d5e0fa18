//! The shape of a Rust file: its functions with their lengths, and where its own tests begin.
//!
//! Read from the syntax tree, so that strings, comments and macros do not mislead; what a macro's
//! body holds is not seen.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// One function with a body.
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
    /// Its body is one `match` whose arms take a line each.
    pub is_table: bool,
}

/// What the rules ask of a file.
pub struct Shape {
    pub functions: Vec<Function>,
    /// First and last line of the `#[cfg(test)] mod tests { … }` at the end, if there is one.
    pub tests: Option<(usize, usize)>,
    /// Lines of free functions and methods, outside `tests`.
    pub first_function: Option<usize>,
    /// Whether all items but the last are outside tests, and `mod tests` is the last.
    pub tests_are_last: bool,
}

pub fn shape_of(text: &str) -> syn::Result<Shape> {
    let file = syn::parse_file(text)?;
    let mut visitor = Functions(Vec::new());
    visitor.visit_file(&file);
    let position = file.items.iter().position(is_tests);
    let tests = position.and_then(|index| inline_lines(&file.items[index]));
    let functions = visitor.0;
    let is_product = |function: &&Function| tests.is_none_or(|(start, _)| function.line < start);
    let first_function = functions.iter().find(is_product).map(|function| function.line);
    let tests_are_last = position.is_none_or(|index| index + 1 == file.items.len());
    Ok(Shape { functions, tests, first_function, tests_are_last })
}

struct Functions(Vec<Function>);

impl Functions {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let (first, last) = (start_of(signature.span()), end_of(block.span()));
        let is_table = is_match_table(block);
        let name = signature.ident.to_string();
        self.0.push(Function { name, line: first, lines: last + 1 - first, is_table });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

fn is_match_table(block: &syn::Block) -> bool {
    let Some(syn::Stmt::Expr(syn::Expr::Match(table), None)) = block.stmts.last() else {
        return false;
    };
    let is_one_line = |arm: &syn::Arm| start_of(arm.span()) == end_of(arm.span());
    block.stmts.len() == 1 && table.arms.iter().all(is_one_line)
}

fn is_tests(item: &syn::Item) -> bool {
    matches!(item, syn::Item::Mod(module) if module.ident == "tests")
}

fn inline_lines(item: &syn::Item) -> Option<(usize, usize)> {
    match item {
        syn::Item::Mod(syn::ItemMod { content: Some(_), .. }) => {
            Some((start_of(item.span()), end_of(item.span())))
        }
        _ => None,
    }
}

fn start_of(span: Span) -> usize {
    span.start().line
}

fn end_of(span: Span) -> usize {
    span.end().line
}
