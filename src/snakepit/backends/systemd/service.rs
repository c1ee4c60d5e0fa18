//! What systemd is told of one service: its name and its properties. Pure text, all of it either
//! fixed, a number or a checked name.

use std::ffi::OsString;
use std::path::Path;

use super::super::super::error::Failure;
use super::super::super::ids::WorkerId;
use super::ServiceLimits;

/// The unit's name. `pool` is `<marker>/<name>`; a name that a unit cannot carry is refused.
pub(super) fn unit(pool: &str, worker: WorkerId) -> Result<String, Failure> {
    let (marker, name) = pool.split_once('/').unwrap_or(("", pool));
    let marker = marker.get(..MARKER_BYTES).unwrap_or(marker);
    let WorkerId { slot, generation } = worker;
    let unit = format!("snakepit-{marker}-{name}-{slot}-{generation}.service");
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if unit.len() > UNIT_BYTES_MAX || !unit.bytes().all(is_plain) {
        let message = format!(
            "the pool's name {name:?} cannot be part of a service's: expected letters, digits, \
             `-`, `_` and `.`, in short"
        );
        return Err(Failure::new(message));
    }
    Ok(unit)
}

/// The arguments of `systemd-run`.
pub(super) fn arguments(
    unit: &str,
    limits: &ServiceLimits,
    guard: &Path,
    pool: &str,
    worker: WorkerId,
) -> Vec<OsString> {
    // `same-dir` and the umask: a worker gets the host's, whoever starts its guard.
    let mut args: Vec<OsString> =
        ["--quiet", "--pipe", "--collect", "--same-dir", "--service-type=exec"]
            .map(OsString::from)
            .to_vec();
    args.push(format!("--unit={unit}").into());
    let fixed = [
        "KillMode=control-group",
        "KillSignal=SIGKILL",
        // One that is out of memory dies; its guard tells of it.
        "OOMPolicy=continue",
    ];
    let properties = fixed.map(str::to_owned).into_iter().chain(properties(limits)).chain(umask());
    for property in properties {
        args.push(format!("--property={property}").into());
    }
    args.extend(["--".into(), guard.into(), "--service".into(), pool.into()]);
    args.push(worker.to_string().into());
    args
}

fn properties(limits: &ServiceLimits) -> Vec<String> {
    let mut properties = Vec::new();
    if let Some(bytes) = limits.memory_bytes_max {
        properties.push(format!("MemoryMax={bytes}"));
        properties.push("MemorySwapMax=0".to_owned());
    }
    properties.extend(limits.tasks_max.map(|tasks| format!("TasksMax={tasks}")));
    properties.extend(limits.cpu_quota_percent.map(|percent| format!("CPUQuota={percent}%")));
    properties
}

/// Ours. Asking the kernel for it would change it for a moment.
fn umask() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"))?.trim();
    u32::from_str_radix(mask, 8).ok().map(|mask| format!("UMask={mask:04o}"))
}

/// Of the marker, enough to tell instances apart.
const MARKER_BYTES: usize = 8;
/// What systemd accepts.
const UNIT_BYTES_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    const WORKER: WorkerId = WorkerId { slot: 3, generation: 14 };

    #[test]
    fn a_units_name_tells_whose_it_is_and_nothing_else_gets_into_it() {
        let named = |pool: &str| unit(pool, WORKER).map_err(|failure| failure.to_string());
        assert_eq!(named("0123456789/main").unwrap(), "snakepit-01234567-main-3-14.service");
        assert_eq!(named("main").unwrap(), "snakepit--main-3-14.service");
        for wrong in ["m/a b", "m/a%n", "m/a\nb", "m/ä", "m/a/b", "m/$HOME"] {
            assert!(named(wrong).unwrap_err().contains("the pool's name"), "{wrong}");
        }
        assert!(named(&"long".repeat(64)).is_err());
    }

    #[test]
    fn limits_are_numbers_and_those_not_given_are_not_there() {
        let text = |limits: &ServiceLimits| {
            let args = arguments("u.service", limits, Path::new("/g"), "m/main", WORKER);
            args.join(" ".as_ref()).into_string().unwrap()
        };
        let plain = text(&ServiceLimits::default());
        assert!(!plain.contains("Max") && !plain.contains("Quota"), "{plain}");
        assert!(plain.ends_with(" -- /g --service m/main 3.14"), "{plain}");
        let all = ServiceLimits {
            memory_bytes_max: Some(1000),
            tasks_max: Some(20),
            cpu_quota_percent: Some(150),
        };
        let all = text(&all);
        for part in ["=MemoryMax=1000 ", "=MemorySwapMax=0 ", "=TasksMax=20 ", "=CPUQuota=150% "] {
            assert!(all.contains(part), "{all}");
        }
    }
}
