//! The life of one worker, from its start until its whole process tree is gone.
//!
//! Work is given to a worker in `Ready` only. Every other living state has something that ends it:
//! a grace period that was armed on the way in, or, in `Starting` and for a polite drain, the
//! owner's time-outs and the leases' ends.

/// Where a worker stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(into = "&'static str")]
pub enum WorkerState {
    Starting,
    Ready,
    /// Gets no new work.
    Draining(Manner),
    /// Is on its way out, or was told to be.
    Stopping,
    /// It shows no sign of life and was told to print where it stands, and die.
    Aborting,
    /// KILL was sent.
    Killing,
    /// Not even KILL helped, so the guard was killed.
    Abandoning,
    /// The whole tree is gone.
    Dead,
}

/// How a drain ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Manner {
    /// It finishes all it has and leaves by itself.
    Polite,
    /// It is killed when the others' work on it is done, or a grace is over.
    Forced,
}

/// What can happen to a worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    BecameReady,
    /// It cannot become ready, or took too long.
    StartFailed,
    LinkLost,
    ProbeFailed,
    /// It takes more memory than it may have.
    MemoryExceeded,
    /// The pool wants fewer workers, or none.
    DrainAsked,
    /// The pool wants another one in its place, because something in this one is stuck.
    RecycleAsked,
    /// The pool's patience is over.
    LeaveAsked,
    /// The last lease was returned, those of stuck calls not counted.
    Idle,
    GraceOver,
    /// The guard's report, or its loss.
    ProcessGone,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Work may be given to it.
    Publish,
    /// No work any more.
    Withdraw,
    /// Whoever waits for it is told that nothing more comes.
    GiveUp,
    /// Through its link: finish and leave.
    AskToLeave,
    /// TERM to its group.
    Terminate,
    /// ABRT to the worker alone, and CONT in case that it is stopped.
    Abort,
    /// KILL to its whole tree.
    Kill,
    KillGuard,
    /// `GraceOver` comes after this time; an earlier one is forgotten.
    Arm(Grace),
    /// Account for its end.
    Bury,
}

/// Which of the configured times.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Grace {
    /// To end by itself after its link broke.
    Lost,
    /// To print where it stands.
    Abort,
    /// To do what it was told.
    Obey,
}

impl WorkerState {
    /// The state after `event`, and what is to be done, in this order.
    #[must_use]
    pub fn step(self, event: Event) -> (WorkerState, &'static [Effect]) {
        match self {
            WorkerState::Starting => self.starting(event),
            WorkerState::Ready => self.ready(event),
            WorkerState::Draining(Manner::Polite) => self.draining(event),
            WorkerState::Draining(Manner::Forced) => self.recycling(event),
            WorkerState::Stopping => self.stopping(event),
            WorkerState::Aborting => self.aborting(event),
            WorkerState::Killing => self.killing(event),
            WorkerState::Abandoning => self.abandoning(event),
            WorkerState::Dead => (self, &[]),
        }
    }

    fn starting(self, event: Event) -> (WorkerState, &'static [Effect]) {
        match event {
            Event::BecameReady => (WorkerState::Ready, &[Effect::Publish]),
            Event::ProcessGone => BURIED,
            // Nothing can be lost yet, so it goes the short way.
            Event::StartFailed
            | Event::LinkLost
            | Event::ProbeFailed
            | Event::MemoryExceeded
            | Event::DrainAsked
            | Event::RecycleAsked
            | Event::LeaveAsked => KILLED,
            Event::Idle | Event::GraceOver => (self, &[]),
        }
    }

    fn ready(self, event: Event) -> (WorkerState, &'static [Effect]) {
        use Effect::{Abort, Arm, Bury, GiveUp, Kill, Terminate, Withdraw};
        match event {
            Event::LinkLost => (WorkerState::Stopping, &[Withdraw, Arm(Grace::Lost)]),
            Event::ProbeFailed => {
                (WorkerState::Aborting, &[Withdraw, GiveUp, Abort, Arm(Grace::Abort)])
            }
            Event::MemoryExceeded => {
                (WorkerState::Killing, &[Withdraw, GiveUp, Kill, Arm(Grace::Obey)])
            }
            // It is asked to leave when its leases are back: one that was just given may not have
            // reached it yet.
            Event::DrainAsked => (WorkerState::Draining(Manner::Polite), &[Withdraw]),
            Event::RecycleAsked => {
                (WorkerState::Draining(Manner::Forced), &[Withdraw, Arm(Grace::Obey)])
            }
            Event::LeaveAsked => (WorkerState::Stopping, &[Withdraw, Terminate, Arm(Grace::Obey)]),
            Event::ProcessGone => (WorkerState::Dead, &[Withdraw, Bury]),
            Event::BecameReady | Event::StartFailed | Event::Idle | Event::GraceOver => (self, &[]),
        }
    }

