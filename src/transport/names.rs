//! What one worker has been told by name, and hears of as a number from then on: sessions and
//! operations, which most calls have in common with those before them.
//!
//! Bounded: when there is too much, both sides begin anew. Whoever notes names sees to it that the
//! worker hears them before the call that needs them.

use rustc_hash::FxHashSet;
use snakepit_bridge_proto as pb;

/// The numbers that a worker knows.
#[derive(Default)]
pub struct Names {
    sessions: FxHashSet<u64>,
    operations: FxHashSet<u64>,
}

impl Names {
    /// What the worker has to be told before a call in that session, and of that operation; from
    /// now on it knows both.
    pub fn note(
        &mut self,
        (session, session_id): (u64, &str),
        (operation, framework_id, operation_name): (u64, &str, &str),
    ) -> Option<pb::Names> {
        let knows_both = self.sessions.contains(&session) && self.operations.contains(&operation);
        if knows_both {
            return None;
        }
        let anew = self.sessions.len() + self.operations.len() >= NAMES_MAX;
        if anew {
            self.sessions.clear();
            self.operations.clear();
        }
        let session = self
            .sessions
            .insert(session)
            .then(|| pb::SessionName { number: session, session_id: session_id.to_owned() });
        let operation = self.operations.insert(operation).then(|| pb::OperationName {
            number: operation,
            framework_id: framework_id.to_owned(),
            operation_name: operation_name.to_owned(),
        });
        Some(pb::Names { anew, session, operation })
    }
}

/// About as many sessions as a worker sees calls of within a while.
const NAMES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_told_once() {
        let mut names = Names::default();
        let told = names.note((1, "s"), (7, "f", "o")).unwrap();
        assert!(!told.anew);
        assert_eq!(told.session.unwrap().session_id, "s");
        assert_eq!(told.operation.unwrap().operation_name, "o");
        assert_eq!(names.note((1, "s"), (7, "f", "o")), None);
        let told = names.note((1, "s"), (8, "f", "p")).unwrap();
        assert!(told.session.is_none() && told.operation.is_some());
        let told = names.note((2, "t"), (8, "f", "p")).unwrap();
        assert!(told.session.is_some() && told.operation.is_none());
    }

    #[test]
    fn names_that_are_too_many_are_forgotten_and_told_again() {
        let mut names = Names::default();
        let operation = (1, "f", "o");
        let mut told = (1..).map(|session| names.note((session, "s"), operation).unwrap());
        let again = told.find(|told| told.anew).unwrap();
        assert!(again.session.is_some() && again.operation.is_some(), "nothing else is known");
        drop(told);
        assert!(names.note((1, "s"), operation).unwrap().session.is_some());
        assert!(names.sessions.len() + names.operations.len() < NAMES_MAX);
    }
}
