//! Milliseconds as they cross the boundary, in the two senses they have there: limits and waits.

use std::time::Duration;

use crate::api::Timeout;
use crate::core::{Error, Result};

/// As a time in milliseconds: no limit at all.
pub const SPB_NO_TIMEOUT: i64 = -1;

/// A limit: 0 is the default, -1 none.
pub fn limit_ms(given_ms: i64, argument: &str) -> Result<Timeout> {
    match given_ms {
        0 => Ok(Timeout::Default),
        SPB_NO_TIMEOUT => Ok(Timeout::Never),
        _ => duration_ms(given_ms, argument).map(Timeout::After),
    }
}

/// A limit where "none" is simply longer than anything: None is the default.
pub fn long_limit_ms(given_ms: i64, argument: &str) -> Result<Option<Duration>> {
    limit_ms(given_ms, argument).map(|limit| match limit {
        Timeout::Default => None,
        Timeout::Never => Some(Duration::MAX),
        Timeout::After(time) => Some(time),
    })
}

/// A wait: 0 looks without waiting, -1 (None) waits for ever.
pub fn wait_ms(given_ms: i64, argument: &str) -> Result<Option<Duration>> {
    match given_ms {
        SPB_NO_TIMEOUT => Ok(None),
        _ => duration_ms(given_ms, argument).map(Some),
    }
}

fn duration_ms(given_ms: i64, argument: &str) -> Result<Duration> {
    u64::try_from(given_ms).map(Duration::from_millis).map_err(|_| {
        let message = format!("{argument} is {given_ms}, expected milliseconds or -1");
        Error::invalid(message).with("argument", argument)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_minus_one_mean_what_their_place_says() {
        assert_eq!(limit_ms(0, "t").unwrap(), Timeout::Default);
        assert_eq!(limit_ms(-1, "t").unwrap(), Timeout::Never);
        assert_eq!(limit_ms(7, "t").unwrap(), Timeout::After(Duration::from_millis(7)));
        assert_eq!(long_limit_ms(-1, "t").unwrap(), Some(Duration::MAX));
        assert_eq!(wait_ms(0, "t").unwrap(), Some(Duration::ZERO));
        assert_eq!(wait_ms(-1, "t").unwrap(), None);
        for bad in [-2, i64::MIN] {
            assert!(limit_ms(bad, "t").is_err() && wait_ms(bad, "t").is_err());
        }
        assert!(wait_ms(i64::MAX, "t").is_ok());
    }
}
