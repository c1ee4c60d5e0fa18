//! The table that a benchmark prints for people: medians of its rounds, with the least and the
//! most.
//!
//! It must not know what its rows mean.

use super::figures::Figures;

/// Rows with one figure per round, in the order in which they first came.
#[derive(Default)]
pub struct Table(Vec<(String, Figures)>);

impl Table {
    pub fn add(&mut self, row: &str, figure: f64) {
        let known = self.0.iter().position(|(name, _)| name == row);
        let index = known.unwrap_or_else(|| {
            self.0.push((row.to_owned(), Figures::default()));
            self.0.len() - 1
        });
        self.0[index].1.add(figure);
    }

    pub fn print(&self) {
        println!("{:<46}{:>12}{:>12}{:>12}", "", "median", "least", "most");
        for (row, figures) in &self.0 {
            let (median, least, most) = (figures.median(), figures.least(), figures.most());
            println!("{row:<46}{median:>12.1}{least:>12.1}{most:>12.1}");
        }
    }
}
