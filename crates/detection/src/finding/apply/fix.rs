//! Keeping `Before`, and fixing.

use serde_json::{Value, json};

use super::{Answered, Call};
use crate::finding::{Finding, Milestone, Stage};

impl Finding {
    pub(super) fn keep_before(&mut self, call: &Call<'_>, before: &Value) -> Answered {
        let generation = self.under_way.as_ref().map(|under_way| under_way.generation);
        let occurrence = self.decided_to_fix(call)?;
        if let Some(kept) = &occurrence.before {
            return Ok(json!({"Before": kept}));
        }
        // Absent and null would be one in the store.
        let before = if before.is_null() { json!({}) } else { before.clone() };
        occurrence.before = Some(before.clone());
        occurrence.before_generation = generation;
        let number = occurrence.number;
        self.record(call.now, Milestone::BeforeKept, call.execution, json!({"Occurrence": number}));
        Ok(json!({"Before": before}))
    }

    pub(super) fn fixing(&mut self, call: &Call<'_>) -> Answered {
        let occurrence = self.decided_to_fix(call)?;
        if occurrence.before.is_none() {
            return Err(call.illegal("what was there before has not been kept; `keep_before` first"));
        }
        occurrence.fixing_at.get_or_insert(call.now);
        self.stage = Stage::Fixing;
        self.record(call.now, Milestone::Fixing, call.execution, json!({}));
        Ok(json!({}))
    }
}
