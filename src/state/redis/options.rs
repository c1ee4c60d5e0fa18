//! Where Redis is and how long it may take, as the user says it, and the client made from it.
//!
//! Nothing here connects. A password is in no message and in no debug output.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use redis::{Client, ConnectionAddr, IntoConnectionInfo, TlsCertificates};

use crate::core::limits::{
    REDIS_ANSWER_TIMEOUT, REDIS_COMMAND_TIMEOUT, REDIS_CONNECT_TIMEOUT, REDIS_LEASE,
    REDIS_PREFIX_BYTES_MAX, REDIS_TIME_MAX,
};
use crate::core::{Error, Result};

/// How to reach Redis, and what is kept there.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://[user[:password]@]host[:port][/db]`, the same with `rediss://` for TLS, or
    /// `redis+unix:///path/to/socket[?db=N]`.
    pub url: String,
    /// In place of the one in the URL.
    pub username: Option<String>,
    /// In place of the one in the URL, so that the URL can be shown to anybody.
    pub password: Option<String>,
    /// Certificates (PEM) that a `rediss://` server's is held against, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// In front of every key and channel: letters, digits, `_`, `.`, `:` and `-`. Hosts that share
    /// sessions have the same.
    pub prefix: String,
    /// After so long without a word from this host, its sessions are no longer its own.
    pub lease: Duration,
    /// To reach the server, handshake included.
    pub connect_timeout: Duration,
    /// One answer; a command of many bytes may take longer.
    pub answer_timeout: Duration,
    /// One command with all its attempts.
    pub command_timeout: Duration,
}

impl RedisOptions {
    /// The defaults for a server.
    pub fn new(url: impl Into<String>) -> Self {
        RedisOptions {
            url: url.into(),
            username: None,
            password: None,
            ca_file: None,
            prefix: PREFIX.to_owned(),
            lease: REDIS_LEASE,
            connect_timeout: REDIS_CONNECT_TIMEOUT,
            answer_timeout: REDIS_ANSWER_TIMEOUT,
            command_timeout: REDIS_COMMAND_TIMEOUT,
        }
    }

    /// A client that has not connected yet. `InvalidArgument` with the name of the faulty `field`.
    pub(super) fn client(&self) -> Result<Client> {
        self.check()?;
        let is_known = SCHEMES.iter().any(|scheme| self.url.starts_with(scheme));
        if !is_known || self.url.contains('#') {
            return Err(bad_url());
        }
        let info = self.url.as_str().into_connection_info().map_err(|_| bad_url())?;
        let mut redis = info.redis_settings().clone();
        if let Some(username) = &self.username {
            redis = redis.set_username(username);
        }
        if let Some(password) = &self.password {
            redis = redis.set_password(password);
        }
        let is_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        let info = info.set_redis_settings(redis);
        let Some(path) = &self.ca_file else { return Client::open(info).map_err(|_| bad_url()) };
        if !is_tls {
            return Err(bad("ca_file", "ca_file is given, but url is not rediss://"));
        }
        let root_cert = std::fs::read(path)
            .map_err(|error| bad("ca_file", &format!("ca_file cannot be read: {error}")))?;
        let certificates = TlsCertificates { client_tls: None, root_cert: Some(root_cert) };
        Client::build_with_tls(info, certificates)
            .map_err(|_| bad("ca_file", "ca_file holds no certificates in PEM format"))
    }

    fn check(&self) -> Result<()> {
        let is_good =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
        let length = self.prefix.len();
        if length == 0 || length > REDIS_PREFIX_BYTES_MAX || !self.prefix.bytes().all(is_good) {
            let message = format!(
                "prefix is not 1 to {REDIS_PREFIX_BYTES_MAX} letters, digits, `_`, `.`, `:` or `-`"
            );
            return Err(bad("prefix", &message));
        }
        let times = [
            ("lease", self.lease, LEASE_MIN),
            ("connect_timeout", self.connect_timeout, TIMEOUT_MIN),
            ("answer_timeout", self.answer_timeout, TIMEOUT_MIN),
            ("command_timeout", self.command_timeout, TIMEOUT_MIN),
        ];
        let is_bad =
            |(_, time, min): &(_, Duration, Duration)| time < min || *time > REDIS_TIME_MAX;
        let Some((field, time, min)) = times.into_iter().find(is_bad) else { return Ok(()) };
        let message = format!("{field} is {time:?}, expected {min:?} to {REDIS_TIME_MAX:?}");
        Err(bad(field, &message))
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("prefix", &self.prefix)
            .field("lease", &self.lease)
            .field("command_timeout", &self.command_timeout)
            .finish_non_exhaustive()
    }
}

fn bad_url() -> Error {
    let message = "url is not of the form redis://host:port/db, rediss://host:port/db or \
                   redis+unix:///path";
    bad("url", message)
}

fn bad(field: &str, message: &str) -> Error {
    Error::invalid(message).with("field", field)
}

const PREFIX: &str = "spb";
const SCHEMES: [&str; 3] = ["redis://", "rediss://", "redis+unix:///"];
/// Below this an ordinary pause of the machine would lose it.
const LEASE_MIN: Duration = Duration::from_millis(100);
const TIMEOUT_MIN: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_kind_are_understood() {
        for url in ["redis://h:1/2", "rediss://u:p@h", "redis+unix:///run/r.sock?db=1"] {
            assert!(RedisOptions::new(url).client().is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_without_the_password() {
        let field = |options: &RedisOptions| {
            let error = options.client().map(drop).unwrap_err();
            assert!(!format!("{error:?} {options:?}").contains("secret"), "{error:?}");
            error.details()["field"].as_str().unwrap().to_owned()
        };
        for url in ["", "http://u:secret@h", "redis://u:secret@", "rediss://:secret@h#insecure"] {
            assert_eq!(field(&RedisOptions::new(url)), "url", "{url}");
        }
        let good = RedisOptions::new("redis://u:secret@h");
        assert_eq!(field(&RedisOptions { prefix: "a{b".into(), ..good.clone() }), "prefix");
        assert_eq!(field(&RedisOptions { lease: Duration::ZERO, ..good.clone() }), "lease");
        let no_time = RedisOptions { answer_timeout: Duration::ZERO, ..good.clone() };
        assert_eq!(field(&no_time), "answer_timeout");
        assert_eq!(field(&RedisOptions { ca_file: Some("/x".into()), ..good }), "ca_file");
        let tls = RedisOptions::new("rediss://:secret@h");
        assert_eq!(field(&RedisOptions { ca_file: Some("/x".into()), ..tls }), "ca_file");
    }
}
