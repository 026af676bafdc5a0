//! Names made of hashes: a finding's id, an execution's name.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::{Finding, Occurrence};

/// 128 bits in hexadecimal digits: enough that no two findings of anybody ever share an id.
const ID_BYTES: usize = 16;

impl Finding {
    /// The id of a finding: stable, lower-case hexadecimal.
    pub fn id_of(guardrail: &str, account: &str, region: &str, resource: &str) -> String {
        let mut hash = Sha256::new();
        for part in [guardrail, account, region, resource] {
            // The length keeps ("ab", "c") apart from ("a", "bc").
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        digest.iter().take(ID_BYTES).fold(String::new(), |mut text, byte| {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// The name of the execution that responds to an occurrence: letters, digits and `-`, within 80 characters.
    pub(super) fn execution_name(id: &str, occurrence: u64) -> String {
        format!("{id}-{occurrence}")
    }
}

impl Occurrence {
    /// The name of the execution that takes its fix back next: letters, digits and `-`, within 80 characters.
    pub(super) fn next_undo(&self, finding_id: &str) -> String {
        format!("{finding_id}-{}-undo-{}", self.number, self.undos.saturating_add(1))
    }
}
