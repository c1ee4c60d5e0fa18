//! The verbs on variables, as metrics tell them apart.
//!
//! Names of metrics and labels are an interface: they are added to, and never changed.

/// What is done to variables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StateVerb {
    /// A variable is declared.
    Register,
    /// Its value is read.
    Get,
    /// Its value is replaced.
    Set,
    /// It is taken away.
    Delete,
    /// Variables are looked up by a pattern.
    List,
    /// Several are read at one moment.
    GetMany,
    /// Several are written, all or none.
    SetMany,
    /// A value is reckoned from the one there is.
    Update,
    /// An earlier value is written again.
    Rollback,
    /// Earlier values are read.
    History,
    /// Others are kept from writing.
    Lock,
    /// Others may write again.
    Unlock,
    /// Changes are asked for.
    Watch,
}

impl StateVerb {
    /// Every verb, in the order of its number.
    pub const ALL: [StateVerb; 13] = [
        StateVerb::Register,
        StateVerb::Get,
        StateVerb::Set,
        StateVerb::Delete,
        StateVerb::List,
        StateVerb::GetMany,
        StateVerb::SetMany,
        StateVerb::Update,
        StateVerb::Rollback,
        StateVerb::History,
        StateVerb::Lock,
        StateVerb::Unlock,
        StateVerb::Watch,
    ];

    /// The value of the label `verb`.
    pub const fn name(self) -> &'static str {
        match self {
            StateVerb::Register => "register",
            StateVerb::Get => "get",
            StateVerb::Set => "set",
            StateVerb::Delete => "delete",
            StateVerb::List => "list",
            StateVerb::GetMany => "get_many",
            StateVerb::SetMany => "set_many",
            StateVerb::Update => "update",
            StateVerb::Rollback => "rollback",
            StateVerb::History => "history",
            StateVerb::Lock => "lock",
            StateVerb::Unlock => "unlock",
            StateVerb::Watch => "watch",
        }
    }
}
