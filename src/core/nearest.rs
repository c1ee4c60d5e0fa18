//! "Did you mean": the known name nearest to an unknown one.

/// The name in `known` most like `given`, or none when nothing is alike. Similarity is Jaro-Winkler
/// (crate `strsim`), which favours equal beginnings as people's slips do.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(score, _)| *score >= ALIKE_SCORE_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// `"; did you mean \"x\"?"`, or nothing: the tail of an error message.
pub fn suggestion<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, known).map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}

/// Below this two names have little in common.
const ALIKE_SCORE_MIN: f64 = 0.7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_nonsense_finds_none() {
        let known = ["predict", "chain_of_thought", "react"];
        assert_eq!(nearest("pedict", known), Some("predict"));
        assert_eq!(nearest("reactt", known), Some("react"));
        assert_eq!(nearest("xyzzy", known), None);
    }
}
