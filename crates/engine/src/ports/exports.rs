//! Findings on their way to others: each change is told until it has been taken.

use async_trait::async_trait;
use detection::Finding;
use jiff::Timestamp;

use super::StoreError;

/// A finding that changed since it was last taken.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingExport {
    /// As it is now: changes that came one after the other are one.
    pub finding: Finding,
    /// How often it was refused in a row.
    pub attempts: u32,
}

/// What became of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportOutcome {
    /// The finding's id.
    pub finding: String,
    /// The version that was sent.
    pub version: u64,
    /// Why it was not taken, and when it is tried again; none where it was.
    pub refused: Option<(String, Timestamp)>,
}

/// How the export of a finding stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportStanding {
    /// The version that was taken last; 0 where none was.
    pub exported_version: u64,
    /// How often the present one was refused.
    pub attempts: u32,
    /// Why.
    pub error: Option<String>,
    /// When it is tried again.
    pub due_at: Option<Timestamp>,
}

/// The findings' exports. Whether a finding has to be told is what its version says beside the version that was taken: there is no list
/// that could lose one, nothing is written when a finding changes, and a crash between the sending and the note of it sends it again.
#[async_trait]
pub trait ExportStore: Send + Sync {
    /// Those that are due, the longest due first.
    async fn pending_exports(&self, now: Timestamp, limit: usize) -> Result<Vec<PendingExport>, StoreError>;

    /// Notes what became of some, in one write. A finding that changed meanwhile stays pending.
    async fn note_exports(&self, outcomes: Vec<ExportOutcome>) -> Result<(), StoreError>;

    /// How the export of a finding stands.
    async fn export_standing(&self, finding_id: &str) -> Result<ExportStanding, StoreError>;
}
