//! What a worker asks about the variables of its call's session, and what it is answered, in the
//! platform's own types.

use std::sync::Arc;

use bytes::Bytes;

use crate::core::{Error, Result, Value};

use super::link::WorkerLink;
use super::peer::ToolPeer;

/// One verb on the variables of the call's session.
#[derive(Debug)]
pub enum StateAsk {
    /// `cache`: the worker would keep the answer.
    Get {
        name: String,
        cache: bool,
    },
    GetMany {
        names: Vec<String>,
    },
    Set {
        write: WriteAsk,
        owner: Option<String>,
    },
    SetMany {
        writes: Vec<WriteAsk>,
        owner: Option<String>,
    },
    Update {
        name: String,
        update: Value,
        terms: WriteTerms,
    },
    Register {
        name: String,
        type_name: String,
        initial: Value,
        constraints: Bytes,
        metadata: Bytes,
    },
    Delete {
        name: String,
        terms: WriteTerms,
    },
    List {
        pattern: String,
        after: Option<String>,
        limit: usize,
    },
    History {
        name: String,
    },
    Rollback {
        name: String,
        version: u64,
        terms: WriteTerms,
    },
    Lock {
        name: String,
        owner: String,
        ttl_ms: u64,
    },
    Unlock {
        name: String,
        owner: String,
    },
    Watch(WatchAsk),
}

/// One write.
#[derive(Debug)]
pub struct WriteAsk {
    pub name: String,
    pub value: Value,
    pub expected_version: Option<u64>,
}

/// On what condition something is written.
#[derive(Debug)]
pub struct WriteTerms {
    pub expected_version: Option<u64>,
    pub owner: Option<String>,
}

/// Changes are to be told.
#[derive(Debug)]
pub struct WatchAsk {
    pub patterns: Vec<String>,
    pub coalesce: bool,
    pub initial: bool,
    /// 0: as many as usual.
    pub queue_max: usize,
    /// Changes that may be sent before more credit comes.
    pub credit: u32,
}

/// What a verb answers.
#[derive(Debug)]
pub enum StateReply {
    Variable(VariableRow),
    /// The worker may keep it until it is told otherwise.
    Cacheable(VariableRow),
    Variables(Vec<VariableRow>),
    Found {
        found: Vec<VariableRow>,
        missing: Vec<String>,
    },
    /// Versions with their values, oldest first.
    History(Vec<(u64, Value)>),
    Done,
}

/// A variable as it goes to a worker.
#[derive(Debug)]
pub struct VariableRow {
    pub name: String,
    pub type_name: String,
    pub id: u64,
    pub value: Value,
    pub version: u64,
    pub constraints: Bytes,
    pub metadata: Bytes,
    /// Owner, and milliseconds until it ends.
    pub lock: Option<(String, u64)>,
}

/// One event of a watch as it goes to a worker; what does not apply is zero or empty.
#[derive(Debug, Default)]
pub struct ChangeRow {
    pub kind: &'static str,
    pub name: String,
    pub id: u64,
    pub version: u64,
    pub revision: u64,
    pub value: Option<Value>,
    pub owner: String,
    pub missed_count: u64,
    pub missed_from: u64,
}

/// Carries a verb's one answer back to the worker, and a watch's changes before it.
pub struct StateReplier {
    pub(super) link: WorkerLink,
    pub(super) request: u64,
}

impl StateReplier {
    /// From now on `peer` hears of the worker's cancel and credit, until the answer.
    pub fn keep(&self, peer: Arc<dyn ToolPeer>) {
        self.link.keep_tool(self.request, peer);
    }

    /// The next change of a watch, counted from 0.
    pub fn change(&self, sequence: u64, change: ChangeRow) {
        self.link.send_change(self.request, sequence, change);
    }

    pub fn answer(&self, outcome: Result<StateReply, Error>) {
        self.link.send_state_answer(self.request, outcome);
    }

    /// The worker that asked.
    pub fn link(&self) -> &WorkerLink {
        &self.link
    }
}
