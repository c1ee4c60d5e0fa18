//! All scenarios, in the order of the fault list.

use crate::hang;
use crate::host_dies;
use crate::scenario::Scenario;

/// Every scenario there is.
pub fn all() -> Vec<Scenario> {
    let groups: [&[Scenario]; 2] = [host_dies::SCENARIOS, hang::SCENARIOS];
    groups.concat()
}
