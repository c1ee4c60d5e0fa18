//! What a store that outlives the process promises besides: after it has been opened anew, every
//! acknowledged write is there, and what is new does not mix with what was.

use crate::core::SessionId;
use crate::state::backend::{Access, Command};
use crate::state::key::SessionKey;

use super::probe::{MINUTE, Probe, State, about, number, opened, same, told};
use super::values::with_attachments;
use super::{Outcome, Subject};
use crate::state::backend::SessionCommand;
use crate::state::variable::Definition;

/// What was in the store before.
pub struct Kept {
    session: SessionKey,
    closed: SessionKey,
    state: State,
    definition: std::sync::Arc<Definition>,
}

/// Fills a session. Close the store then, open it anew, and call `check` on the new one.
pub async fn prepare(subject: &Subject) -> Result<Kept, String> {
    let gone = Probe::new(subject).await?;
    gone.register("n", "integer", "{}", number(1)).await?;
    gone.close().await?;
    let id = SessionId::generate().map_err(told)?;
    let probe = Probe::named(subject, &id, about(MINUTE * 60)).await?;
    probe.register_numbers(3).await?;
    probe.set("n1", number(11)).await?;
    probe.set("n1", number(12)).await?;
    probe.register("v", "json", "{ }", with_attachments()?).await?;
    probe.done(Command::Delete { name: "n2", access: Access::ANY }).await?;
    let definition = probe.get("n1").await?.definition;
    let state = probe.state().await?;
    Ok(Kept { session: probe.session, closed: gone.session, state, definition })
}

impl Kept {
    /// Joins the session of before on the store as it is now.
    pub async fn check(&self, subject: &Subject) -> Outcome {
        let join = SessionCommand::Join { id: &self.session.id };
        let row = opened(subject, join).await?;
        same("what is kept about the session", &row.about, &about(MINUTE * 60))?;
        same("the incarnation", &row.key.incarnation, &self.session.incarnation)?;
        let probe = Probe { subject: subject.clone(), session: row.key };
        same("everything in it", &probe.state().await?, &self.state)?;
        let definition = probe.get("n1").await?.definition;
        same("the id", &definition.id, &self.definition.id)?;
        same("the metadata", &definition.metadata, &self.definition.metadata)?;
        let anew = probe.register("n2", "integer", "{}", number(1)).await?;
        same("a later id is greater", &(anew.definition.id > self.definition.id), &true)?;
        same("the next version", &probe.set("n1", number(13)).await?.version, &4)?;
        let join = SessionCommand::Join { id: &self.closed.id };
        if subject.backend.session(join).resolve().await.is_ok() {
            return Err("a session that was closed is there again".to_owned());
        }
        let other = Probe::new(subject).await?;
        let taken = [self.session.incarnation, self.closed.incarnation];
        if taken.contains(&other.session.incarnation) {
            return Err("a new session has the incarnation of one of before".to_owned());
        }
        other.close().await?;
        probe.close().await
    }
}
