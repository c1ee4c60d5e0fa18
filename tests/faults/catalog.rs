//! All scenarios, in the order of the fault list.

use crate::hang;
use crate::host_dies;
use crate::scenario::Scenario;
use crate::streams;

/// Every scenario there is.
pub fn all() -> Vec<Scenario> {
    let groups: [&[Scenario]; 3] = [host_dies::SCENARIOS, hang::SCENARIOS, streams::SCENARIOS];
    groups.concat()
}
