//! Who is to blame for a worker's end: what the pool has asked for, against how the worker ended in
//! fact. Pure.

use std::sync::Arc;

use super::super::exit::{Cause, ExitKind, Verdict};

/// The verdict that stands. A worker that was asked to leave and crashed on the way has crashed;
/// `killed` says that the pool's own KILL was on its way, `oom_kill` that the kernel has killed for
/// want of memory at that time.
pub(super) fn classify(
    verdict: Option<Verdict>,
    kind: &ExitKind,
    killed: bool,
    oom_kill: bool,
) -> Option<Verdict> {
    let by_signal_9 = matches!(kind, ExitKind::Signaled { signal: libc::SIGKILL, .. });
    if by_signal_9 && oom_kill && !killed {
        let reason = Arc::from("the kernel's out-of-memory killer ended it");
        return Some(Verdict { cause: Cause::Memory, reason });
    }
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
            let verdict = classify(given(cause), &kind, killed, false);
            assert_eq!(verdict.is_some(), stands, "{cause:?} {kind:?} killed: {killed}");
        }
        assert_eq!(classify(None, &signal(libc::SIGKILL), false, false), None);
    }

    #[test]
    fn a_kill_that_was_not_ours_is_the_kernels_if_it_was_killing() {
        let signal = |signal| ExitKind::Signaled { signal, core: false };
        let asked = Some(Verdict { cause: Cause::Asked, reason: Arc::from("why") });
        let cause = |verdict: Option<Verdict>| verdict.map(|verdict| verdict.cause);
        let kill = signal(libc::SIGKILL);
        assert_eq!(cause(classify(None, &kill, false, true)), Some(Cause::Memory));
        assert_eq!(cause(classify(asked.clone(), &kill, false, true)), Some(Cause::Memory));
        assert_eq!(cause(classify(asked, &kill, true, true)), Some(Cause::Asked));
        assert_eq!(classify(None, &signal(libc::SIGSEGV), false, true), None);
        assert_eq!(classify(None, &ExitKind::Exited(0), false, true), None);
    }
}
