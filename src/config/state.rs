//! Where sessions and their variables are kept, in the document. Doc comments here are the
//! descriptions in the published schema.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::Result;

use super::fault::inconsistent;
use super::millis;
use super::secret::Secret;

/// Where sessions and their variables are kept.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StateConfig {
    /// "memory": in the host's memory, gone when the platform closes. "sqlite": in a file of this
    /// host. "redis": on a server that several hosts share.
    #[schemars(with = "String", extend("enum" = ["memory", "sqlite", "redis"]))]
    pub store: StoreKind,
    /// With "sqlite", and required there: the database file, made where it is missing. One platform
    /// has it at a time.
    pub path: Option<PathBuf>,
    /// With "redis", and required there: "redis://[user:password@]host[:port][/db]", "rediss://…"
    /// for TLS, or "redis+unix:///path[?db=n]".
    pub url: Option<Secret>,
    /// With "redis": the user, in place of the one in the URL.
    pub username: Option<String>,
    /// With "redis": the password, in place of the one in the URL.
    pub password: Option<Secret>,
    /// With "redis": what the names of all its keys begin with. Hosts with the same prefix share
    /// their sessions. Null: "spb".
    pub prefix: Option<String>,
    /// With "redis": a host that does not answer for so long loses the sessions it has open, and
    /// cannot write to them any more. Null: 15000.
    #[serde(rename = "lease_ms", with = "millis::optional")]
    #[schemars(with = "Option<u64>", range(min = LEASE_MS_MIN, max = LEASE_MS_MAX))]
    pub lease: Option<Duration>,
    /// With "redis": how long one command may take, tries and reconnections included. Null: 15000.
    #[serde(rename = "timeout_ms", with = "millis::optional")]
    #[schemars(with = "Option<u64>", range(min = 1, max = TIMEOUT_MS_MAX))]
    pub timeout: Option<Duration>,
    /// With "redis" and "rediss://": a file of PEM certificates that the server's must descend
    /// from. Null: the system's.
    pub ca_file: Option<PathBuf>,
}

/// The stores there are.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// In the host's memory, gone when the platform closes.
    #[default]
    Memory,
    /// In a file, for one platform at a time.
    Sqlite,
    /// On a server, for several hosts.
    Redis,
}

impl StateConfig {
    /// The texts that nobody may read in a log: the password, and the URL that may hold one.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let url = self.url.as_ref().map(Secret::expose);
        let in_url = url.and_then(|url| {
            let (user, _) = url.split_once("://")?.1.rsplit_once('@')?;
            Some(user.split_once(':')?.1)
        });
        let apart = self.password.as_ref().map(Secret::expose);
        [url.filter(|_| in_url.is_some()), in_url, apart].into_iter().flatten()
    }

    /// The keys that only some stores have, and whether they are given.
    fn own_keys(&self) -> [(StoreKind, &'static str, bool); 8] {
        let StateConfig {
            store: _,
            path,
            url,
            username,
            password,
            prefix,
            lease,
            timeout,
            ca_file,
        } = self;
        let (sqlite, redis) = (StoreKind::Sqlite, StoreKind::Redis);
        [
            (sqlite, "path", path.is_some()),
            (redis, "url", url.is_some()),
            (redis, "username", username.is_some()),
            (redis, "password", password.is_some()),
            (redis, "prefix", prefix.is_some()),
            (redis, "lease_ms", lease.is_some()),
            (redis, "timeout_ms", timeout.is_some()),
            (redis, "ca_file", ca_file.is_some()),
        ]
    }
}

impl StoreKind {
    const fn name(self) -> &'static str {
        match self {
            StoreKind::Memory => "memory",
            StoreKind::Sqlite => "sqlite",
            StoreKind::Redis => "redis",
        }
    }
}

/// Accepts what belongs together, or names the key that is missing or belongs to another store.
pub(super) fn check(state: &StateConfig) -> Result<()> {
    for (store, key, is_given) in state.own_keys() {
        if is_given && store != state.store {
            let message = format!("is given, expected only with state.store {:?}", store.name());
            return Err(inconsistent(&format!("state.{key}"), &message));
        }
        let is_required = matches!(key, "path" | "url") && store == state.store;
        if is_required && !is_given {
            let message = format!("is missing, expected with state.store {:?}", store.name());
            return Err(inconsistent(&format!("state.{key}"), &message));
        }
    }
    Ok(())
}

/// Below this an ordinary pause of the machine would lose the lease; above, a dead host's locks and
/// sessions are missed for too long.
const LEASE_MS_MIN: u64 = 100;
const LEASE_MS_MAX: u64 = 600_000;
/// A caller that waits longer for a store has given up.
const TIMEOUT_MS_MAX: u64 = 600_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::config::PlatformConfig;

    fn read(state: serde_json::Value) -> crate::core::Result<super::StateConfig> {
        let document = json!({"pools": {}, "state": state}).to_string();
        PlatformConfig::from_json(document.as_bytes()).map(|config| config.state)
    }

    #[test]
    fn one_line_chooses_the_store() {
        for state in [
            json!({"store": "memory"}),
            json!({"store": "sqlite", "path": "/var/lib/app/state.db"}),
            json!({"store": "redis", "url": "redis+unix:///run/redis.sock"}),
            json!({"store": "redis", "url": "rediss://h", "prefix": "app", "lease_ms": 5000,
                "password": "secret word", "username": "u", "timeout_ms": 100, "ca_file": "/a"}),
        ] {
            read(state).unwrap();
        }
    }

    #[test]
    fn a_key_that_is_missing_or_belongs_to_another_store_is_named() {
        for (state, message) in [
            (
                json!({"store": "sqlite"}),
                "state.path is missing, expected with state.store \"sqlite\"",
            ),
            (
                json!({"store": "redis"}),
                "state.url is missing, expected with state.store \"redis\"",
            ),
            (
                json!({"path": "/a"}),
                "state.path is given, expected only with state.store \"sqlite\"",
            ),
            (
                json!({"store": "sqlite", "path": "/a", "lease_ms": 500}),
                "state.lease_ms is given, expected only with state.store \"redis\"",
            ),
            (
                json!({"store": "sqlite", "path": ""}),
                "state.path is empty or holds a zero byte, expected a path",
            ),
            (
                json!({"store": "sqllite"}),
                "state.store is \"sqllite\", expected one of \"memory\", \"sqlite\", \"redis\"; \
              did you mean \"sqlite\"?",
            ),
            (
                json!({"store": "redis", "url": "redis://h", "lease_ms": 5}),
                "state.lease_ms is 5, expected 100 to 600000",
            ),
        ] {
            assert_eq!(read(state).unwrap_err().message(), message);
        }
    }

    #[test]
    fn a_password_is_in_no_print_and_known_to_the_masks() {
        let state = json!({"store": "redis", "url": "redis://u:one%20word@h", "password": "two"});
        let config = read(state).unwrap();
        let secrets: Vec<_> = config.secrets().collect();
        assert_eq!(secrets, ["redis://u:one%20word@h", "one%20word", "two"]);
        for shown in [format!("{config:?}"), serde_json::to_string(&config).unwrap()] {
            assert!(!shown.contains("one%20word") && !shown.contains("two"), "{shown}");
        }
        let open = read(json!({"store": "redis", "url": "redis://h:6379"})).unwrap();
        assert_eq!(open.secrets().count(), 0);
    }
}
