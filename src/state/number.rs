//! A JSON number without loss: 64-bit integers stay integers, and comparing one with a float is
//! exact, where converting it would round.

use std::cmp::Ordering;

use jiter::{NumberAny, NumberInt};

use crate::core::Value;
use crate::core::tag::{NonFinite, Tag};

/// A number as its document writes it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    /// Written without a fraction or an exponent.
    Integer(i128),
    /// Not finite where a tag says so.
    Float(f64),
}

impl Number {
    /// The number that is the whole document, as a number or as the tag of a float that is not
    /// finite.
    pub fn of_document(document: &[u8]) -> Option<Self> {
        if let Some(tag) = Tag::of_document(document) {
            return match tag {
                Tag::Float(float) => Some(Number::Float(float.to_f64())),
                Tag::Attachment(_) => None,
            };
        }
        let mut jiter = jiter::Jiter::new(document);
        let peek = jiter.peek().ok().filter(|peek| peek.is_num())?;
        Number::of(&jiter.known_number(peek).ok()?)
    }

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

    pub fn is_nan(self) -> bool {
        matches!(self, Number::Float(float) if float.is_nan())
    }

    /// The sum: exact for two integers, otherwise that of the nearest doubles.
    pub fn plus(self, other: Number) -> Number {
        match (self, other) {
            // Neither has more than 64 bits, so their sum fits.
            (Number::Integer(a), Number::Integer(b)) => Number::Integer(a.saturating_add(b)),
            (a, b) => Number::Float(a.nearest() + b.nearest()),
        }
    }

    /// The nearest double.
    #[expect(clippy::cast_precision_loss, reason = "the nearest double is what is wanted")]
    pub fn nearest(self) -> f64 {
        match self {
            Number::Integer(integer) => integer as f64,
            Number::Float(float) => float,
        }
    }

    /// As a value; `None` for an integer of more than 64 bits.
    pub fn to_value(self) -> Option<Value> {
        let document = match self {
            Number::Integer(integer) => match u64::try_from(integer) {
                Ok(unsigned) => unsigned.into(),
                Err(_) => i64::try_from(integer).ok()?.into(),
            },
            Number::Float(float) => match NonFinite::of(float) {
                Some(named) => Tag::Float(named).to_document(),
                None => float.into(),
            },
        };
        Some(Value::from_document(&document))
    }

    /// As it stands in an error's details: what JSON has no number for, as text.
    pub fn to_json(self) -> serde_json::Value {
        match self {
            Number::Integer(integer) => match u64::try_from(integer) {
                Ok(unsigned) => unsigned.into(),
                Err(_) => match i64::try_from(integer) {
                    Ok(signed) => signed.into(),
                    Err(_) => integer.to_string().into(),
                },
            },
            Number::Float(float) => match NonFinite::of(float) {
                Some(named) => named.name().into(),
                None => float.into(),
            },
        }
    }

    /// The order of the numbers themselves. NaN has none: ask `is_nan` first.
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
            Number::Float(float) => match NonFinite::of(*float) {
                Some(named) => f.write_str(named.name()),
                // With the fraction: 5.0 is shown as what it is, not as the integer 5.
                None => write!(f, "{float:?}"),
            },
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
            (i128::from(u64::MAX), f64::INFINITY, Ordering::Less),
            (i128::from(i64::MIN), f64::NEG_INFINITY, Ordering::Greater),
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