    fn draining(self, event: Event) -> (WorkerState, &'static [Effect]) {
        match event {
            // It has nothing left to do, and may take its time to end, within limits.
            Event::Idle => (self, &[Effect::AskToLeave, Effect::Arm(Grace::Obey)]),
            Event::LinkLost => (self, &[Effect::Arm(Grace::Obey)]),
            Event::GraceOver | Event::LeaveAsked => {
                (WorkerState::Stopping, &[Effect::Terminate, Effect::Arm(Grace::Obey)])
            }
            Event::RecycleAsked => {
                (WorkerState::Draining(Manner::Forced), &[Effect::Arm(Grace::Obey)])
            }
            Event::ProbeFailed => {
                (WorkerState::Aborting, &[Effect::GiveUp, Effect::Abort, Effect::Arm(Grace::Abort)])
            }
            Event::MemoryExceeded => KILLED,
            Event::ProcessGone => BURIED,
            Event::BecameReady | Event::StartFailed | Event::DrainAsked => (self, &[]),
        }
    }

    fn recycling(self, event: Event) -> (WorkerState, &'static [Effect]) {
        match event {
            Event::Idle
            | Event::GraceOver
            | Event::LinkLost
            | Event::ProbeFailed
            | Event::MemoryExceeded
            | Event::LeaveAsked => KILLED,
            Event::ProcessGone => BURIED,
            Event::BecameReady | Event::StartFailed | Event::DrainAsked | Event::RecycleAsked => {
                (self, &[])
            }
        }
    }

    fn stopping(self, event: Event) -> (WorkerState, &'static [Effect]) {
        match event {
            // Whoever waits hears from the broken link, or of the exit that comes now.
            Event::GraceOver => KILLED_QUIETLY,
            Event::ProbeFailed | Event::MemoryExceeded | Event::RecycleAsked => KILLED,
            // From now on it gets less time than before.
            Event::LeaveAsked => (self, &[Effect::Terminate, Effect::Arm(Grace::Obey)]),
            Event::ProcessGone => BURIED,
            _ => (self, &[]),
        }
    }

    fn aborting(self, event: Event) -> (WorkerState, &'static [Effect]) {
        match event {
            Event::GraceOver | Event::MemoryExceeded | Event::LeaveAsked => KILLED_QUIETLY,
            Event::ProcessGone => BURIED,
            _ => (self, &[]),
        }
    }

    fn killing(self, event: Event) -> (WorkerState, &'static [Effect]) {
        match event {
            Event::GraceOver => {
                (WorkerState::Abandoning, &[Effect::KillGuard, Effect::Arm(Grace::Obey)])
            }
            Event::ProcessGone => BURIED,
            _ => (self, &[]),
        }
    }

    fn abandoning(self, event: Event) -> (WorkerState, &'static [Effect]) {
        match event {
            Event::GraceOver | Event::ProcessGone => BURIED,
            _ => (self, &[]),
        }
    }
}

impl From<WorkerState> for &'static str {
    fn from(state: WorkerState) -> Self {
        match state {
            WorkerState::Starting => "starting",
            WorkerState::Ready => "ready",
            WorkerState::Draining(Manner::Polite) => "draining",
            WorkerState::Draining(Manner::Forced) => "recycling",
            WorkerState::Stopping => "stopping",
            WorkerState::Aborting => "aborting",
            WorkerState::Killing => "killing",
            WorkerState::Abandoning => "abandoning",
            WorkerState::Dead => "dead",
        }
    }
}

const KILLED: (WorkerState, &[Effect]) =
    (WorkerState::Killing, &[Effect::GiveUp, Effect::Kill, Effect::Arm(Grace::Obey)]);
/// For a worker that has been given up before, or that nobody can be waiting for.
const KILLED_QUIETLY: (WorkerState, &[Effect]) =
    (WorkerState::Killing, &[Effect::Kill, Effect::Arm(Grace::Obey)]);
const BURIED: (WorkerState, &[Effect]) = (WorkerState::Dead, &[Effect::Bury]);

#[cfg(test)]
mod tests;
