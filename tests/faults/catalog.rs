//! All scenarios, in the order of the fault list.

use crate::scenario::Scenario;
use crate::{
    descriptors, ending, guard_dies, hang, hellos, host_dies, host_leaves, limits,
    optimizer_killed, overload, points, rolling, starts_fail, state_clock, state_counts,
    state_killed, state_lease, state_nth, state_redis, stopped, streams, tools, worker_dies,
};

/// Every scenario there is.
pub fn all() -> Vec<Scenario> {
    let groups: &[&[Scenario]] = &[
        host_dies::SCENARIOS,
        host_leaves::SCENARIOS,
        guard_dies::SCENARIOS,
        worker_dies::SCENARIOS,
        points::SCENARIOS,
        hellos::SCENARIOS,
        limits::SCENARIOS,
        starts_fail::SCENARIOS,
        hang::SCENARIOS,
        stopped::SCENARIOS,
        descriptors::SCENARIOS,
        tools::SCENARIOS,
        streams::SCENARIOS,
        state_nth::SCENARIOS,
        state_redis::SCENARIOS,
        state_lease::SCENARIOS,
        state_counts::SCENARIOS,
        state_killed::SCENARIOS,
        optimizer_killed::SCENARIOS,
        overload::SCENARIOS,
        state_clock::SCENARIOS,
        rolling::SCENARIOS,
        ending::SCENARIOS,
    ];
    let mut all = groups.concat();
    all.sort_by_key(|scenario| scenario.id);
    all
}
