//! `rectify-finding`: changes a finding.

use async_trait::async_trait;
use detection::FindingInput;
use serde_json::Value;

use super::{Caller, Function, FunctionError, Records, parse};

/// The function. Payload: who calls, and a [`FindingInput`]; the answer is the finding's.
pub struct ChangeFinding {
    records: Records,
}

impl ChangeFinding {
    pub(crate) fn new(records: Records) -> ChangeFinding {
        ChangeFinding { records }
    }
}

#[async_trait]
impl Function for ChangeFinding {
    fn name(&self) -> &'static str {
        "finding"
    }

    async fn invoke(&self, payload: Value) -> Result<Value, FunctionError> {
        let caller: Caller = parse(&payload)?;
        let input: FindingInput = parse(&payload)?;
        let finding = self.records.finding(&caller.finding_id).await?;
        self.records.apply(&finding, &caller.key(), &input).await
    }
}
