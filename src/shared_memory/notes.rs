//! What each side of a connection tells the other of regions, as a trait: messages are the business
//! of who owns the connection.

/// Passes words on to the other side. Called from any thread, also from the end of a value: it must
/// not block.
pub trait Notes: Send + Sync {
    /// We no longer look at one thing in a region of theirs.
    fn returned(&self, region: u64);
    /// We have not got a region of theirs: its descriptor has to be sent again.
    fn missing(&self, region: u64);
    /// A region of ours will not be used again.
    fn forgotten(&self, region: u64);
}
