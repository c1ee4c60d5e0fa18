//! The suite of `conformance` on each store, and what stores promise that outlive the process or
//! are shared.

use snakepit_bridge::state::conformance::{self, LIMITS, Scale, kept, shared};

use crate::is_full;
use crate::stores::{Kind, Stage};

pub fn every(kind: Kind) {
    let stage = Stage::new(kind);
    let subject = stage.subject(LIMITS, scale());
    stage.runtime.block_on(conformance::check(&subject)).unwrap();
}

pub fn kept_over_a_restart(kind: Kind) {
    let stage = Stage::new(kind);
    let before = stage.subject(LIMITS, scale());
    let kept = stage.runtime.block_on(kept::prepare(&before)).unwrap();
    drop(before);
    stage.close_stores();
    let after = stage.subject(LIMITS, scale());
    stage.runtime.block_on(kept.check(&after)).unwrap();
}

pub fn shared() {
    let stage = Stage::new(Kind::Redis);
    let (here, there) = (stage.subject(LIMITS, scale()), stage.subject(LIMITS, scale()));
    stage.runtime.block_on(shared::check(&here, &there)).unwrap();
}

fn scale() -> Scale {
    if is_full() { Scale::FULL } else { Scale::SHORT }
}
