//! Who belongs to whom: from processes that are known by their mark to those that they brought
//! forth. A pure function of what was seen.

use std::collections::HashSet;

use super::processes::Process;

/// Who is never taken for a member, whatever the relation.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    pub pids: HashSet<i32>,
    /// What others have, too.
    pub sids: HashSet<i32>,
    pub groups: HashSet<i32>,
}

/// The processes of `all` that are marked, those that descend from them or from `guards`, and those
/// that share a sid or a group with one of them. A sid or a group that no stranger is in
/// was made by one of the family, so all of its members are. Guards are not in the result.
pub(super) fn family(
    all: &[Process],
    marked: &HashSet<i32>,
    guards: &HashSet<i32>,
    strangers: &Strangers,
) -> Vec<Process> {
    let mut members: HashSet<i32> = HashSet::new();
    let (mut sids, mut groups) = (HashSet::new(), HashSet::new());
    loop {
        let before = members.len();
        for process in all {
            let related = marked.contains(&process.pid)
                || members.contains(&process.parent)
                || guards.contains(&process.parent)
                || sids.contains(&process.sid)
                || groups.contains(&process.group);
            let barred = strangers.pids.contains(&process.pid) || guards.contains(&process.pid);
            if related && !barred && members.insert(process.pid) {
                insert_unless(&mut sids, process.sid, &strangers.sids);
                insert_unless(&mut groups, process.group, &strangers.groups);
            }
        }
        if members.len() == before {
            return all.iter().filter(|found| members.contains(&found.pid)).copied().collect();
        }
    }
}

fn insert_unless(own: &mut HashSet<i32>, id: i32, strangers: &HashSet<i32>) {
    // 0 stands for one outside of what this process can see.
    if id != 0 && !strangers.contains(&id) {
        own.insert(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST_SID: i32 = 10;

    fn process(pid: i32, parent: i32, group: i32, sid: i32) -> Process {
        Process { pid, parent, group, sid, started_ticks: 1 }
    }

    fn found(all: &[Process], marked: &[i32], guards: &[i32]) -> Vec<i32> {
        let strangers = Strangers {
            pids: HashSet::from([2]),
            sids: HashSet::from([HOST_SID]),
            groups: HashSet::from([11]),
        };
        let set = |pids: &[i32]| pids.iter().copied().collect();
        let members = family(all, &set(marked), &set(guards), &strangers);
        members.iter().map(|process| process.pid).collect()
    }

    #[test]
    fn relatives_are_found_by_every_bond_and_in_any_order() {
        let all = [
            process(106, 1, 100, HOST_SID), // in the group of a member
            process(105, 1, 105, 104),      // in the sid of a member's child
            process(104, 103, 104, 104),    // a member's grandchild, in a sid of its own
            process(103, 100, 103, HOST_SID),
            process(100, 1, 100, HOST_SID), // marked
            process(200, 1, 200, HOST_SID), // in the host's sid only
            process(300, 1, 300, 300),      // a stranger
        ];
        assert_eq!(found(&all, &[100], &[]), [106, 105, 104, 103, 100]);
        assert_eq!(found(&all, &[], &[]), [0; 0]);
    }

    #[test]
    fn what_descends_from_a_guard_is_found_without_a_mark_and_the_guard_is_spared() {
        let all = [process(50, 1, 50, HOST_SID), process(51, 50, 51, 51)];
        assert_eq!(found(&all, &[50], &[50]), [51]);
    }

    #[test]
    fn the_searcher_is_no_member_and_no_bridge() {
        let all = [
            process(2, 100, 11, HOST_SID), // the searcher, started by a member
            process(3, 2, 3, HOST_SID),    // its child
            process(4, 1, 11, HOST_SID),   // in its group
            process(100, 1, 11, HOST_SID),
            process(101, 1, 0, 0),
            process(102, 1, 0, 0),
        ];
        assert_eq!(found(&all, &[2, 100, 101], &[]), [100, 101]);
    }
}
