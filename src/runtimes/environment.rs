//! A worker's environment: an allow-list, not the host's. Secrets of the host reach a worker only
//! by name.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// The whole environment of a worker. `pass` names variables of the host to hand on, `own` sets
/// variables and wins over everything; `host` looks one up in the host's environment.
pub fn build<'a>(
    pass: impl IntoIterator<Item = &'a str>,
    own: impl IntoIterator<Item = (&'a str, &'a str)>,
    host: impl Fn(&str) -> Option<OsString>,
) -> Vec<(OsString, OsString)> {
    let mut environment = BTreeMap::new();
    for name in PASSED.into_iter().chain(pass) {
        if let Some(value) = host(name) {
            environment.insert(OsString::from(name), value);
        }
    }
    for (name, value) in SET {
        environment.insert(OsString::from(name), OsString::from(value));
    }
    for (name, value) in own {
        environment.insert(OsString::from(name), OsString::from(value));
    }
    environment.into_iter().collect()
}

/// Handed on where the host has them: what programs need to run at all, nothing that could be a
/// secret.
const PASSED: [&str; 9] =
    ["PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "LD_LIBRARY_PATH"];

/// Set for every worker. One thread per BLAS, because workers are many; no user site and no current
/// directory on the module path, because both are ways in; no network look-ups at import.
const SET: [(&str, &str); 10] = [
    ("PYTHONNOUSERSITE", "1"),
    ("PYTHONSAFEPATH", "1"),
    ("PYTHONUNBUFFERED", "1"),
    ("PYTHONUTF8", "1"),
    ("OMP_NUM_THREADS", "1"),
    ("OPENBLAS_NUM_THREADS", "1"),
    ("MKL_NUM_THREADS", "1"),
    ("NUMEXPR_NUM_THREADS", "1"),
    ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
    ("LANGSMITH_TRACING", "false"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_gets_through_and_the_pools_own_wins() {
        let host = |name: &str| {
            let known = [("PATH", "/bin"), ("OPENAI_API_KEY", "k"), ("SECRET", "s"), ("TZ", "UTC")];
            known.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        let own = [("TZ", "CET"), ("OMP_NUM_THREADS", "4")];
        let built: BTreeMap<_, _> =
            build(["OPENAI_API_KEY", "NOT_THERE"], own, host).into_iter().collect();
        let get = |name: &str| built.get(&OsString::from(name)).and_then(|value| value.to_str());
        assert_eq!(get("PATH"), Some("/bin"));
        assert_eq!(get("OPENAI_API_KEY"), Some("k"));
        assert_eq!(get("SECRET"), None);
        assert_eq!(get("NOT_THERE"), None);
        assert_eq!(get("TZ"), Some("CET"));
        assert_eq!(get("OMP_NUM_THREADS"), Some("4"));
        assert_eq!(get("PYTHONSAFEPATH"), Some("1"));
    }
}
