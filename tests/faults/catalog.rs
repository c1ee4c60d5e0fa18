//! All scenarios, in the order of the fault list.

use crate::ending;
use crate::hang;
use crate::host_dies;
use crate::scenario::Scenario;
use crate::streams;
use crate::tools;

/// Every scenario there is.
pub fn all() -> Vec<Scenario> {
    [host_dies::SCENARIOS, hang::SCENARIOS, tools::SCENARIOS, streams::SCENARIOS, ending::SCENARIOS]
        .concat()
}
