//! A session as one thing that is carried elsewhere: cloned, exported, imported. Each happens whole
//! or not at all.

use std::sync::Arc;

use crate::core::Result;
use crate::core::limits::ARCHIVE_OVERHEAD_BYTES;
use crate::sessions::Archive;

use super::platform::Platform;
use super::session::{Session, SessionOptions};

impl Session {
    /// Everything of the session at one moment, its variables with their history; locks are left
    /// behind. Waits for the store.
    pub fn export(&self) -> Result<Archive> {
        self.check_open()?;
        let variables = &self.platform.services.variables;
        let variables = self.platform.wait(variables.snapshot(self.key()))?;
        let about = self.session.about().clone();
        Ok(Archive { id: self.id().clone(), about, variables })
    }

    /// A new session that holds what this one does. What `options` leave open is as it is here, but
    /// the id, which is generated. Errors are those of opening a session. Waits for the store.
    pub fn clone_as(&self, options: SessionOptions) -> Result<Session> {
        let archive = self.export()?;
        let options = filled(options, &archive)?;
        self.platform.run(self.platform.begin_session(options, archive.variables))
    }
}

impl Platform {
    /// A new session that holds what was exported, from whichever store. What `options` leave open
    /// is as the archive says, its id, too. Names, types, constraints, values and versions are
    /// checked; errors are theirs and those of opening a session. Waits for the store.
    pub fn import_session(
        self: &Arc<Self>,
        archive: Archive,
        options: SessionOptions,
    ) -> Result<Session> {
        let id = options.id.clone().unwrap_or_else(|| archive.id.as_str().to_owned());
        let options = SessionOptions { id: Some(id), ..filled(options, &archive)? };
        self.run(self.begin_session(options, archive.variables))
    }

    /// The largest file that can hold a session within the configured limits: what an import reads
    /// at most.
    pub fn archive_bytes_max(&self) -> u64 {
        let sessions = &self.config.sessions;
        let history = sessions.variables_max.saturating_mul(sessions.history_bytes_max);
        let values = sessions.bytes_max.saturating_add(history);
        u64::try_from(values).unwrap_or(u64::MAX).saturating_add(ARCHIVE_OVERHEAD_BYTES)
    }
}

fn filled(options: SessionOptions, archive: &Archive) -> Result<SessionOptions> {
    let SessionOptions { id, metadata, ttl, affinity } = options;
    let metadata = match metadata {
        Some(metadata) => metadata,
        None => archive.metadata()?,
    };
    Ok(SessionOptions {
        id,
        metadata: Some(metadata),
        ttl: ttl.or(Some(archive.about.ttl)),
        affinity: affinity.or(Some(archive.about.affinity)),
    })
}
