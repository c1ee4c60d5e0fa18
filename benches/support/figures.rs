//! Figures of repeated measurements: one a round, and what is said of all rounds together.
//!
//! It must not know what was measured.

/// What one thing came to in each round, in their order.
#[derive(Clone, Debug, Default)]
pub struct Figures(pub Vec<f64>);

impl Figures {
    pub fn add(&mut self, figure: f64) {
        self.0.push(figure);
    }

    pub fn median(&self) -> f64 {
        let sorted = self.sorted();
        sorted[sorted.len() / 2]
    }

    pub fn least(&self) -> f64 {
        self.sorted()[0]
    }

    pub fn most(&self) -> f64 {
        self.sorted()[self.0.len() - 1]
    }

    /// How far the rounds were apart, for a row's note.
    pub fn spread(&self) -> String {
        if self.0.len() == 1 {
            return "one round".to_owned();
        }
        let (least, most) = (rounded(self.least()), rounded(self.most()));
        format!("{least} to {most} in {} rounds", self.0.len())
    }

    fn sorted(&self) -> Vec<f64> {
        assert!(!self.0.is_empty(), "nothing was measured");
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

/// As many digits as a person wants to read.
pub fn rounded(figure: f64) -> String {
    match figure.abs() {
        small if small < 1.0 => format!("{figure:.3}"),
        small if small < 1_000.0 => format!("{figure:.1}"),
        _large => format!("{figure:.0}"),
    }
}
