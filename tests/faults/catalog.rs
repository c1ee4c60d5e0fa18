//! All scenarios, in the order of the fault list.

use crate::scenario::Scenario;
use crate::{guard_dies, hellos, host_dies, host_leaves, points, worker_dies};

/// Every scenario there is.
pub fn all() -> Vec<Scenario> {
    let groups: &[&[Scenario]] = &[
        host_dies::SCENARIOS,
        host_leaves::SCENARIOS,
        guard_dies::SCENARIOS,
        worker_dies::SCENARIOS,
        points::SCENARIOS,
        hellos::SCENARIOS,
    ];
    let mut all = groups.concat();
    all.sort_by_key(|scenario| scenario.id);
    all
}
