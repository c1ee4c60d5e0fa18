//! What a failed attempt says about the command: that it was not run, that it may have been, or
//! that asking again is of no use. And the errors that callers get when time is up.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::core::{Error, Status};
use crate::state::key::SessionKey;

/// Of one attempt.
#[derive(Debug)]
pub enum Failure {
    /// The server was not reached, or refused before it ran anything.
    NotRun { cause: String, is_link_at_fault: bool },
    /// The server does not know the script (any more); nothing was run.
    NoScript,
    /// No answer came: it may have been run.
    NoAnswer { cause: String },
    /// It fails again whenever it is asked.
    Final(Error),
}

impl Failure {
    /// There was no connection when time was up.
    pub fn too_slow() -> Self {
        Failure::NotRun { cause: TOO_SLOW.to_owned(), is_link_at_fault: true }
    }

    /// Whether it says that time was up, and nothing of why.
    pub fn is_of_time_alone(&self) -> bool {
        self.cause() == TOO_SLOW
    }

    /// Of a connection that did not come about.
    pub fn of_connecting(error: &RedisError) -> Self {
        match of_server(error) {
            Some(failure) => failure,
            // It will not be trusted the next moment either.
            None if error.to_string().contains(UNTRUSTED) => {
                Failure::Final(unavailable(&cause_of(error)))
            }
            None => Failure::NotRun { cause: cause_of(error), is_link_at_fault: true },
        }
    }

    /// Of a command that was sent.
    pub fn of_sending(error: &RedisError) -> Self {
        of_server(error).unwrap_or_else(|| Failure::NoAnswer { cause: cause_of(error) })
    }

    pub fn cause(&self) -> &str {
        match self {
            Failure::NotRun { cause, .. } | Failure::NoAnswer { cause } => cause,
            Failure::NoScript => "NOSCRIPT",
            Failure::Final(error) => error.message(),
        }
    }

    /// Whether another connection may do better.
    pub fn is_link_at_fault(&self) -> bool {
        matches!(self, Failure::NotRun { is_link_at_fault: true, .. } | Failure::NoAnswer { .. })
    }
}

/// Time is up and nothing was run.
pub fn unavailable(cause: &str) -> Error {
    Error::new(Status::Unavailable, format!("redis does not serve: {cause}"))
        .with("cause", cause)
        .with("outcome", "none")
}

/// Time is up, and an attempt may have been run.
pub fn unknown(cause: &str) -> Error {
    let message = format!("redis did not say whether it wrote: {cause}");
    Error::new(Status::Store, message).with("cause", cause).with("outcome", "unknown")
}

/// Others may have gone on without this host.
pub fn lease_lost(session: &SessionKey) -> Error {
    let message = format!("this host's lease on session {} has run out: join it again", session.id);
    Error::new(Status::LeaseLost, message).with("session", session.id.as_str())
}

/// The store was closed by its own host.
pub fn store_closed() -> Error {
    Error::new(Status::Closed, "the store is closed")
}

/// A reply that no script of ours gives.
pub fn not_understood(script: &str) -> Error {
    Error::new(Status::Store, format!("the answer of script {script:?} is not understood"))
}

/// What the server said, if it said something.
fn of_server(error: &RedisError) -> Option<Failure> {
    let code = code_of(error)?;
    Some(match code {
        "NOSCRIPT" => Failure::NoScript,
        "WRONGPASS" | "NOAUTH" => Failure::Final(
            Error::invalid("redis refuses this user and password").with("field", "password"),
        ),
        // An outgrown connection limit, and whatever else passes by itself.
        "BUSY" | "LOADING" | "CLUSTERDOWN" | "TRYAGAIN" | "OOM" | "MISCONF" | "NOREPLICAS"
        | "MAXCLIENTS" => Failure::NotRun { cause: code.to_owned(), is_link_at_fault: false },
        // Another server may be behind the same address by now.
        "READONLY" | "MASTERDOWN" => {
            Failure::NotRun { cause: code.to_owned(), is_link_at_fault: true }
        }
        "MOVED" | "ASK" | "CROSSSLOT" => Failure::Final(refused(
            code,
            "redis is a node of a cluster that does not keep this prefix: connect to the one that \
             does",
        )),
        "NOPERM" => Failure::Final(refused(code, "redis does not allow this user to run scripts")),
        _ => Failure::Final(
            refused(code, &format!("redis refused: {error}")).with("outcome", "unknown"),
        ),
    })
}

fn refused(code: &str, message: &str) -> Error {
    Error::new(Status::Store, message).with("cause", code)
}

/// Older servers wrap what a command inside a script ran into.
fn code_of(error: &RedisError) -> Option<&str> {
    match error.kind() {
        ErrorKind::AuthenticationFailed => return Some("WRONGPASS"),
        ErrorKind::Server(_) | ErrorKind::Extension => {}
        _ => return None,
    }
    if !matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ResponseError)) {
        return error.code();
    }
    let detail = error.detail().unwrap_or_default();
    if detail.contains("max number of clients") {
        return Some("MAXCLIENTS");
    }
    let wrapped = WRAPPED.into_iter().find(|code| detail.contains(&format!("-{code} ")));
    wrapped.or(error.code())
}

/// In few words, none of which is a secret.
fn cause_of(error: &RedisError) -> String {
    if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.is_connection_refusal() {
        "connection refused".to_owned()
    } else if error.is_connection_dropped() {
        "connection lost".to_owned()
    } else {
        error.to_string()
    }
}

/// The beginning of what rustls says.
const TOO_SLOW: &str = "not reached in time";
const UNTRUSTED: &str = "invalid peer certificate";
const WRAPPED: [&str; 5] = ["READONLY", "OOM", "MISCONF", "NOREPLICAS", "MASTERDOWN"];

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: ServerErrorKind, detail: &str) -> Failure {
        Failure::of_sending(&RedisError::from((kind.into(), "", detail.to_owned())))
    }

    #[test]
    fn what_was_not_run_is_told_from_what_may_have_been() {
        let busy = redis::make_extension_error("BUSY".into(), None);
        assert!(matches!(Failure::of_sending(&busy), Failure::NotRun { .. }));
        let reset = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert!(matches!(Failure::of_sending(&reset), Failure::NoAnswer { .. }));
        assert!(matches!(Failure::of_connecting(&reset), Failure::NotRun { .. }));
    }

    #[test]
    fn wrapped_refusals_are_found_and_unknown_ones_are_final() {
        let wrapped = told(
            ServerErrorKind::ResponseError,
            "Error running script: @user_script: 9: -READONLY You can't write",
        );
        assert_eq!(wrapped.cause(), "READONLY");
        assert!(wrapped.is_link_at_fault());
        let Failure::Final(error) = told(ServerErrorKind::ResponseError, "whatever") else {
            panic!("{wrapped:?}")
        };
        assert_eq!(error.details()["outcome"], "unknown");
    }
}
