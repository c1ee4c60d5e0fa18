//! What a session holds, held against what it may hold. Pure, and the same for every store of this
//! process; what the variables are is not known here.

use crate::core::Result;

use super::backend::StoreLimits;
use super::fault;

/// How much a session holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    pub variables: usize,
    /// See `Record::bytes`.
    pub bytes: usize,
}

impl Usage {
    /// With one more variable, of so many bytes. `ResourceExhausted` when that is too much.
    pub fn with(self, name: &str, bytes: usize, limits: &StoreLimits) -> Result<Usage> {
        let after = Usage {
            variables: self.variables.saturating_add(1),
            bytes: self.bytes.saturating_add(bytes),
        };
        if after.variables > limits.variables_max {
            return Err(fault::full(name, limits.variables_max));
        }
        if after.bytes > limits.bytes_max {
            return Err(fault::no_room(name, after.bytes, limits.bytes_max));
        }
        Ok(after)
    }

    /// Without a variable that had so many bytes.
    #[must_use]
    pub fn without(self, bytes: usize) -> Usage {
        Usage {
            variables: self.variables.saturating_sub(1),
            bytes: self.bytes.saturating_sub(bytes),
        }
    }

    /// After the writes: each a name, the bytes of the old value and those of the new one. A
    /// session over its quota may still shrink. `ResourceExhausted` names a variable that grew.
    pub fn rewritten<'a>(
        self,
        writes: impl Iterator<Item = (&'a str, usize, usize)>,
        limits: &StoreLimits,
    ) -> Result<Usage> {
        let (mut bytes, mut grown) = (self.bytes, "");
        for (name, old, new) in writes {
            if new > old {
                grown = name;
            }
            bytes = bytes.saturating_sub(old).saturating_add(new);
        }
        if bytes > limits.bytes_max && bytes > self.bytes {
            return Err(fault::no_room(grown, bytes, limits.bytes_max));
        }
        Ok(Usage { bytes, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Status;

    #[test]
    fn a_full_session_may_shrink_and_not_grow() {
        let full = Usage { variables: 2, bytes: 12 };
        let smaller = full.rewritten([("a", 5, 4)].into_iter(), &LIMITS).unwrap();
        assert_eq!(smaller, Usage { variables: 2, bytes: 11 });
        let error = full.rewritten([("a", 5, 3), ("b", 1, 4)].into_iter(), &LIMITS).unwrap_err();
        assert_eq!(error.status(), Status::ResourceExhausted);
        assert_eq!(error.details()["variable"], "b");
    }

    #[test]
    fn one_more_is_held_against_number_and_bytes() {
        let usage = Usage { variables: 1, bytes: 6 };
        assert_eq!(usage.with("a", 4, &LIMITS).unwrap(), Usage { variables: 2, bytes: 10 });
        assert_eq!(usage.with("a", 5, &LIMITS).unwrap_err().details()["bytes"], 11);
        let full = usage.with("a", 0, &LIMITS).unwrap();
        assert_eq!(full.with("b", 0, &LIMITS).unwrap_err().details()["limit"], 2);
        assert_eq!(full.without(6), Usage { variables: 1, bytes: 0 });
    }

    const LIMITS: StoreLimits =
        StoreLimits { variables_max: 2, bytes_max: 10, history_max: 0, history_bytes_max: 0 };
}
