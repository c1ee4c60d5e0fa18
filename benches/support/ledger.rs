//! The figures of a benchmark by the ids of their rows, as they come in round by round, and the
//! rows that they become.
//!
//! It must not know what was measured, nor what the goals are.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::figures::{Figures, rounded};
use super::report::{Beside, Goal, Row};

/// One figure a round for each id, and what is worth saying besides.
#[derive(Default)]
pub struct Ledger {
    figures: BTreeMap<String, Figures>,
    p99: BTreeMap<String, Figures>,
}

impl Ledger {
    pub fn add(&mut self, id: &str, figure: f64) {
        self.figures.entry(id.to_owned()).or_default().add(figure);
    }

    /// What a program answered under `key`, times `scale`; its p99 is kept where it says one.
    pub fn take(&mut self, id: &str, answer: &Json, key: &str, scale: f64) {
        let figure = answer[key].as_f64().unwrap_or_else(|| panic!("{id}: no {key} in {answer}"));
        self.add(id, figure * scale);
        if let (true, Some(p99)) = (key == "p50_us", answer["p99_us"].as_f64()) {
            self.p99.entry(id.to_owned()).or_default().add(p99 * scale);
        }
    }

    /// Its median, alone.
    pub fn row(&self, id: &str, unit: &'static str, note: &str) -> Row {
        let figures = self.of(id);
        let p99 = self.p99.get(id).map(|p99| format!("p99 {}", rounded(p99.median())));
        let parts = p99.into_iter().chain([figures.spread(), note.to_owned()]);
        let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        Row {
            id: id.to_owned(),
            value: figures.median(),
            unit,
            goal: None,
            beside: Vec::new(),
            note: parts.join("; "),
        }
    }

    /// With a goal for the figure itself.
    pub fn row_for(&self, goal: Goal, id: &str, unit: &'static str, note: &str) -> Row {
        Row { goal: Some(goal), ..self.row(id, unit, note) }
    }

    /// Beside the row of a peer.
    pub fn row_beside(
        &self,
        (peer, goal): (&str, Option<Goal>),
        id: &str,
        unit: &'static str,
        note: &str,
    ) -> Row {
        let beside = Beside::of(self.of(id), peer, self.of(peer), goal);
        Row { beside: vec![beside], ..self.row(id, unit, note) }
    }

    /// What `id` came to in each round.
    pub fn of(&self, id: &str) -> &Figures {
        self.figures.get(id).unwrap_or_else(|| panic!("{id} was not measured"))
    }
}
