//! Who descends from whom, by what the kernel says of each process's parent.
//!
//! Only a look: a number may be another process's by the time that somebody acts on the answer.

/// Whether `pid` is `ancestor` or descends from it. False for processes that are not there.
pub fn is_of_family(pid: u32, ancestor: u32) -> bool {
    let mut at = Some(pid);
    for _ in 0..DEPTH_MAX {
        match at {
            Some(number) if number == ancestor => return true,
            Some(number) if number > 1 => at = parent_of(number),
            _ => return false,
        }
    }
    false
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; what follows the last one is a state and the parent.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Far more than scripts start each other; it ends a walk through numbers that change owners.
const DEPTH_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_of_its_own_and_of_its_parents_family_only() {
        let own = std::process::id();
        let parent = parent_of(own).unwrap();
        assert!(is_of_family(own, own));
        assert!(is_of_family(own, parent));
        assert!(is_of_family(own, 1) || parent == 0);
        assert!(!is_of_family(parent, own));
        assert!(!is_of_family(u32::MAX, own));
    }
}
