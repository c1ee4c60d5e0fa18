//! Why a session is over, and what those are told who were using it. What is done about it is not
//! known here.

use crate::core::{Error, SessionId, Status};
use crate::state::SessionLoss;

/// Why a session is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionEnd {
    /// This host closed it.
    Closed,
    /// Nobody used it for its time.
    Expired,
    /// Another host of the store closed it, or it was unused there for its time.
    EndedElsewhere,
    /// This host's lease on the store ran out; other hosts may go on with the session.
    LeaseLost,
    /// The platform was closed.
    Shutdown,
}

impl SessionEnd {
    /// What a use of the session is answered from now on: `Closed`, or `LeaseLost`.
    pub fn refusal(self, id: &SessionId) -> Error {
        let (status, what) = match self {
            SessionEnd::Closed => (Status::Closed, "is closed"),
            SessionEnd::Expired => (Status::Closed, "was closed: nobody used it for its time"),
            SessionEnd::EndedElsewhere => (Status::Closed, "was ended by another host"),
            SessionEnd::LeaseLost => (
                Status::LeaseLost,
                "is lost to this host: its lease on the store ran out; join it again",
            ),
            SessionEnd::Shutdown => (Status::Closed, "ended with its platform"),
        };
        Error::new(status, format!("session {id} {what}")).with("session", id.as_str())
    }

    /// What an operation of the session ends with: `Cancelled`, or `LeaseLost`.
    pub fn cancellation(self) -> Error {
        let (status, why) = match self {
            SessionEnd::Closed => (Status::Cancelled, "the session was closed"),
            SessionEnd::Expired => (Status::Cancelled, "the session's time was over"),
            SessionEnd::EndedElsewhere => (Status::Cancelled, "another host ended the session"),
            SessionEnd::LeaseLost => (Status::LeaseLost, "the host's lease on the store ran out"),
            SessionEnd::Shutdown => (Status::Cancelled, "the platform was closed"),
        };
        Error::new(status, format!("{why} while the operation ran"))
    }

    pub(super) const fn number(self) -> u8 {
        match self {
            SessionEnd::Closed => 1,
            SessionEnd::Expired => 2,
            SessionEnd::EndedElsewhere => 3,
            SessionEnd::LeaseLost => 4,
            SessionEnd::Shutdown => 5,
        }
    }

    pub(super) fn of_number(number: u8) -> Option<Self> {
        [
            SessionEnd::Closed,
            SessionEnd::Expired,
            SessionEnd::EndedElsewhere,
            SessionEnd::LeaseLost,
            SessionEnd::Shutdown,
        ]
        .into_iter()
        .find(|end| end.number() == number)
    }
}

impl From<SessionLoss> for SessionEnd {
    fn from(loss: SessionLoss) -> Self {
        match loss {
            SessionLoss::Ended => SessionEnd::EndedElsewhere,
            SessionLoss::LeaseLost => SessionEnd::LeaseLost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back_and_a_lost_lease_has_a_status_of_its_own() {
        let id = SessionId::new("a").unwrap();
        for number in 1..=5 {
            let end = SessionEnd::of_number(number).unwrap();
            assert_eq!(end.number(), number);
            let is_lease = end == SessionEnd::LeaseLost;
            assert_eq!(end.refusal(&id).status() == Status::LeaseLost, is_lease);
            assert_eq!(end.cancellation().status() == Status::LeaseLost, is_lease);
        }
        assert_eq!(SessionEnd::of_number(0), None);
        assert_eq!(SessionEnd::of_number(6), None);
    }
}
