//! Every verb on sessions, in a transaction. Times are counted from the moment the file was opened:
//! a session that nobody has used since has its full time from there.

use crate::core::SessionId;
use crate::core::limits::SQLITE_SWEEP_MAX;
use crate::state::backend::SessionReply;
use crate::state::fault;
use crate::state::key::{SessionAbout, SessionKey, SessionRow};

use super::job::SessionVerb;
use super::ledger::{Effect, Ledger};
use super::rolls::{self, Figures};
use super::trouble::Outcome;

impl Ledger {
    pub fn on_sessions(&mut self, verb: &SessionVerb) -> Outcome<SessionReply> {
        match verb {
            SessionVerb::Open { id, about } => self.open(id, about),
            SessionVerb::Join { id } => self.join(id),
            SessionVerb::Touch { session } => {
                self.session(session)?;
                Ok(SessionReply::Done)
            }
            SessionVerb::End { session } => self.end(session.incarnation),
            SessionVerb::List { after, limit } => {
                let after = after.as_ref().map_or("", SessionId::as_str);
                Ok(SessionReply::Sessions(rolls::list(&self.file, after, *limit)?))
            }
            SessionVerb::Sweep => self.sweep(),
        }
    }

    fn open(&mut self, id: &SessionId, about: &SessionAbout) -> Outcome<SessionReply> {
        if rolls::find(&self.file, id)?.is_some() {
            return Err(fault::session_exists(id).into());
        }
        self.will_write();
        let incarnation = rolls::add(&self.file, id, about)?;
        self.begin_session(incarnation, Figures::default());
        self.effects.push(Effect::Opened(incarnation));
        let key = SessionKey { id: id.clone(), incarnation, lease: 0 };
        Ok(SessionReply::Opened(SessionRow { key, about: about.clone() }))
    }

    fn join(&mut self, id: &SessionId) -> Outcome<SessionReply> {
        let row = rolls::find(&self.file, id)?.ok_or_else(|| fault::no_session(id))?;
        self.session(&row.key)?;
        self.effects.push(Effect::Opened(row.key.incarnation));
        Ok(SessionReply::Opened(row))
    }

    fn end(&mut self, incarnation: u64) -> Outcome<SessionReply> {
        if self.is_used(incarnation) || rolls::figures(&self.file, incarnation)?.is_some() {
            self.will_write();
            rolls::remove(&self.file, incarnation)?;
            self.end_session(incarnation);
        }
        self.effects.push(Effect::Ended(incarnation));
        Ok(SessionReply::Done)
    }

    fn sweep(&mut self) -> Outcome<SessionReply> {
        let due = rolls::out_of_time(&self.file, self.opened_at.elapsed())?;
        let unused = due.into_iter().filter(|incarnation| !self.is_used(*incarnation));
        for incarnation in unused.take(SQLITE_SWEEP_MAX).collect::<Vec<_>>() {
            self.end(incarnation)?;
        }
        Ok(SessionReply::Done)
    }
}
