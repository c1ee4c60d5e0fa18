//! All scenarios, in the order of the fault list.

use crate::host_dies;
use crate::scenario::Scenario;

/// Every scenario there is.
pub fn all() -> Vec<Scenario> {
    let groups: [&[Scenario]; 1] = [host_dies::SCENARIOS];
    groups.concat()
}
