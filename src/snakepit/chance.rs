//! The randomness that spreads rests and lives, so that what failed together does not come back
//! together. Nothing secret depends on it.

/// Between 0 and 1. Without randomness things merely lose their spread.
pub fn chance() -> f64 {
    f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX)
}
