//! Who is to blame for a worker's end: what the pool has asked for, against how the worker ended in
//! fact. Pure.

use super::super::exit::{Cause, ExitKind, Verdict};

/// The verdict that stands. A worker that was asked to leave and crashed on the way has crashed;
/// `killed` says that the pool's own KILL was on its way.
pub(super) fn classify(verdict: Option<Verdict>, kind: &ExitKind, killed: bool) -> Option<Verdict> {
    let obeyed = match kind {
        ExitKind::Exited(_) | ExitKind::GuardLost | ExitKind::SpawnFailed(_) => true,
        ExitKind::Signaled { signal: libc::SIGTERM, .. } => true,
        ExitKind::Signaled { signal: libc::SIGKILL, .. } => killed,
        ExitKind::Signaled { .. } => false,
    };
    verdict.filter(|verdict| obeyed || !matches!(verdict.cause, Cause::Asked))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_happened_outweighs_what_was_asked() {
        let signal = |signal| ExitKind::Signaled { signal, core: false };
        let given = |cause| Some(Verdict { cause, reason: Arc::from("why") });
        let cases = [
            (Cause::Asked, ExitKind::Exited(0), false, true),
            (Cause::Asked, signal(libc::SIGTERM), false, true),
            (Cause::Asked, signal(libc::SIGKILL), true, true),
            (Cause::Asked, signal(libc::SIGKILL), false, false),
            (Cause::Asked, signal(libc::SIGSEGV), true, false),
            (Cause::Forced, signal(libc::SIGKILL), true, true),
            (Cause::Hung, signal(libc::SIGABRT), false, true),
            (Cause::Memory, signal(libc::SIGKILL), true, true),
        ];
        for (cause, kind, killed, stands) in cases {
            let verdict = classify(given(cause), &kind, killed);
            assert_eq!(verdict.is_some(), stands, "{cause:?} {kind:?} killed: {killed}");
        }
        assert_eq!(classify(None, &signal(libc::SIGKILL), false), None);
    }
}
