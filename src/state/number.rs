//! A JSON number without loss: 64-bit integers stay integers, and comparing one with a float is
//! exact, where converting it would round.

use std::cmp::Ordering;

use jiter::{NumberAny, NumberInt};

/// A number as its document writes it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    /// Written without a fraction or an exponent.
    Integer(i128),
    /// Finite.
    Float(f64),
}

impl Number {
    /// `None` for what no checked document holds: more than 64 bits, or not finite.
    pub fn of(number: &NumberAny) -> Option<Self> {
        match number {
            NumberAny::Int(NumberInt::Int(integer)) => Some(Number::Integer(i128::from(*integer))),
            NumberAny::Int(NumberInt::BigInt(big)) => i128::try_from(big).ok().map(Number::Integer),
            NumberAny::Float(float) if float.is_finite() => Some(Number::Float(*float)),
            NumberAny::Float(_) => None,
        }
    }

    pub fn of_json(number: &serde_json::Number) -> Option<Self> {
        match number.as_i128() {
            Some(integer) => Some(Number::Integer(integer)),
            None => number.as_f64().filter(|float| float.is_finite()).map(Number::Float),
        }
    }

    pub fn to_json(self) -> serde_json::Value {
        match self {
            Number::Integer(integer) => match u64::try_from(integer) {
                Ok(unsigned) => unsigned.into(),
                Err(_) => i64::try_from(integer).unwrap_or(i64::MIN).into(),
            },
            Number::Float(float) => float.into(),
        }
    }

    pub fn compare(self, other: Number) -> Ordering {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => a.cmp(&b),
            (Number::Float(a), Number::Float(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            (Number::Integer(a), Number::Float(b)) => integer_to_float(a, b),
            (Number::Float(a), Number::Integer(b)) => integer_to_float(b, a).reverse(),
        }
    }
}

/// The float's whole part decides; where it ties, its fraction does. Casting saturates, which only
/// concerns floats beyond every 64-bit integer.
#[expect(clippy::cast_possible_truncation, reason = "the whole part is what is wanted")]
fn integer_to_float(integer: i128, float: f64) -> Ordering {
    let whole = float.trunc();
    integer
        .cmp(&(whole as i128))
        .then_with(|| (0.0_f64).partial_cmp(&(float - whole)).unwrap_or(Ordering::Equal))
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number::Integer(integer) => integer.fmt(f),
            // With the fraction: 5.0 is shown as what it is, not as the integer 5.
            Number::Float(float) => write!(f, "{float:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparing_does_not_round() {
        let cases = [
            (i128::from(i64::MAX), 9_223_372_036_854_775_808.0, Ordering::Less),
            ((1 << 53) + 1, 9_007_199_254_740_992.0, Ordering::Greater),
            (i128::from(u64::MAX), 1e300, Ordering::Less),
            (i128::from(i64::MIN), -1e300, Ordering::Greater),
            (5, 5.0, Ordering::Equal),
            (5, 5.5, Ordering::Less),
            (-5, -5.5, Ordering::Greater),
            (0, -0.0, Ordering::Equal),
            (0, 1e-300, Ordering::Less),
        ];
        for (integer, float, expected) in cases {
            let (integer, float) = (Number::Integer(integer), Number::Float(float));
            assert_eq!(integer.compare(float), expected, "{integer} {float}");
            assert_eq!(float.compare(integer), expected.reverse(), "{integer} {float}");
        }
    }
}
